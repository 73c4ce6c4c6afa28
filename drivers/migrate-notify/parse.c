// SPDX-License-Identifier: GPL-2.0-only
/* What hosts hand us: a line of text, a vmclock page, KVM's clock (pure). */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/byteorder.h>

#include <migrate-notify/featdiff.h>
#include <migrate-notify/parse.h>

#define NSEC_PER_MS	1000000ULL
/* More milliseconds than any of the times that we are told can mean. */
#define MS_MAX		1000000000ULL

#define VMCLOCK_MAGIC	0x4b4c4356	/* "VCLK" */
#define VMCLOCK_VERSION	1

struct cursor {
	const char *p, *end;
};

struct word {
	const char *p;
	size_t len;
};

/* The next word; empty at the end. Two spaces make an empty word, which nobody takes. */
static struct word next_word(struct cursor *c)
{
	struct word w = { .p = c->p };

	while (c->p < c->end && *c->p != ' ')
		c->p++;
	w.len = c->p - w.p;
	if (c->p < c->end && c->p + 1 < c->end)
		c->p++;
	return w;
}

static bool at_end(const struct cursor *c)
{
	return c->p == c->end;
}

static bool word_is(struct word w, const char *text)
{
	return w.len == strlen(text) && !memcmp(w.p, text, w.len);
}

static int word_number(struct word w, u64 max, u64 *out)
{
	u64 n = 0;
	size_t i;

	if (!w.len)
		return -EINVAL;
	for (i = 0; i < w.len; i++) {
		u32 digit = w.p[i] - '0';

		if (digit > 9 || n > div_u64(max - digit, 10))
			return -EINVAL;
		n = n * 10 + digit;
	}
	*out = n;
	return 0;
}

static int word_ms(struct word w, u64 *ns)
{
	int err = word_number(w, MS_MAX, ns);

	*ns *= NSEC_PER_MS;
	return err;
}

static int parse_prepare(struct mn_request *rq, struct cursor *c)
{
	int err = word_ms(next_word(c), &rq->timeout_ns);

	while (!err && !at_end(c)) {
		struct word w = next_word(c);
		int nr;

		if (w.len < 2 || (*w.p != '+' && *w.p != '-'))
			return -EINVAL;
		nr = mn_feature_find(w.p + 1, w.len - 1);
		if (nr >= 0)
			mn_words_set(*w.p == '+' ? rq->expect_added : rq->expect_removed, nr);
	}
	return err;
}

static int parse_complete(struct mn_request *rq, struct cursor *c)
{
	struct word w = next_word(c);

	if (word_is(w, "success"))
		rq->status = MIGRATE_NOTIFY_SUCCESS;
	else if (word_is(w, "cancelled"))
		rq->status = MIGRATE_NOTIFY_CANCELLED;
	else if (word_is(w, "failed"))
		rq->status = MIGRATE_NOTIFY_FAILED;
	else if (word_is(w, "unknown"))
		rq->status = MIGRATE_NOTIFY_UNKNOWN;
	else
		return -EINVAL;
	return at_end(c) ? 0 : word_ms(next_word(c), &rq->downtime_ns);
}

int mn_request_parse(struct mn_request *rq, const char *text, size_t len)
{
	u16 source = rq->source;
	struct cursor c;
	struct word verb;
	int err;

	memset(rq, 0, sizeof(*rq));
	rq->source = source;
	if (len > MN_REQUEST_MAX)
		return -EINVAL;
	if (len && text[len - 1] == '\n')
		len--;
	c.p = text;
	c.end = text + len;

	verb = next_word(&c);
	if (word_number(next_word(&c), MN_OP_OURS - 1, &rq->op_id) || !rq->op_id)
		return -EINVAL;
	if (word_is(verb, "prepare")) {
		rq->action = MIGRATE_NOTIFY_INJECT_PREPARE;
		err = parse_prepare(rq, &c);
	} else if (word_is(verb, "moving")) {
		rq->action = MIGRATE_NOTIFY_INJECT_MOVING;
		err = 0;
	} else if (word_is(verb, "complete")) {
		rq->action = MIGRATE_NOTIFY_INJECT_COMPLETE;
		err = parse_complete(rq, &c);
	} else {
		return -EINVAL;
	}
	return err ?: at_end(&c) ? 0 : -EINVAL;
}

int mn_vmclock_parse(const struct mn_vmclock *head, u64 *marker)
{
	if (__le32_to_cpu(head->magic) != VMCLOCK_MAGIC ||
	    __le32_to_cpu(head->size) < sizeof(*head) ||
	    __le16_to_cpu(head->version) != VMCLOCK_VERSION)
		return -EINVAL;
	if (__le32_to_cpu(head->seq) & 1)
		return -EAGAIN;
	*marker = __le64_to_cpu(head->marker);
	return 0;
}

static bool sane(const struct mn_pvclock *c)
{
	return c->mul && c->shift > -32 && c->shift < 32;
}

static u64 clock_ns(const struct mn_pvclock *c, u64 tsc)
{
	u64 delta = tsc - c->tsc;

	delta = c->shift < 0 ? delta >> -c->shift : delta << c->shift;
	return c->ns + mul_u64_u32_shr(delta, c->mul, 32);
}

s64 mn_pvclock_step(const struct mn_pvclock *before, const struct mn_pvclock *after, u64 tsc)
{
	if (before->version == after->version || !sane(before) || !sane(after))
		return 0;
	return clock_ns(after, tsc) - clock_ns(before, tsc);
}

bool mn_pvclock_moved(const struct mn_pvclock *before, const struct mn_pvclock *after, u64 tsc,
		      bool disturbed)
{
	s64 step = mn_pvclock_step(before, after, tsc);
	u64 drift = MN_PVCLOCK_DRIFT_NS;

	if (!step)
		return false;
	if (!disturbed)
		drift = min(div_u64(clock_ns(before, tsc) - before->ns, 1000000), drift);
	return (step < 0 ? -(u64)step : step) >= MN_PVCLOCK_STEP_NS + drift;
}
