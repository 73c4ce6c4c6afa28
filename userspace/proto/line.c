// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "line.h"

char *mn_lines_space(struct mn_lines *l, size_t *size)
{
	memmove(l->buf, l->buf + l->used, l->len - l->used);
	l->len -= l->used;
	l->used = 0;
	*size = sizeof(l->buf) - l->len;
	return l->buf + l->len;
}

void mn_lines_added(struct mn_lines *l, size_t n)
{
	l->len += n;
}

int mn_lines_next(struct mn_lines *l, char **line, size_t *len)
{
	char *start, *end;
	bool skip;

	do {
		start = l->buf + l->used;
		end = memchr(start, '\n', l->len - l->used);
		if (!end) {
			if (l->len - l->used < sizeof(l->buf))
				return 0;
			/* Full, and no end in sight: the rest of it will be dropped too. */
			l->used = l->len;
			if (l->skip)
				return 0;
			l->skip = true;
			return -EMSGSIZE;
		}
		l->used = end + 1 - l->buf;
		skip = l->skip;
		l->skip = false;
	} while (skip);
	*end = '\0';
	*line = start;
	*len = end - start;
	return 1;
}

ssize_t mn_lines_read(struct mn_lines *l, int fd)
{
	size_t size;
	char *space = mn_lines_space(l, &size);
	ssize_t n;

	do
		n = read(fd, space, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	mn_lines_added(l, n);
	return n;
}
