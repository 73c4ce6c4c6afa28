/* SPDX-License-Identifier: GPL-2.0-only */
/* The little of xenstore's socket protocol (xen/include/public/io/xs_wire.h) that is needed. */
#ifndef MNH_XS_H
#define MNH_XS_H

#include <stddef.h>
#include <stdint.h>

#define XS_PAYLOAD_MAX	4096
#define XS_PATH_MAX	256

enum xs_type {
	XS_READ			= 2,
	XS_WATCH		= 4,
	XS_GET_DOMAIN_PATH	= 10,
	XS_WRITE		= 11,
	XS_RM			= 13,
	XS_SET_PERMS		= 14,
	XS_WATCH_EVENT		= 15,
	XS_ERROR		= 16,
};

struct xs_header {
	uint32_t type;
	uint32_t req_id;
	uint32_t tx_id;
	uint32_t len;
};

/* One message out of a stream; the payload is NUL-terminated beyond its end. */
struct xs_reply {
	struct xs_header h;
	char payload[XS_PAYLOAD_MAX + 1];
};

/**
 * xs_decode() - the first message of a stream
 *
 * Return: how many bytes it took; 0 if it is not whole yet; -EPROTO if it cannot be one.
 */
int xs_decode(const void *bytes, size_t len, struct xs_reply *r);

/* The errno that an XS_ERROR's payload names, negative; -EIO for one that is not known. */
int xs_error(const struct xs_reply *r);

struct xs {
	int fd;
	uint32_t next_id;
	size_t len;
	unsigned char buf[sizeof(struct xs_header) + XS_PAYLOAD_MAX];
};

/* Connects to xenstored. Return: 0 or a negative errno. */
int xs_open(struct xs *x, const char *socket_path);
void xs_close(struct xs *x);

/**
 * xs_read() - the value of a node
 * @value: NUL-terminated; bytes that do not print become '?'
 *
 * Return: its length, or a negative errno: -ENOENT where there is no such node, -ETIMEDOUT where
 * xenstored does not answer in five seconds. The same for the others.
 */
int xs_read(struct xs *x, const char *path, char *value, size_t size);
int xs_write(struct xs *x, const char *path, const char *value);
int xs_remove(struct xs *x, const char *path);

/* Owned by domain 0; @mode for @domid: 'r' read, 'b' read and write. */
int xs_share(struct xs *x, const char *path, char mode, unsigned int domid);

/* One event follows at once, and one after each change. */
int xs_watch(struct xs *x, const char *path);

/**
 * xs_wait() - for a watch to fire
 * @timeout_ms: at most so long
 *
 * Return: 1 if one has, 0 if not, or a negative errno.
 */
int xs_wait(struct xs *x, int timeout_ms);

#endif
