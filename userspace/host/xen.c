// SPDX-License-Identifier: GPL-2.0-only
/*
 * xenstore: a request node that the guest may read, and an ack node that it may write, as in
 * drivers/migrate-notify/source_xen.c. The guest's own node says that a driver listens.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "xs.h"
#include "../proto/clock.h"

#define DOMAIN	"/local/domain/%u/"

struct nodes {
	char listens[XS_PATH_MAX], request[XS_PATH_MAX], ack[XS_PATH_MAX];
};

struct out {
	char *buf;
	size_t size, len;
};

static void put_features(struct out *o, char sign, const char *names)
{
	while (*names && o->len < o->size) {
		int len = strcspn(names, " ");

		o->len += snprintf(o->buf + o->len, o->size - o->len, " %c%.*s", sign, len, names);
		names += len + (names[len] == ' ');
	}
}

int mnh_xen_encode(const struct mn_msg *m, char *buf, unsigned int size)
{
	struct out o = { buf, size, 0 };

	if (m->type == MN_MSG_PREPARE) {
		o.len = snprintf(buf, size, "prepare %" PRIu64 " %" PRIu32, m->op, m->deadline_ms);
		put_features(&o, '+', m->appear);
		put_features(&o, '-', m->vanish);
	} else {
		o.len = snprintf(buf, size, "complete %" PRIu64 " %s", m->op,
				 mn_msg_status_name(m->status));
	}
	return o.len < o.size ? (int)o.len : -EMSGSIZE;
}

int mnh_xen_decode(const char *value, struct mn_msg *m)
{
	struct mn_msg got = { 0 };
	unsigned int err;
	char verb[16];
	int n;

	if (sscanf(value, "%15[a-z-] %" SCNu64 "%n", verb, &got.op, &n) != 2 || !got.op ||
	    got.op > INT64_MAX)
		return -EBADMSG;
	value += n;
	if (!strcmp(verb, "ready")) {
		got.type = MN_MSG_READY;
		if (sscanf(value, " %" SCNu32, &got.refused) != 1)
			return -EBADMSG;
	} else if (!strcmp(verb, "timed-out")) {
		got.type = MN_MSG_READY;
		if (sscanf(value, " %" SCNu32 " %" SCNu32, &got.late, &got.refused) != 2)
			return -EBADMSG;
	} else if (!strcmp(verb, "complete")) {
		got.type = MN_MSG_COMPLETED;
	} else if (!strcmp(verb, "error")) {
		if (sscanf(value, " %u", &err) != 1)
			return -EBADMSG;
		/* Asked twice: what was asked for first is under way, or done. */
		got.type = err == EALREADY ? MN_MSG_PREPARING : MN_MSG_ERROR;
		got.busy = err == EBUSY;
		snprintf(got.text, sizeof(got.text), "%s", err < 4096 ? strerror(err) : "?");
	} else {
		return -EBADMSG;
	}
	*m = got;
	return 0;
}

/*
 * dom0 owns both nodes. It must not make any for a domain that is gone: nobody would ever
 * remove them.
 */
static int make_nodes(struct xs *x, const struct nodes *n, unsigned int domid)
{
	char value[16];
	int ret = xs_read(x, n->listens, value, sizeof(value));

	if (ret == -ENOENT)
		return -ENOTCONN;
	if (ret < 0 && ret != -EMSGSIZE)
		return ret;
	ret = xs_write(x, n->ack, "");
	if (!ret)
		ret = xs_share(x, n->ack, 'b', domid);
	return ret ? ret : xs_watch(x, n->ack);
}

static int request(struct xs *x, const struct nodes *n, const char *text, unsigned int domid)
{
	/* Readable before there is anything to read: the guest looks once. */
	int ret = xs_write(x, n->request, "");

	if (!ret)
		ret = xs_share(x, n->request, 'r', domid);
	return ret ? ret : xs_write(x, n->request, text);
}

/* -EAGAIN: no answer to @ask yet. */
static int look(struct xs *x, const struct nodes *n, const struct mn_msg *ask,
		enum mn_msg_type wanted, struct mn_msg *answer, bool *heard)
{
	char value[256];
	struct mn_msg m;
	int ret = xs_read(x, n->ack, value, sizeof(value));

	/* The value is the guest's: too long or nonsense counts as silence. */
	if (ret == -EMSGSIZE || ret == -ENOENT)
		return -EAGAIN;
	if (ret < 0)
		return ret;
	if (mnh_xen_decode(value, &m) || m.op != ask->op)
		return -EAGAIN;
	*heard = true;
	if (m.type == MN_MSG_PREPARING && ask->type == MN_MSG_COMPLETE)
		m.type = MN_MSG_COMPLETED;
	*answer = m;
	return m.type == wanted ? 0 : m.type == MN_MSG_ERROR ? -EREMOTEIO : -EAGAIN;
}

static int wait_answer(struct xs *x, const struct nodes *n, const struct mn_msg *ask,
		       enum mn_msg_type wanted, int silence_ms, int timeout_ms,
		       struct mn_msg *answer, const volatile bool *stop)
{
	uint64_t start = mn_now_ms(), until = start + timeout_ms, silence = start + silence_ms;
	bool heard = false;
	int ret;

	/* A driver listens; before all is ready it has nothing to say. */
	if (ask->type == MN_MSG_PREPARE)
		silence = until;
	for (;;) {
		int left;

		ret = look(x, n, ask, wanted, answer, &heard);
		if (ret != -EAGAIN)
			return ret;
		if (*stop)
			return -EINTR;
		if (mn_now_ms() >= until)
			return -ETIMEDOUT;
		if (!heard && mn_now_ms() >= silence)
			return -ENOTCONN;
		/* A signal has to be noticed, too. */
		left = mn_ms_left(heard || until < silence ? until : silence);
		ret = xs_wait(x, left < 200 ? left : 200);
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
}

int mnh_xen_ask(const struct mnh_channel *c, const struct mn_msg *ask, enum mn_msg_type wanted,
		int silence_ms, int timeout_ms, struct mn_msg *answer, const volatile bool *stop)
{
	char text[1024];
	struct nodes n;
	struct xs x;
	int ret = mnh_xen_encode(ask, text, sizeof(text));

	if (ret < 0)
		return ret;
	snprintf(n.listens, sizeof(n.listens), DOMAIN "data/migrate-notify", c->domid);
	snprintf(n.request, sizeof(n.request), DOMAIN "control/migrate-notify-request", c->domid);
	snprintf(n.ack, sizeof(n.ack), DOMAIN "control/migrate-notify-ack", c->domid);
	ret = xs_open(&x, c->xenstore);
	if (ret)
		return ret;
	ret = make_nodes(&x, &n, c->domid);
	if (!ret)
		ret = request(&x, &n, text, c->domid);
	if (!ret)
		ret = wait_answer(&x, &n, ask, wanted, silence_ms, timeout_ms, answer, stop);
	/* A driver that is loaded later must not find an old request. */
	if (ask->type == MN_MSG_COMPLETE && ret != -ENOTCONN) {
		xs_remove(&x, n.request);
		xs_remove(&x, n.ack);
	}
	xs_close(&x);
	return ret;
}
