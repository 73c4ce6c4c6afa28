// SPDX-License-Identifier: GPL-2.0-only
/* Orders of Xen's tools: a page that the host may fill as it likes. */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "../drivers/pvirq/xenstore.h"
#include "hybrid_suites.h"

#define RING	PVIRQ_XENSTORE_RING
#define HEAD	((u32)sizeof(struct pvirq_xenstore_head))

static struct pvirq_xenstore_page page;
static struct pvirq_xenstore x;
static enum pvirq_order order;
static u32 asked;		/* number of the last request */

static void put(const void *from, u32 len)
{
	const u8 *bytes = from;

	while (len--)
		page.rsp[page.rsp_prod++ % RING] = *bytes++;
}

static void answers(u32 id, u32 type, const char *payload, u32 len)
{
	struct pvirq_xenstore_head head = { .type = type, .req_id = id, .len = len };

	put(&head, sizeof(head));
	put(payload, len);
}

/* To the last request. */
static void says(u32 type, const char *payload, u32 len)
{
	answers(asked, type, payload, len);
}

static void hears(struct kunit *test, u32 type, u32 transaction, const char *payload, u32 len)
{
	struct pvirq_xenstore_head head;
	static u8 whole[RING];
	u32 i;

	KUNIT_ASSERT_LE(test, HEAD + len, page.req_prod - page.req_cons);
	for (i = 0; i < HEAD + len; i++)
		whole[i] = page.req[page.req_cons++ % RING];
	memcpy(&head, whole, sizeof(head));
	KUNIT_EXPECT_EQ(test, head.type, type);
	KUNIT_EXPECT_EQ(test, head.tx_id, transaction);
	KUNIT_EXPECT_EQ(test, head.len, len);
	KUNIT_EXPECT_EQ(test, memcmp(whole + HEAD, payload, len), 0);
	KUNIT_EXPECT_NE(test, head.req_id, asked);
	asked = head.req_id;
}

static void hears_nothing(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, page.req_prod, page.req_cons);
}

static void step(struct kunit *test, int want)
{
	order = PVIRQ_ORDER_NONE;
	KUNIT_ASSERT_EQ(test, pvirq_xenstore_step(&x, &order), want);
}

#define NODE		"control/shutdown"
#define WATCHED		NODE "\0pvirq"
#define EVENT()		answers(0, PVIRQ_XENSTORE_WATCH_EVENT, WATCHED, sizeof(WATCHED))
#define ERROR(word)	says(PVIRQ_XENSTORE_ERROR, word, sizeof(word))

static void begins(struct kunit *test)
{
	hears(test, PVIRQ_XENSTORE_BEGIN, 0, "", 1);
}

static void begins_at_event(struct kunit *test)
{
	EVENT();
	step(test, 1);
	begins(test);
}

static void opens(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, pvirq_xenstore_open(&x, &page), 0);
	hears(test, PVIRQ_XENSTORE_WATCH, 0, WATCHED, sizeof(WATCHED));
}

/* Where the rings' indexes begin; they wrap around, and so does what is in the rings. */
static void start_at(struct kunit *test, u32 at)
{
	memset(&page, 0, sizeof(page));
	page.req_cons = page.req_prod = page.rsp_cons = page.rsp_prod = at;
	opens(test);
	says(PVIRQ_XENSTORE_WATCH, "OK", 3);
	step(test, 1);
	hears_nothing(test);
}

/* From an event to what is read there. */
static void looks(struct kunit *test)
{
	begins_at_event(test);
	says(PVIRQ_XENSTORE_BEGIN, "27", 3);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_READ, 27, NODE, sizeof(NODE));
}

/* It takes the order; the answers are still to come. */
static u32 takes(struct kunit *test, const char *word)
{
	u32 write;

	says(PVIRQ_XENSTORE_READ, word, strlen(word));
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_WRITE, 27, NODE, sizeof(NODE));
	write = asked;
	hears(test, PVIRQ_XENSTORE_END, 27, "T", 2);
	return write;
}

static void leaves(struct kunit *test)
{
	hears(test, PVIRQ_XENSTORE_END, 27, "F", 2);
	says(PVIRQ_XENSTORE_END, "OK", 3);
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
	hears_nothing(test);
}

static void an_order_is_taken_and_carried_out(struct kunit *test)
{
	static const struct {
		const char *word;
		enum pvirq_order order;
	} cases[] = {
		{ "suspend", PVIRQ_ORDER_SUSPEND },
		{ "poweroff", PVIRQ_ORDER_POWEROFF },
		{ "halt", PVIRQ_ORDER_POWEROFF },
		{ "reboot", PVIRQ_ORDER_REBOOT },
	};
	static const u32 starts[] = { 0, RING - 3, 0u - 5 };
	unsigned int i, s;

	for (s = 0; s < ARRAY_SIZE(starts); s++) {
		start_at(test, starts[s]);
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			u32 write;

			looks(test);
			write = takes(test, cases[i].word);
			answers(write, PVIRQ_XENSTORE_WRITE, "OK", 3);
			step(test, 1);
			KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
			says(PVIRQ_XENSTORE_END, "OK", 3);
			step(test, 1);
			KUNIT_EXPECT_EQ(test, order, cases[i].order);
			hears_nothing(test);
			/* What was written in its place is told as well. */
			looks(test);
			says(PVIRQ_XENSTORE_READ, "", 0);
			step(test, 1);
			leaves(test);
			step(test, 0);
		}
	}
}

/* Whatever is told while it is busy, it looks once more, after it. */
static void one_transaction_at_a_time(struct kunit *test)
{
	start_at(test, 7);
	EVENT();
	begins_at_event(test);
	step(test, 1);
	hears_nothing(test);
	says(PVIRQ_XENSTORE_BEGIN, "27", 3);
	EVENT();
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_READ, 27, NODE, sizeof(NODE));
	step(test, 1);
	says(PVIRQ_XENSTORE_READ, "", 0);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_END, 27, "F", 2);
	says(PVIRQ_XENSTORE_END, "OK", 3);
	step(test, 1);
	begins(test);
	says(PVIRQ_XENSTORE_BEGIN, "27", 3);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_READ, 27, NODE, sizeof(NODE));
	says(PVIRQ_XENSTORE_READ, "no", 2);
	step(test, 1);
	leaves(test);
}

static void an_order_can_be_taken_back(struct kunit *test)
{
	u32 write;

	/* Just before it was taken: then all is looked at again. */
	start_at(test, 7);
	looks(test);
	write = takes(test, "suspend");
	answers(write, PVIRQ_XENSTORE_WRITE, "OK", 3);
	step(test, 1);
	ERROR("EAGAIN");
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
	begins(test);
	says(PVIRQ_XENSTORE_BEGIN, "27", 3);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_READ, 27, NODE, sizeof(NODE));
	says(PVIRQ_XENSTORE_READ, "", 0);
	step(test, 1);
	leaves(test);

	/* It cannot be taken; or the transaction cannot be ended. */
	looks(test);
	write = takes(test, "suspend");
	answers(write, PVIRQ_XENSTORE_ERROR, "EACCES", 7);
	says(PVIRQ_XENSTORE_END, "OK", 3);
	step(test, 1);
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
	looks(test);
	takes(test, "suspend");
	ERROR("EINVAL");
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
	hears_nothing(test);

	/* No transaction is to be had. */
	begins_at_event(test);
	ERROR("ENOSPC");
	step(test, 1);
	hears_nothing(test);
}

static void what_is_no_order_is_left_alone(struct kunit *test)
{
	static const char *const words[] = {
		"", "suspen", "suspend ", "suspendsuspendsuspend", "crash", "SUSPEND",
	};
	unsigned int i;

	start_at(test, RING - 20);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		looks(test);
		says(PVIRQ_XENSTORE_READ, words[i], strlen(words[i]));
		step(test, 1);
		leaves(test);
	}
	looks(test);
	ERROR("ENOENT");
	step(test, 1);
	leaves(test);
}

/* Answers to another connection's requests, which came late. */
static void each_connection_is_its_own(struct kunit *test)
{
	u32 old;

	start_at(test, 0);
	looks(test);
	old = asked;
	KUNIT_ASSERT_EQ(test, pvirq_xenstore_close(&x), 0);
	hears(test, PVIRQ_XENSTORE_END, 27, "F", 2);
	hears(test, PVIRQ_XENSTORE_UNWATCH, 0, WATCHED, sizeof(WATCHED));
	EVENT();		/* makes it look, which does no harm */
	opens(test);
	step(test, 1);
	begins(test);
	answers(old, PVIRQ_XENSTORE_READ, "suspend", 7);
	step(test, 1);
	hears_nothing(test);
	/* Somebody has asked for it before. */
	answers(asked - 1, PVIRQ_XENSTORE_ERROR, "EEXIST", 7);
	step(test, 1);
	says(PVIRQ_XENSTORE_BEGIN, "27", 3);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_READ, 27, NODE, sizeof(NODE));
}

/* Nobody else would end them: what was being begun; and what an event asks for beside an order. */
static void no_transaction_is_left(struct kunit *test)
{
	u32 old;

	start_at(test, 0);
	begins_at_event(test);
	old = asked;
	KUNIT_ASSERT_EQ(test, pvirq_xenstore_close(&x), 0);
	hears(test, PVIRQ_XENSTORE_UNWATCH, 0, WATCHED, sizeof(WATCHED));
	opens(test);
	answers(old, PVIRQ_XENSTORE_BEGIN, "31", 3);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_END, 31, "F", 2);
	says(PVIRQ_XENSTORE_END, "OK", 3);
	step(test, 1);

	looks(test);
	takes(test, "suspend");
	EVENT();
	step(test, 1);
	says(PVIRQ_XENSTORE_END, "OK", 3);
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_SUSPEND);
	hears_nothing(test);
	step(test, 1);
	begins(test);
}

static void a_message_is_taken_whole(struct kunit *test)
{
	static struct pvirq_xenstore_page all;
	u32 end;

	start_at(test, 1000);
	EVENT();
	all = page;
	for (end = all.rsp_cons; end != all.rsp_prod; end++) {
		page = all;
		page.rsp_prod = end;
		step(test, 0);
		KUNIT_EXPECT_EQ(test, page.rsp_cons, all.rsp_cons);
	}
}

static void a_hostile_page_is_refused(struct kunit *test)
{
	static const u32 lengths[] = { RING - HEAD + 1, RING, 4096, 0x7fffffff, 0u - HEAD, 0u - 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct pvirq_xenstore_head head = { .type = 15, .len = lengths[i] };

		start_at(test, 3);
		put(&head, sizeof(head));
		page.rsp_prod = page.rsp_cons + RING;
		step(test, -EPROTO);
	}
	/* As long as it can be. */
	start_at(test, 3);
	says(99, (const char *)page.req, RING - HEAD);
	step(test, 1);
	KUNIT_EXPECT_EQ(test, page.rsp_prod, page.rsp_cons);

	page.rsp_prod += RING + 1;
	step(test, -EPROTO);
	start_at(test, 3);
	page.rsp_prod = page.rsp_cons - 1;
	step(test, -EPROTO);
	/* And is not believed when it makes sense again. */
	page.rsp_prod = page.rsp_cons;
	EVENT();
	step(test, -EPROTO);

	/* Answers that make no sense. */
	start_at(test, 3);
	begins_at_event(test);
	says(PVIRQ_XENSTORE_READ, "suspend", 7);
	step(test, -EPROTO);
	start_at(test, 3);
	begins_at_event(test);
	says(PVIRQ_XENSTORE_BEGIN, "x", 1);
	step(test, -EPROTO);
}

static void a_full_ring_waits(struct kunit *test)
{
	start_at(test, 3);
	EVENT();
	page.req_cons++;
	KUNIT_EXPECT_EQ(test, pvirq_xenstore_close(&x), -EPROTO);
	step(test, -EPROTO);
	start_at(test, 3);
	EVENT();
	page.req_cons = page.req_prod - RING + 30;
	KUNIT_EXPECT_EQ(test, pvirq_xenstore_close(&x), -ENOSPC);
	step(test, 0);
	page.req_cons = page.req_prod;
	step(test, 1);
	begins(test);
}

static struct kunit_case pvirq_xenstore_cases[] = {
	KUNIT_CASE(an_order_is_taken_and_carried_out),
	KUNIT_CASE(one_transaction_at_a_time),
	KUNIT_CASE(an_order_can_be_taken_back),
	KUNIT_CASE(what_is_no_order_is_left_alone),
	KUNIT_CASE(each_connection_is_its_own),
	KUNIT_CASE(no_transaction_is_left),
	KUNIT_CASE(a_message_is_taken_whole),
	KUNIT_CASE(a_hostile_page_is_refused),
	KUNIT_CASE(a_full_ring_waits),
	{}
};

struct kunit_suite pvirq_xenstore_suite = {
	.name = "pvirq_xenstore",
	.test_cases = pvirq_xenstore_cases,
};
