// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

void hc_wrap(FILE *out, int indent, const char *label, const char *text)
{
	int col = fprintf(out, "%-*s", indent, label);

	while (*text) {
		int len = strcspn(text, " ");

		if (col > indent && col + 1 + len > HC_COLUMNS)
			col = fprintf(out, "\n%*s", indent, "") - 1;
		if (col > indent)
			col += fprintf(out, " ");
		col += fprintf(out, "%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

const char *hc_num_text(struct hc_num num, char *buf, size_t size)
{
	char digits[24];
	size_t len, n = 0;

	if (!num.known) {
		snprintf(buf, size, "unknown");
		return buf;
	}
	len = snprintf(digits, sizeof(digits), "%" PRIu64, num.v);
	for (size_t i = 0; i < len && n + 2 < size; i++) {
		if (i && (len - i) % 3 == 0)
			buf[n++] = ',';
		buf[n++] = digits[i];
	}
	buf[n] = '\0';
	return buf;
}

static void *need(void *p)
{
	if (!p) {
		fputs("hybridctl: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static void add(struct json_object *o, const char *key, struct json_object *v)
{
	if (json_object_object_add(o, key, v))
		need(NULL);
}

static struct json_object *append(struct json_object *array, struct json_object *v)
{
	if (json_object_array_add(array, v))
		need(NULL);
	return v;
}

struct json_object *hc_json_new(bool module)
{
	struct json_object *o = need(json_object_new_object());

	hc_json_u64(o, "format", HC_JSON_FORMAT);
	hc_json_bool(o, "module", module);
	return o;
}

struct json_object *hc_json_sub(struct json_object *parent, const char *key)
{
	struct json_object *o = need(json_object_new_object());

	add(parent, key, o);
	return o;
}

struct json_object *hc_json_array(struct json_object *parent, const char *key)
{
	struct json_object *array = need(json_object_new_array());

	add(parent, key, array);
	return array;
}

struct json_object *hc_json_append(struct json_object *array)
{
	return append(array, need(json_object_new_object()));
}

void hc_json_append_text(struct json_object *array, const char *text)
{
	append(array, need(json_object_new_string(text)));
}

void hc_json_text(struct json_object *o, const char *key, const char *text)
{
	add(o, key, need(json_object_new_string(text)));
}

void hc_json_text_or_null(struct json_object *o, const char *key, const char *text)
{
	if (*text)
		hc_json_text(o, key, text);
	else
		hc_json_null(o, key);
}

void hc_json_bool(struct json_object *o, const char *key, bool v)
{
	add(o, key, need(json_object_new_boolean(v)));
}

void hc_json_tri(struct json_object *o, const char *key, enum hc_tri v)
{
	if (v == HC_UNKNOWN)
		hc_json_null(o, key);
	else
		hc_json_bool(o, key, v == HC_YES);
}

void hc_json_u64(struct json_object *o, const char *key, uint64_t v)
{
	add(o, key, need(json_object_new_uint64(v)));
}

void hc_json_num(struct json_object *o, const char *key, struct hc_num v)
{
	if (v.known)
		hc_json_u64(o, key, v.v);
	else
		hc_json_null(o, key);
}

void hc_json_tenths(struct json_object *o, const char *key, struct hc_num v)
{
	char text[32];

	if (!v.known) {
		hc_json_null(o, key);
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, v.v / 10, v.v % 10);
	add(o, key, need(json_object_new_double_s(v.v / 10.0, text)));
}

void hc_json_null(struct json_object *o, const char *key)
{
	add(o, key, NULL);
}

void hc_json_print(struct json_object *o, FILE *out)
{
	fprintf(out, "%s\n", (const char *)need((void *)json_object_to_json_string_ext(o,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			JSON_C_TO_STRING_NOSLASHESCAPE)));
	json_object_put(o);
}
