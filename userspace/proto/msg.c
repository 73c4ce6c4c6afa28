// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "msg.h"

#define MSG_DEPTH	4

static const char *const type_names[MN_MSG_NR] = {
	[MN_MSG_HELLO]		= "hello",
	[MN_MSG_PREPARE]	= "prepare",
	[MN_MSG_PREPARING]	= "preparing",
	[MN_MSG_READY]		= "ready",
	[MN_MSG_COMPLETE]	= "complete",
	[MN_MSG_COMPLETED]	= "completed",
	[MN_MSG_ERROR]		= "error",
};

static const char *const status_names[MN_MSG_STATUS_NR] = {
	[MN_MSG_STATUS_UNKNOWN]		= "unknown",
	[MN_MSG_STATUS_SUCCESS]		= "success",
	[MN_MSG_STATUS_CANCELLED]	= "cancelled",
	[MN_MSG_STATUS_FAILED]		= "failed",
};

static int find(const char *const *names, int nr, const char *name)
{
	for (int i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return i;
	return -EINVAL;
}

const char *mn_msg_type_name(enum mn_msg_type type)
{
	return type_names[type];
}

const char *mn_msg_status_name(enum mn_msg_status status)
{
	return status_names[status];
}

int mn_msg_status_find(const char *name)
{
	return find(status_names, MN_MSG_STATUS_NR, name);
}

/*
 * Decoding
 */

/* @out stays what it is where the key is missing. */
static const char *get_u64(struct json_object *o, const char *key, uint64_t min, uint64_t max,
			   uint64_t *out)
{
	struct json_object *v;
	int64_t n;

	if (!json_object_object_get_ex(o, key, &v))
		return NULL;
	if (!json_object_is_type(v, json_type_int))
		return "a number is not an integer";
	/* What does not fit is cut to the limits of its type: out of range here all the same. */
	n = json_object_get_int64(v);
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max || n == INT64_MAX)
		return "a number is out of range";
	*out = n;
	return NULL;
}

static const char *get_u32(struct json_object *o, const char *key, uint64_t min, uint64_t max,
			   uint32_t *out)
{
	uint64_t v = *out;
	const char *why = get_u64(o, key, min, max, &v);

	*out = v;
	return why;
}

/* A string of which each byte prints; cut to what fits. */
static const char *get_text(struct json_object *o, const char *key, char *out, size_t size)
{
	struct json_object *v;
	const char *s;

	if (!json_object_object_get_ex(o, key, &v))
		return NULL;
	if (!json_object_is_type(v, json_type_string))
		return "a text is not a string";
	s = json_object_get_string(v);
	snprintf(out, size, "%s", s);
	for (char *p = out; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return NULL;
}

static const char *get_bool(struct json_object *o, const char *key, bool *out)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v))
		return NULL;
	if (!json_object_is_type(v, json_type_boolean))
		return "a truth value is none";
	*out = json_object_get_boolean(v);
	return NULL;
}

static bool is_feature_name(const char *s, size_t len)
{
	return len && len < 32 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}

static const char *get_features(struct json_object *o, const char *key, char *out, size_t size,
				uint32_t hint, uint32_t *hints)
{
	struct json_object *v, *e;
	size_t n = 0, nr;

	if (!json_object_object_get_ex(o, key, &v))
		return NULL;
	if (!json_object_is_type(v, json_type_array))
		return "features are not an array";
	nr = json_object_array_length(v);
	for (size_t i = 0; i < nr; i++) {
		const char *s;
		size_t len;

		e = json_object_array_get_idx(v, i);
		if (!json_object_is_type(e, json_type_string))
			return "a feature is not a string";
		s = json_object_get_string(e);
		len = json_object_get_string_len(e);
		if (!is_feature_name(s, len))
			return "a feature has no feature's name";
		if (n + len + 2 > size)
			return "too many features";
		n += snprintf(out + n, size - n, "%s%s", n ? " " : "", s);
	}
	*hints |= hint;
	return NULL;
}

static const char *decode(struct json_object *o, struct mn_msg *m)
{
	struct json_object *v;
	const char *why;
	int found;

	if (!json_object_is_type(o, json_type_object))
		return "not an object";
	/* First, so that who asked is told what was wrong with the rest. */
	if ((why = get_u64(o, "op", 0, INT64_MAX, &m->op)))
		return why;
	if (!json_object_object_get_ex(o, "type", &v) || !json_object_is_type(v, json_type_string))
		return "no type";
	found = find(type_names, MN_MSG_NR, json_object_get_string(v));
	if (found < 0)
		return "unknown type";
	m->type = found;
	if (!m->op && m->type != MN_MSG_HELLO && m->type != MN_MSG_ERROR)
		return "no op";
	switch (m->type) {
	case MN_MSG_PREPARE:
		m->deadline_ms = MN_MSG_DEADLINE_DEFAULT_MS;
		why = get_u32(o, "deadline_ms", 1, MN_MSG_DEADLINE_MAX_MS, &m->deadline_ms);
		if (!why)
			why = get_features(o, "vanish", m->vanish, sizeof(m->vanish),
					   MN_MSG_HINT_VANISH, &m->hints);
		if (!why)
			why = get_features(o, "appear", m->appear, sizeof(m->appear),
					   MN_MSG_HINT_APPEAR, &m->hints);
		return why;
	case MN_MSG_READY:
		why = get_u32(o, "acked", 0, UINT32_MAX, &m->acked);
		if (!why)
			why = get_u32(o, "late", 0, UINT32_MAX, &m->late);
		return why ? why : get_u32(o, "refused", 0, UINT32_MAX, &m->refused);
	case MN_MSG_COMPLETE:
		if (!json_object_object_get_ex(o, "status", &v))
			return "no status";
		if (!json_object_is_type(v, json_type_string))
			return "the status is not a string";
		found = mn_msg_status_find(json_object_get_string(v));
		if (found < 0)
			return "unknown status";
		m->status = found;
		return NULL;
	case MN_MSG_ERROR:
		why = get_bool(o, "busy", &m->busy);
		if (why)
			return why;
		/* fall through */
	case MN_MSG_HELLO:
		return get_text(o, "text", m->text, sizeof(m->text));
	default:
		return NULL;
	}
}

static bool only_blanks(const char *line, size_t from, size_t to)
{
	while (from < to && strchr(" \t\r", line[from]))
		from++;
	return from == to;
}

int mn_msg_decode(const char *line, size_t len, struct mn_msg *m, const char **why)
{
	struct json_tokener *tok;
	struct json_object *o = NULL;
	struct mn_msg got = { 0 };

	*m = got;
	*why = "not JSON";
	if (!len || len > INT_MAX || memchr(line, '\0', len))
		return -EBADMSG;
	tok = json_tokener_new_ex(MSG_DEPTH);
	if (!tok) {
		*why = "out of memory";
		return -EBADMSG;
	}
	o = json_tokener_parse_ex(tok, line, len);
	if (json_tokener_get_error(tok) == json_tokener_success &&
	    only_blanks(line, json_tokener_get_parse_end(tok), len))
		*why = decode(o, &got);
	json_object_put(o);
	json_tokener_free(tok);
	if (*why) {
		m->op = got.op;
		return -EBADMSG;
	}
	*m = got;
	return 0;
}

/*
 * Encoding: all texts are ours or were checked, so nothing needs escapes but a free text.
 */

struct out {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3)))
static void put(struct out *o, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(o->buf + (o->len < o->size ? o->len : o->size),
		      o->len < o->size ? o->size - o->len : 0, format, ap);
	va_end(ap);
	o->len += n;
}

static void put_features(struct out *o, const char *key, const char *names)
{
	const char *sep = "";

	put(o, ",\"%s\":[", key);
	while (*names) {
		int len = strcspn(names, " ");

		put(o, "%s\"%.*s\"", sep, len, names);
		sep = ",";
		names += len + (names[len] == ' ');
	}
	put(o, "]");
}

static void put_text(struct out *o, const char *text)
{
	put(o, ",\"text\":\"");
	for (; *text; text++)
		put(o, "%s%c", *text == '"' || *text == '\\' ? "\\" : "",
		    *text < ' ' || *text > '~' ? '?' : *text);
	put(o, "\"");
}

int mn_msg_encode(const struct mn_msg *m, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };

	put(&o, "{\"type\":\"%s\"", type_names[m->type]);
	if (m->op)
		put(&o, ",\"op\":%" PRIu64, m->op);
	switch (m->type) {
	case MN_MSG_PREPARE:
		put(&o, ",\"deadline_ms\":%" PRIu32, m->deadline_ms);
		if (m->hints & MN_MSG_HINT_VANISH)
			put_features(&o, "vanish", m->vanish);
		if (m->hints & MN_MSG_HINT_APPEAR)
			put_features(&o, "appear", m->appear);
		break;
	case MN_MSG_READY:
		put(&o, ",\"acked\":%" PRIu32 ",\"late\":%" PRIu32 ",\"refused\":%" PRIu32,
		    m->acked, m->late, m->refused);
		break;
	case MN_MSG_COMPLETE:
		put(&o, ",\"status\":\"%s\"", status_names[m->status]);
		break;
	case MN_MSG_HELLO:
	case MN_MSG_ERROR:
		if (m->busy)
			put(&o, ",\"busy\":true");
		if (*m->text)
			put_text(&o, m->text);
		break;
	default:
		break;
	}
	put(&o, "}\n");
	return o.len < o.size ? (int)o.len : -EMSGSIZE;
}
