/* SPDX-License-Identifier: GPL-2.0-only */
/* An entry of the table that we share with the host, include/uapi/hybrid/host.h (pure). */
#ifndef PVIRQ_WORD_H
#define PVIRQ_WORD_H

#include <hybrid/host.h>

#include "message.h"

/**
 * pvirq_word_of() - where a message goes, as a guest word
 * @word: set on success only; VALID, not MASKED
 * @msg: its ctrl is not looked at
 *
 * Return: 0, or -EINVAL where it is no plain edge-triggered interrupt message of a vector that
 * interrupts may have, or names an entry itself.
 */
int pvirq_word_of(u64 *word, const struct pvirq_entry *msg);

/**
 * pvirq_word_message() - the message that goes there
 * @msg: filled in; its ctrl is 0
 * @word: VALID or not, MASKED or not
 * @tag: the entry that it names, 0: none
 */
void pvirq_word_message(struct pvirq_entry *msg, u64 word, u16 tag);

/**
 * pvirq_word_kick() - has the host to be told of a change?
 * @host: its word, read after the change was written; any value is safe
 * @old, @new: the guest's
 */
bool pvirq_word_kick(u64 host, u64 old, u64 new);

#endif
