// SPDX-License-Identifier: GPL-2.0-only
/* Orders of Xen's tools, by xenstore's ring (pure). See xenstore.h. */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/barrier.h>

#include "xenstore.h"

#define NODE	"control/shutdown"

static const char watched[] = NODE "\0pvirq";		/* a node, and a token of ours */

static void copy_in(u8 *ring, u32 at, const void *from, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		ring[(at + i) % PVIRQ_XENSTORE_RING] = ((const u8 *)from)[i];
}

static void copy_out(void *to, const u8 *ring, u32 at, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		((u8 *)to)[i] = READ_ONCE(ring[(at + i) % PVIRQ_XENSTORE_RING]);
}

/* The longest request, a watch. */
#define REQUEST_MAX	(sizeof(struct pvirq_xenstore_head) + sizeof(watched))

/* Room for requests from @prod on, or -EPROTO. */
static int room(const struct pvirq_xenstore_page *page, u32 prod)
{
	u32 used = prod - READ_ONCE(page->req_cons);

	return used > PVIRQ_XENSTORE_RING ? -EPROTO : (int)(PVIRQ_XENSTORE_RING - used);
}

static int send(struct pvirq_xenstore *x, u32 type, const char *payload, u32 len)
{
	const struct pvirq_xenstore_head head = {
		.type = type, .req_id = x->id + 1, .tx_id = x->transaction, .len = len,
	};
	struct pvirq_xenstore_page *page = x->page;
	u32 prod = READ_ONCE(page->req_prod);
	int left = room(page, prod);

	if (left < 0)
		return left;
	if (left < sizeof(head) + len)
		return -ENOSPC;
	/* What is overwritten has been read; what is announced has been written. */
	virt_mb();
	copy_in(page->req, prod, &head, sizeof(head));
	copy_in(page->req, prod + sizeof(head), payload, len);
	virt_wmb();
	WRITE_ONCE(page->req_prod, prod + (u32)sizeof(head) + len);
	x->id++;
	return 0;
}

/* Takes one message, whole; no more of its payload than @max bytes are of interest. */
static int take(struct pvirq_xenstore_page *page, struct pvirq_xenstore_head *head, char *payload,
		u32 max)
{
	u32 cons = READ_ONCE(page->rsp_cons);
	u32 have = READ_ONCE(page->rsp_prod) - cons;

	if (have > PVIRQ_XENSTORE_RING)
		return -EPROTO;
	if (have < sizeof(*head))
		return 0;
	virt_rmb();
	copy_out(head, page->rsp, cons, sizeof(*head));
	/* Nothing that we ask for is longer than the ring; it would never be there as a whole. */
	if (head->len > PVIRQ_XENSTORE_RING - sizeof(*head))
		return -EPROTO;
	if (have < sizeof(*head) + head->len)
		return 0;
	copy_out(payload, page->rsp, cons + sizeof(*head), min(head->len, max));
	virt_mb();
	WRITE_ONCE(page->rsp_cons, cons + (u32)sizeof(*head) + head->len);
	return 1;
}

/* Ends a transaction with nothing done. Xenstore lets each machine have some ten. */
static int drop(struct pvirq_xenstore *x, u32 transaction)
{
	u32 ours = x->transaction;
	int err;

	x->transaction = transaction;
	err = send(x, PVIRQ_XENSTORE_END, "F", 2);
	x->transaction = ours;
	return err;
}

int pvirq_xenstore_open(struct pvirq_xenstore *x, struct pvirq_xenstore_page *page)
{
	/* Answers to requests of somebody before us, and not all of one perhaps. */
	if (!x->id)
		WRITE_ONCE(page->rsp_cons, READ_ONCE(page->rsp_prod));
	*x = (struct pvirq_xenstore){ .page = page, .id = x->id };
	return send(x, PVIRQ_XENSTORE_WATCH, watched, sizeof(watched));
}

int pvirq_xenstore_close(struct pvirq_xenstore *x)
{
	int err = 0;

	if (x->awaited == PVIRQ_XENSTORE_READ)
		err = drop(x, x->transaction);
	x->awaited = 0;
	x->transaction = 0;
	return err ?: send(x, PVIRQ_XENSTORE_UNWATCH, watched, sizeof(watched));
}

static enum pvirq_order order_of(const char *word, u32 len)
{
	static const struct {
		const char *word;
		enum pvirq_order order;
	} known[] = {
		{ "suspend", PVIRQ_ORDER_SUSPEND },
		{ "poweroff", PVIRQ_ORDER_POWEROFF },
		{ "halt", PVIRQ_ORDER_POWEROFF },
		{ "reboot", PVIRQ_ORDER_REBOOT },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (len == strlen(known[i].word) && !memcmp(word, known[i].word, len))
			return known[i].order;
	return PVIRQ_ORDER_NONE;
}

static u32 number_of(const char *word, u32 len)
{
	u32 n = 0, i;

	for (i = 0; i < len && word[i] >= '0' && word[i] <= '9'; i++)
		n = 10 * n + (word[i] - '0');
	return n;
}

/* Sends a request whose answer goes on with an order. */
static int ask(struct pvirq_xenstore *x, u32 type, const char *payload, u32 len)
{
	int err = send(x, type, payload, len);

	x->awaited = type;
	x->awaited_id = x->id;
	return err;
}

static int begin(struct pvirq_xenstore *x)
{
	x->transaction = 0;
	x->taken = PVIRQ_ORDER_NONE;
	x->again = false;
	return ask(x, PVIRQ_XENSTORE_BEGIN, "", 1);
}

/* Takes the order, if there is one, and ends the transaction. */
static int take_order(struct pvirq_xenstore *x)
{
	bool order = x->taken != PVIRQ_ORDER_NONE;
	int err = order ? send(x, PVIRQ_XENSTORE_WRITE, NODE, sizeof(NODE)) : 0;

	return err ?: ask(x, PVIRQ_XENSTORE_END, order ? "T" : "F", 2);
}

static bool is_eagain(u32 type, const char *word, u32 len)
{
	static const char eagain[] = "EAGAIN";

	return type == PVIRQ_XENSTORE_ERROR && len >= strlen(eagain) &&
	       !memcmp(word, eagain, strlen(eagain));
}

/* The answer that was awaited. */
static int go_on(struct pvirq_xenstore *x, u32 type, const char *word, u32 len,
		 enum pvirq_order *order)
{
	if (type != x->awaited && type != PVIRQ_XENSTORE_ERROR)
		return -EPROTO;
	switch (x->awaited) {
	case PVIRQ_XENSTORE_BEGIN:
		if (type == PVIRQ_XENSTORE_ERROR)
			break;
		x->transaction = number_of(word, len);
		if (!x->transaction)
			return -EPROTO;
		return ask(x, PVIRQ_XENSTORE_READ, NODE, sizeof(NODE));
	case PVIRQ_XENSTORE_READ:
		/* An error: there is no such node. */
		x->taken = type == PVIRQ_XENSTORE_READ ? order_of(word, len) : PVIRQ_ORDER_NONE;
		return take_order(x);
	case PVIRQ_XENSTORE_END:
		if (type == PVIRQ_XENSTORE_END)
			*order = x->taken;
		x->again |= is_eagain(type, word, len);
		break;
	}
	x->awaited = 0;
	return 0;
}

static int step(struct pvirq_xenstore *x, enum pvirq_order *order)
{
	struct pvirq_xenstore_head head;
	char word[16];
	int err = room(x->page, READ_ONCE(x->page->req_prod));

	/* An answer is two requests at most. */
	if (err < (int)(2 * REQUEST_MAX))
		return min(err, 0);
	/* What was written there beside an order, which has been carried out by now. */
	if (x->again && !x->awaited)
		return begin(x) ?: 1;
	err = take(x->page, &head, word, sizeof(word));
	if (err <= 0)
		return err;
	err = 0;
	if (head.type == PVIRQ_XENSTORE_WATCH_EVENT) {
		x->again = true;
	} else if (x->awaited && head.req_id == x->awaited_id) {
		err = go_on(x, head.type, word, min_t(u32, head.len, sizeof(word)), order);
	} else if (x->awaited == PVIRQ_XENSTORE_END && head.req_id == x->awaited_id - 1 &&
		   head.type == PVIRQ_XENSTORE_ERROR) {
		/* It could not be taken: not ours to carry out. */
		x->taken = PVIRQ_ORDER_NONE;
	} else if (head.type == PVIRQ_XENSTORE_BEGIN) {
		/* Of a connection before this one, which did not see it come. */
		err = drop(x, number_of(word, min_t(u32, head.len, sizeof(word))));
	}
	/* An order may be the end of this connection, and nobody would end the transaction. */
	if (!err && x->again && !x->awaited && *order == PVIRQ_ORDER_NONE)
		err = begin(x);
	return err ?: 1;
}

int pvirq_xenstore_step(struct pvirq_xenstore *x, enum pvirq_order *order)
{
	int got = x->wrong ?: step(x, order);

	x->wrong = min(got, 0);
	return got;
}
