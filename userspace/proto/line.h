/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines out of a byte stream that may come in any pieces, or mean harm. */
#ifndef MN_LINE_H
#define MN_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MN_LINE_MAX	8192

/* All zero is an empty one. */
struct mn_lines {
	char buf[MN_LINE_MAX];
	size_t len;		/* bytes in @buf */
	size_t used;		/* of these, given out already */
	bool skip;		/* within a line that is too long */
};

/**
 * mn_lines_space() - where the next bytes go
 * @size: gets how many fit, at least 1
 *
 * Forgets the lines given out so far. mn_lines_next() has to have returned 0 before.
 */
char *mn_lines_space(struct mn_lines *l, size_t *size);

/* @n bytes have been put there. */
void mn_lines_added(struct mn_lines *l, size_t n);

/**
 * mn_lines_next() - the next whole line
 * @line: without its newline, NUL-terminated; may hold NULs of its own, see the return value;
 *	valid until mn_lines_space()
 *
 * Return: 1 and a line, its length in @len; 0 if more bytes are needed; -EMSGSIZE once for each
 * line of MN_LINE_MAX bytes or more, which is dropped.
 */
int mn_lines_next(struct mn_lines *l, char **line, size_t *len);

/**
 * mn_lines_read() - one read() into the buffer
 *
 * Return: bytes read, 0 at the end, or a negative errno.
 */
ssize_t mn_lines_read(struct mn_lines *l, int fd);

#endif
