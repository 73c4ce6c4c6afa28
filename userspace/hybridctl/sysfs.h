/* SPDX-License-Identifier: GPL-2.0-only */
/* Bounded, suspicious reading of small text files below sysfs and procfs. */
#ifndef HYBRIDCTL_SYSFS_H
#define HYBRIDCTL_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct hc_roots - where the kernel's file systems are
 * @sys: /sys, or $HYBRID_SYSFS
 * @proc: /proc, or $HYBRID_PROCFS
 */
struct hc_roots {
	const char *sys;
	const char *proc;
};

/* A number that may be missing. */
struct hc_num {
	bool known;
	uint64_t v;
};

/* A yes or no that may be missing. */
enum hc_tri {
	HC_UNKNOWN,
	HC_NO,
	HC_YES,
};

/**
 * hc_path() - "@root/rel"
 *
 * Return: 0, or -ENAMETOOLONG.
 */
int hc_path(char *out, size_t size, const char *root, const char *rel);

/**
 * hc_read_all() - up to @size bytes from where @fd stands, however many pieces they come in
 *
 * Return: how many, less than @size only at the end; or a negative errno.
 */
ssize_t hc_read_all(int fd, char *buf, size_t size);

/**
 * hc_read() - the text of a regular file
 * @buf: always NUL-terminated; bytes that do not print, except newline and tab, become '?'
 * @size: of @buf; a file that does not fit gives -EFBIG
 *
 * Never blocks on what a hostile tree may hold (fifo, device); those give -EINVAL.
 * Return: the length, or a negative errno (and @buf is empty).
 */
ssize_t hc_read(const char *root, const char *rel, char *buf, size_t size);

/* As hc_read(), but keeps what fits of a longer file, up to its last whole line. */
ssize_t hc_read_head(const char *root, const char *rel, char *buf, size_t size);

/**
 * hc_read_word() - a file that holds one line
 *
 * The newline and blanks around it are removed. Several lines give -EINVAL.
 */
ssize_t hc_read_word(const char *root, const char *rel, char *buf, size_t size);

/* Unknown where the file is missing or holds anything but one number. */
struct hc_num hc_read_num(const char *root, const char *rel);

/* A number with one decimal, "16.2", in tenths. */
struct hc_num hc_read_tenths(const char *root, const char *rel);

/* A bool or 0/1 module parameter. */
enum hc_tri hc_read_bool(const char *root, const char *rel);

/* Whether @rel can be seen at all. */
bool hc_exists(const char *root, const char *rel);

/* Strict decimal numbers: no sign, no blank, no rest. 0, or -EINVAL or -ERANGE. */
int hc_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* Whether @word is one of the blank-separated words of @list. */
bool hc_has_word(const char *list, const char *word);

#endif
