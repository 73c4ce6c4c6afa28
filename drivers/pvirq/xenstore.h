/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Xen's tools ask of a guest, by one node of xenstore (pure).
 *
 * "control/shutdown", in the domain's own directory: they write "suspend", "poweroff", "halt" or
 * "reboot" there. The guest takes the order by writing nothing in its place, and then does it.
 * docs/misc/xenstore-paths.pandoc in Xen's source; libxl asks each HVM guest that has set an
 * interrupt for events, and gives up a save if it does not answer.
 *
 * Xenstore is reached by a page with a ring in each direction: xen/include/public/io/xs_wire.h. The
 * page belongs to the host as much as to us: each index is read once, each length is bounded.
 */
#ifndef PVIRQ_XENSTORE_H
#define PVIRQ_XENSTORE_H

#include <linux/types.h>

#define PVIRQ_XENSTORE_RING	1024

/* struct xenstore_domain_interface, without what is only for domains that may disconnect */
struct pvirq_xenstore_page {
	u8 req[PVIRQ_XENSTORE_RING];
	u8 rsp[PVIRQ_XENSTORE_RING];
	u32 req_cons, req_prod;
	u32 rsp_cons, rsp_prod;
};

/* struct xsd_sockmsg */
struct pvirq_xenstore_head {
	u32 type, req_id, tx_id, len;
};

/* enum xsd_sockmsg_type */
#define PVIRQ_XENSTORE_READ		2
#define PVIRQ_XENSTORE_WATCH		4
#define PVIRQ_XENSTORE_UNWATCH		5
#define PVIRQ_XENSTORE_BEGIN		6	/* XS_TRANSACTION_START */
#define PVIRQ_XENSTORE_END		7	/* XS_TRANSACTION_END */
#define PVIRQ_XENSTORE_WRITE		11
#define PVIRQ_XENSTORE_WATCH_EVENT	15
#define PVIRQ_XENSTORE_ERROR		16

enum pvirq_order {
	PVIRQ_ORDER_NONE,
	PVIRQ_ORDER_SUSPEND,
	PVIRQ_ORDER_POWEROFF,
	PVIRQ_ORDER_REBOOT,
};

/**
 * struct pvirq_xenstore - one connection after the other
 * @page: shared with the host, who is to be notified of requests, and of room for answers
 * @id: of the last request
 * @awaited: the request whose answer goes on with an order, by type; 0 for none
 * @awaited_id: its number; answers to others, perhaps of a connection before, are left alone
 * @transaction: in which an order is read and taken, so that it cannot be taken back unnoticed; or 0
 * @taken: the order that is being taken
 * @again: something has been written there since it was looked at
 * @wrong: the page made no sense, by an error; this connection believes nothing of it any more
 */
struct pvirq_xenstore {
	struct pvirq_xenstore_page *page;
	u32 id;
	u32 awaited;
	u32 awaited_id;
	u32 transaction;
	enum pvirq_order taken;
	bool again;
	int wrong;
};

/**
 * pvirq_xenstore_open() - ask to be told of orders
 * @x: zeroes the first time
 * @page: the first time, answers that are in it are forgotten
 *
 * Where somebody has asked before, in this domain, xenstore says so, which does not matter.
 *
 * Return: 0; -ENOSPC where the ring is full; -EPROTO where its indexes make no sense
 */
int pvirq_xenstore_open(struct pvirq_xenstore *x, struct pvirq_xenstore_page *page);

/* No longer. Returns as pvirq_xenstore_open(). */
int pvirq_xenstore_close(struct pvirq_xenstore *x);

/**
 * pvirq_xenstore_step() - take one message, and answer it
 * @order: set to the order that is to be carried out, if there is one now
 *
 * Return: 1 if there was a message; 0 if there is none as yet, or no room for the answer; -EPROTO
 * if the page makes no sense, and never will
 */
int pvirq_xenstore_step(struct pvirq_xenstore *x, enum pvirq_order *order);

#endif
