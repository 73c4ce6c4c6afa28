/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MNH_HOST_H
#define MNH_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "../proto/msg.h"

/**
 * struct mnh_channel - how to talk to one guest
 * @port: path of the virtio-serial port's socket, or NULL: xenstore
 * @xenstore: path of xenstored's socket
 * @domid: of the guest
 */
struct mnh_channel {
	const char *port;
	const char *xenstore;
	unsigned int domid;
};

/**
 * mnh_ask() - say something until it is answered
 * @c: how
 * @ask: MN_MSG_PREPARE or MN_MSG_COMPLETE
 * @wanted: type of the answer that ends it: MN_MSG_READY, MN_MSG_COMPLETED
 * @silence_ms: give up if nothing at all comes for so long; -ENOTCONN
 * @timeout_ms: and altogether; -ETIMEDOUT
 * @answer: gets it
 * @stop: given up where this becomes true; -EINTR
 *
 * Says it again each second: the guest's end may not be there yet, or be a new one.
 * Return: 0; the errors above; -EREMOTEIO: the guest says that it cannot, why is in @answer's
 * text; others from the transport.
 */
int mnh_ask(const struct mnh_channel *c, const struct mn_msg *ask, enum mn_msg_type wanted,
	    int silence_ms, int timeout_ms, struct mn_msg *answer, const volatile bool *stop);

/*
 * The two transports: as mnh_ask(), without its choice.
 */
int mnh_port_ask(const struct mnh_channel *c, const struct mn_msg *ask, enum mn_msg_type wanted,
		 int silence_ms, int timeout_ms, struct mn_msg *answer,
		 const volatile bool *stop);
int mnh_xen_ask(const struct mnh_channel *c, const struct mn_msg *ask, enum mn_msg_type wanted,
		int silence_ms, int timeout_ms, struct mn_msg *answer, const volatile bool *stop);

/**
 * mnh_xen_decode() - the ack node's value, which is the guest's and may be anything
 *
 * Return: 0, or -EBADMSG.
 */
int mnh_xen_decode(const char *value, struct mn_msg *m);

/* The request node's value. Return: its length, or -EMSGSIZE. */
int mnh_xen_encode(const struct mn_msg *m, char *buf, unsigned int size);

#endif
