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
static enum pvirq_order taken, order;

/* Where the rings' indexes begin; they wrap around, and so does what is in the rings. */
static void start_at(u32 at)
{
	memset(&page, 0, sizeof(page));
	page.req_cons = page.req_prod = page.rsp_cons = page.rsp_prod = at;
	taken = order = PVIRQ_ORDER_NONE;
}

static void put(const void *from, u32 len)
{
	const u8 *bytes = from;

	while (len--)
		page.rsp[page.rsp_prod++ % RING] = *bytes++;
}

static void says(u32 type, const char *payload, u32 len)
{
	struct pvirq_xenstore_head head = { .type = type, .len = len };

	put(&head, sizeof(head));
	put(payload, len);
}

static void hears(struct kunit *test, u32 type, const char *payload, u32 len)
{
	struct pvirq_xenstore_head head;
	static u8 whole[RING];
	u32 i;

	KUNIT_ASSERT_EQ(test, page.req_prod - page.req_cons, HEAD + len);
	for (i = 0; i < HEAD + len; i++)
		whole[i] = page.req[page.req_cons++ % RING];
	memcpy(&head, whole, sizeof(head));
	KUNIT_EXPECT_EQ(test, head.type, type);
	KUNIT_EXPECT_EQ(test, head.tx_id, 0);
	KUNIT_EXPECT_EQ(test, head.len, len);
	KUNIT_EXPECT_EQ(test, memcmp(whole + HEAD, payload, len), 0);
}

static void step(struct kunit *test, int want)
{
	KUNIT_ASSERT_EQ(test, pvirq_xenstore_step(&page, &taken, &order), want);
}

#define NODE		"control/shutdown"
#define WATCHED		NODE "\0pvirq"
#define EVENT()		says(PVIRQ_XENSTORE_WATCH_EVENT, WATCHED, sizeof(WATCHED))

static void event(struct kunit *test)
{
	EVENT();
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_READ, NODE, sizeof(NODE));
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
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			start_at(starts[s]);
			KUNIT_ASSERT_EQ(test, pvirq_xenstore_watch(&page, true), 0);
			hears(test, PVIRQ_XENSTORE_WATCH, WATCHED, sizeof(WATCHED));
			says(PVIRQ_XENSTORE_WATCH, "OK", 3);
			step(test, 1);
			event(test);
			says(PVIRQ_XENSTORE_READ, cases[i].word, strlen(cases[i].word));
			step(test, 1);
			KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
			hears(test, PVIRQ_XENSTORE_WRITE, NODE, sizeof(NODE));
			says(PVIRQ_XENSTORE_WRITE, "OK", 3);
			step(test, 1);
			KUNIT_EXPECT_EQ(test, order, cases[i].order);
			step(test, 0);
		}
	}
}

/* What is written in its place is told as well; and two who tell of one order. */
static void an_order_is_carried_out_once(struct kunit *test)
{
	start_at(7);
	event(test);
	event(test);
	says(PVIRQ_XENSTORE_READ, "suspend", 7);
	says(PVIRQ_XENSTORE_READ, "suspend", 7);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_WRITE, NODE, sizeof(NODE));
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_WRITE, NODE, sizeof(NODE));
	EVENT();
	says(PVIRQ_XENSTORE_WRITE, "OK", 3);
	step(test, 1);
	hears(test, PVIRQ_XENSTORE_READ, NODE, sizeof(NODE));
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_SUSPEND);
	says(PVIRQ_XENSTORE_WRITE, "OK", 3);
	says(PVIRQ_XENSTORE_READ, "", 0);
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
	step(test, 1);
	step(test, 0);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
}

static void what_is_no_order_is_left_alone(struct kunit *test)
{
	static const char *const words[] = {
		"", "suspen", "suspend ", "suspendsuspendsuspend", "crash", "SUSPEND",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		start_at(RING - 20);
		event(test);
		says(PVIRQ_XENSTORE_READ, words[i], strlen(words[i]));
		step(test, 1);
		KUNIT_EXPECT_EQ(test, page.req_prod, page.req_cons);
	}
	/* There is no such node; and the answer was refused. */
	event(test);
	says(PVIRQ_XENSTORE_ERROR, "ENOENT", 7);
	step(test, 1);
	event(test);
	says(PVIRQ_XENSTORE_READ, "suspend", 7);
	says(PVIRQ_XENSTORE_ERROR, "EACCES", 7);
	step(test, 1);
	step(test, 1);
	says(PVIRQ_XENSTORE_WRITE, "OK", 3);
	step(test, 1);
	KUNIT_EXPECT_EQ(test, order, PVIRQ_ORDER_NONE);
}

static void a_message_is_taken_whole(struct kunit *test)
{
	static struct pvirq_xenstore_page all;
	u32 end;

	start_at(1000);
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

		start_at(3);
		put(&head, sizeof(head));
		page.rsp_prod = page.rsp_cons + RING;
		step(test, -EPROTO);
	}
	/* As long as it can be. */
	start_at(3);
	says(99, (const char *)page.req, RING - HEAD);
	step(test, 1);
	KUNIT_EXPECT_EQ(test, page.rsp_prod, page.rsp_cons);

	start_at(3);
	page.rsp_prod += RING + 1;
	step(test, -EPROTO);
	page.rsp_prod = page.rsp_cons - 1;
	step(test, -EPROTO);

	start_at(3);
	page.req_cons++;
	KUNIT_EXPECT_EQ(test, pvirq_xenstore_watch(&page, false), -EPROTO);
	page.req_cons = page.req_prod - RING + 30;
	KUNIT_EXPECT_EQ(test, pvirq_xenstore_watch(&page, false), -ENOSPC);
	page.req_cons = page.req_prod - RING + HEAD + sizeof(WATCHED);
	KUNIT_EXPECT_EQ(test, pvirq_xenstore_watch(&page, false), 0);
	EVENT();
	step(test, -ENOSPC);
}

static struct kunit_case pvirq_xenstore_cases[] = {
	KUNIT_CASE(an_order_is_taken_and_carried_out),
	KUNIT_CASE(an_order_is_carried_out_once),
	KUNIT_CASE(what_is_no_order_is_left_alone),
	KUNIT_CASE(a_message_is_taken_whole),
	KUNIT_CASE(a_hostile_page_is_refused),
	{}
};

struct kunit_suite pvirq_xenstore_suite = {
	.name = "pvirq_xenstore",
	.test_cases = pvirq_xenstore_cases,
};
