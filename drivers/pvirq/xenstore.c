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
#define TOKEN	"pvirq"

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

static int send(struct pvirq_xenstore_page *page, u32 type, const char *payload, u32 len)
{
	const struct pvirq_xenstore_head head = { .type = type, .len = len };
	u32 prod = READ_ONCE(page->req_prod);
	u32 used = prod - READ_ONCE(page->req_cons);

	if (used > PVIRQ_XENSTORE_RING)
		return -EPROTO;
	if (PVIRQ_XENSTORE_RING - used < sizeof(head) + len)
		return -ENOSPC;
	/* What is overwritten has been read; what is announced has been written. */
	virt_mb();
	copy_in(page->req, prod, &head, sizeof(head));
	copy_in(page->req, prod + sizeof(head), payload, len);
	virt_wmb();
	WRITE_ONCE(page->req_prod, prod + (u32)sizeof(head) + len);
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
	/* Nothing that we asked for is longer than the ring. */
	if (head->len > PVIRQ_XENSTORE_RING - sizeof(*head))
		return -EPROTO;
	if (have < sizeof(*head) + head->len)
		return 0;
	copy_out(payload, page->rsp, cons + sizeof(*head), min(head->len, max));
	virt_mb();
	WRITE_ONCE(page->rsp_cons, cons + (u32)sizeof(*head) + head->len);
	return 1;
}

int pvirq_xenstore_watch(struct pvirq_xenstore_page *page, bool on)
{
	static const char what[] = NODE "\0" TOKEN;

	return send(page, on ? PVIRQ_XENSTORE_WATCH : PVIRQ_XENSTORE_UNWATCH, what, sizeof(what));
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

int pvirq_xenstore_step(struct pvirq_xenstore_page *page, enum pvirq_order *taken,
			enum pvirq_order *order)
{
	struct pvirq_xenstore_head head;
	char word[16];
	int err = take(page, &head, word, sizeof(word));

	if (err <= 0)
		return err;
	err = 0;
	switch (head.type) {
	case PVIRQ_XENSTORE_WATCH_EVENT:
		err = send(page, PVIRQ_XENSTORE_READ, NODE, sizeof(NODE));
		break;
	case PVIRQ_XENSTORE_READ:
		*taken = order_of(word, head.len);
		if (*taken != PVIRQ_ORDER_NONE)
			err = send(page, PVIRQ_XENSTORE_WRITE, NODE, sizeof(NODE));
		break;
	case PVIRQ_XENSTORE_WRITE:
		*order = *taken;
		*taken = PVIRQ_ORDER_NONE;
		break;
	case PVIRQ_XENSTORE_ERROR:
		/* There is no such node, or whoever gave the order has taken it back. */
		*taken = PVIRQ_ORDER_NONE;
		break;
	}
	return err ?: 1;
}
