// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysfs.h"

int hc_path(char *out, size_t size, const char *root, const char *rel)
{
	int n = snprintf(out, size, "%s/%s", root, rel);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int open_regular(const char *root, const char *rel)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, err;

	err = hc_path(path, sizeof(path), root, rel);
	if (err)
		return err;
	/* O_NONBLOCK: a fifo without a writer must not hang us before fstat() rejects it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

ssize_t hc_read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
	}
	return len;
}

static void make_printable(char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((buf[i] < ' ' && buf[i] != '\n' && buf[i] != '\t') || buf[i] > '~')
			buf[i] = '?';
}

static ssize_t read_file(const char *root, const char *rel, char *buf, size_t size, bool head)
{
	int fd = open_regular(root, rel);
	ssize_t len;

	buf[0] = '\0';
	if (fd < 0)
		return fd;
	len = hc_read_all(fd, buf, size);
	close(fd);
	if (len == (ssize_t)size) {
		if (head)
			while (len && buf[len - 1] != '\n')
				len--;
		else
			len = -EFBIG;
	}
	if (len < 0) {
		buf[0] = '\0';
		return len;
	}
	make_printable(buf, len);
	buf[len < (ssize_t)size ? len : (ssize_t)size - 1] = '\0';
	return len;
}

ssize_t hc_read(const char *root, const char *rel, char *buf, size_t size)
{
	return read_file(root, rel, buf, size, false);
}

ssize_t hc_read_head(const char *root, const char *rel, char *buf, size_t size)
{
	return read_file(root, rel, buf, size, true);
}

ssize_t hc_read_word(const char *root, const char *rel, char *buf, size_t size)
{
	ssize_t len = hc_read(root, rel, buf, size);
	char *start = buf;

	if (len < 0)
		return len;
	while (len && strchr(" \t\n", buf[len - 1]))
		buf[--len] = '\0';
	while (*start && strchr(" \t", *start))
		start++;
	len -= start - buf;
	memmove(buf, start, len + 1);
	if (strchr(buf, '\n')) {
		buf[0] = '\0';
		return -EINVAL;
	}
	return len;
}

int hc_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	/* strtoull() would take a sign and leading blanks. */
	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

struct hc_num hc_read_num(const char *root, const char *rel)
{
	struct hc_num num = {};
	char buf[32];

	if (hc_read_word(root, rel, buf, sizeof(buf)) >= 0)
		num.known = !hc_parse_u64(buf, 0, UINT64_MAX, &num.v);
	return num;
}

struct hc_num hc_read_tenths(const char *root, const char *rel)
{
	struct hc_num num = {};
	uint64_t whole, tenth;
	char buf[32], *dot;

	if (hc_read_word(root, rel, buf, sizeof(buf)) < 0)
		return num;
	dot = strchr(buf, '.');
	if (!dot)
		return num;
	*dot = '\0';
	if (hc_parse_u64(buf, 0, UINT32_MAX, &whole) || strlen(dot + 1) != 1 ||
	    hc_parse_u64(dot + 1, 0, 9, &tenth))
		return num;
	num.known = true;
	num.v = whole * 10 + tenth;
	return num;
}

enum hc_tri hc_read_bool(const char *root, const char *rel)
{
	char buf[8];

	if (hc_read_word(root, rel, buf, sizeof(buf)) < 0)
		return HC_UNKNOWN;
	if (!strcmp(buf, "Y") || !strcmp(buf, "1"))
		return HC_YES;
	if (!strcmp(buf, "N") || !strcmp(buf, "0"))
		return HC_NO;
	return HC_UNKNOWN;
}

bool hc_exists(const char *root, const char *rel)
{
	char path[PATH_MAX];

	return !hc_path(path, sizeof(path), root, rel) && !access(path, F_OK);
}

bool hc_has_word(const char *list, const char *word)
{
	static const char blank[] = " \t\n";
	size_t len = strlen(word);

	while (*list) {
		size_t n;

		list += strspn(list, blank);
		n = strcspn(list, blank);
		if (n == len && !memcmp(list, word, len))
			return len > 0;
		list += n;
	}
	return false;
}
