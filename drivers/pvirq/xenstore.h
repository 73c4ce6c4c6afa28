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
 * pvirq_xenstore_watch() - ask to be told of orders, or no longer
 * @page: shared with the host, who is to be notified then
 * @on: whether
 *
 * Where somebody has asked before, in this domain, xenstore says so, which does not matter.
 *
 * Return: 0; -ENOSPC where the ring is full; -EPROTO where its indexes make no sense
 */
int pvirq_xenstore_watch(struct pvirq_xenstore_page *page, bool on);

/**
 * pvirq_xenstore_step() - take one message, and answer it
 * @page: as above
 * @taken: an order that was read, and is being answered; none in the beginning
 * @order: set to the order that is to be carried out, if there is one now
 *
 * Return: 1 if there was a message, 0 if there is none as yet, or an error, as above: then there is
 * nothing that could be done with this page any more.
 */
int pvirq_xenstore_step(struct pvirq_xenstore_page *page, enum pvirq_order *taken,
			enum pvirq_order *order);

#endif
