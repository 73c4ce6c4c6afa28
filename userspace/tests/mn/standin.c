// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests on machines without the driver: preloaded into a program, it leads what that does
 * with /dev/migrate-notify to standin.py, which listens on $MN_STANDIN. The program is the one
 * that gets installed; it knows nothing of this. (The lab tests it with the real driver.)
 *
 * The descriptor that the program gets is a socket on which standin.py sends one event a
 * message, so that poll() is the kernel's own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/migrate_notify.h>

#define NEXT(f)	((__typeof__(&f))dlsym(RTLD_NEXT, #f))
#define FDS	1024

/* By the program's descriptor: where requests go, and the page. Both 0 for all others. */
static struct {
	int control, page;
} device[FDS];

static int is_device(int fd)
{
	return fd >= 0 && fd < FDS && device[fd].control;
}

/* The first message each way: what was asked of open(); the answer and three descriptors. */
static int open_device(int flags)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	int32_t answer = EIO, asked[2] = { flags, getpid() };
	struct iovec io = { &answer, sizeof(answer) };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), got[2];

	strncpy(addr.sun_path, getenv("MN_STANDIN"), sizeof(addr.sun_path) - 1);
	if (fd < 0 || fd >= FDS || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, asked, sizeof(asked), 0) < 0 ||
	    recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != sizeof(answer) || answer) {
		NEXT(close)(fd);
		errno = answer;
		return -1;
	}
	memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	device[fd].page = got[0];
	device[fd].control = got[1];
	if (flags & O_NONBLOCK)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static int opens(const char *path, int flags, mode_t mode)
{
	if (!strcmp(path, MIGRATE_NOTIFY_DEVICE) && getenv("MN_STANDIN"))
		return open_device(flags);
	return NEXT(openat)(AT_FDCWD, path, flags, mode);
}

#define OPEN(name) \
int name(const char *path, int flags, ...) \
{ \
	mode_t mode = 0; \
	va_list ap; \
\
	va_start(ap, flags); \
	if (flags & (O_CREAT | __O_TMPFILE)) \
		mode = va_arg(ap, mode_t); \
	va_end(ap); \
	return opens(path, flags, mode); \
}

OPEN(open)
#undef open64
OPEN(open64)

/* One request and its answer: a number, or an errno below 0, and @len bytes of @data. */
static long request(int fd, uint32_t what, void *data, size_t len, void *extra, size_t extra_len)
{
	struct {
		uint32_t what;
		char data[512];
	} ask = { .what = what };
	struct answer {
		int32_t result;
		char data[128 * 1024];
	};
	static _Thread_local struct answer answer;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	ssize_t n;

	memcpy(ask.data, data, len);
	pthread_mutex_lock(&lock);
	n = send(device[fd].control, &ask, sizeof(ask.what) + len, MSG_NOSIGNAL);
	if (n > 0)
		n = recv(device[fd].control, &answer, sizeof(answer), 0);
	pthread_mutex_unlock(&lock);
	if (n < (ssize_t)sizeof(answer.result)) {
		errno = EIO;
		return -1;
	}
	if (answer.result < 0) {
		errno = -answer.result;
		return -1;
	}
	n -= sizeof(answer.result);
	if (n >= (ssize_t)len) {
		memcpy(data, answer.data, what ? len : 0);
		n -= len;
		memcpy(extra, answer.data + len, (size_t)n < extra_len ? (size_t)n : extra_len);
	}
	return answer.result;
}

int ioctl(int fd, unsigned long req, ...)
{
	struct migrate_notify_list *l;
	char old[4096];
	va_list ap;
	void *arg;

	va_start(ap, req);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!is_device(fd))
		return NEXT(ioctl)(fd, req, arg);
	if (req == MIGRATE_NOTIFY_IOC_LIST) {
		l = arg;
		return request(fd, req, arg, sizeof(*l), (void *)(uintptr_t)l->entries,
			       l->count * sizeof(struct migrate_notify_subscriber));
	}
	/* What waits in the socket is before the new cursor. */
	if (req == MIGRATE_NOTIFY_IOC_SUBSCRIBE)
		while (recv(fd, old, sizeof(old), MSG_DONTWAIT) > 0)
			;
	return request(fd, req, arg, _IOC_SIZE(req), NULL, 0);
}

/* As many events as there are and fit, like the driver. */
ssize_t read(int fd, void *buf, size_t len)
{
	const size_t event = sizeof(struct migrate_notify_event);
	ssize_t done, n;

	if (!is_device(fd))
		return NEXT(read)(fd, buf, len);
	if (len < event) {
		errno = EINVAL;
		return -1;
	}
	done = recv(fd, buf, event, 0);
	while (done > 0 && len - done >= event) {
		n = recv(fd, (char *)buf + done, event, MSG_DONTWAIT);
		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

ssize_t write(int fd, const void *buf, size_t len)
{
	char copy[64];

	if (!is_device(fd))
		return NEXT(write)(fd, buf, len);
	if (len > sizeof(copy)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(copy, buf, len);
	return request(fd, 0, copy, len, NULL, 0) < 0 ? -1 : (ssize_t)len;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (is_device(fd) && prot & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE) {
		errno = EROFS;
		return MAP_FAILED;
	}
	return NEXT(mmap)(addr, len, prot, flags, is_device(fd) ? device[fd].page : fd, offset);
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return mmap(addr, len, prot, flags, fd, offset);
}

int close(int fd)
{
	if (is_device(fd)) {
		NEXT(close)(device[fd].control);
		NEXT(close)(device[fd].page);
		device[fd].control = device[fd].page = 0;
	}
	return NEXT(close)(fd);
}
