/* SPDX-License-Identifier: GPL-2.0-only */
/* Output for people and for programs. */
#ifndef HYBRIDCTL_OUT_H
#define HYBRIDCTL_OUT_H

#include <json-c/json.h>
#include <stdio.h>

#include "sysfs.h"

#define HC_COLUMNS	80

/* Goes up by one if a key ever has to change its meaning. */
#define HC_JSON_FORMAT	1

/**
 * hc_wrap() - "LABEL  text", wrapped at HC_COLUMNS
 * @indent: column at which text starts, on the following lines too
 * @label: printed before the first line
 */
void hc_wrap(FILE *out, int indent, const char *label, const char *text);

/* "1,234" or "unknown" */
const char *hc_num_text(struct hc_num num, char *buf, size_t size);

/*
 * JSON. Each takes ownership of what it adds; running out of memory ends the program.
 */
struct json_object *hc_json_new(bool module);
struct json_object *hc_json_sub(struct json_object *parent, const char *key);
struct json_object *hc_json_array(struct json_object *parent, const char *key);
struct json_object *hc_json_append(struct json_object *array);
void hc_json_append_text(struct json_object *array, const char *text);
void hc_json_text(struct json_object *o, const char *key, const char *text);
/* Empty text is null. */
void hc_json_text_or_null(struct json_object *o, const char *key, const char *text);
void hc_json_bool(struct json_object *o, const char *key, bool v);
void hc_json_tri(struct json_object *o, const char *key, enum hc_tri v);
void hc_json_u64(struct json_object *o, const char *key, uint64_t v);
void hc_json_num(struct json_object *o, const char *key, struct hc_num v);
void hc_json_tenths(struct json_object *o, const char *key, struct hc_num v);
void hc_json_null(struct json_object *o, const char *key);

/* Prints and frees @o. */
void hc_json_print(struct json_object *o, FILE *out);

#endif
