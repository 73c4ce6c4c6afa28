// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that knows us (Documentation/abi/host-abi.txt): a page that both write to, an interrupt
 * for us, an MSR for it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cc_platform.h>
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>

#include <asm/barrier.h>
#include <asm/msr.h>

#include <hybrid/host.h>
#include <hybrid/hybrid.h>
#include <migrate-notify/answer.h>
#include <migrate-notify/parse.h>

#include "internal.h"

#define COPY_TRIES	10

static_assert(HYBRID_NOTICE_REQUEST_MAX <= MN_REQUEST_MAX);
static_assert(MN_ANSWER_MAX <= HYBRID_NOTICE_ANSWER_MAX);

static struct hybrid_notice *page;	/* the host may write to all of it, at any moment */
static u32 first_msr;
static bool registered;
static bool told;			/* of the page, once at least */

/*
 * Forgotten, and to stay so: another kernel is to have the memory. What hybrid decides meanwhile
 * must not register the page again. Under the mutex, as all that does register it.
 */
static bool away;
static DEFINE_MUTEX(host_mutex);

/* Ours, whatever the page says; of the work, and under the lock. */
static u32 taken;
static u32 answer_seq;
static struct mn_answers answers;
static DEFINE_SPINLOCK(answer_lock);

/* Under the answers' lock. */
static void write_answer(void)
{
	size_t len = strlen(answers.text);

	WRITE_ONCE(page->answer_seq, ++answer_seq);
	virt_wmb();	/* pairs with the host's reads, in the other order */
	memcpy(page->answer, answers.text, len);
	WRITE_ONCE(page->answer_len, len);
	virt_wmb();	/* as above */
	WRITE_ONCE(page->answer_seq, ++answer_seq);
	/* Where it is not taken, the host is gone, and with it who asked. */
	wrmsrl_safe(first_msr + HYBRID_HOST_MSR_KICK, HYBRID_HOST_KICK_NOTICE);
}

static void host_answer(const struct migrate_notify_event *e)
{
	spin_lock(&answer_lock);
	mn_answer_event(&answers, e);
	write_answer();
	spin_unlock(&answer_lock);
}

static void answer_error(u64 op_id, int err)
{
	bool active = err == -EALREADY && mn_core_active(op_id);

	spin_lock(&answer_lock);
	if (mn_answer_error(&answers, op_id, err, active))
		write_answer();
	spin_unlock(&answer_lock);
}

/* What the host has written, once, whole; its number in @seq. */
static int copy_request(char *text, u32 *len, u32 *seq)
{
	unsigned int tries;

	for (tries = 0; tries < COPY_TRIES; tries++) {
		*seq = READ_ONCE(page->seq);
		virt_rmb();	/* pairs with the host's writes, in the other order */
		*len = READ_ONCE(page->request_len);
		memcpy(text, page->request, min_t(u32, *len, HYBRID_NOTICE_REQUEST_MAX));
		virt_rmb();	/* as above */
		if (!(*seq & 1) && READ_ONCE(page->seq) == *seq)
			return *len <= HYBRID_NOTICE_REQUEST_MAX ? 0 : -EINVAL;
	}
	return -EAGAIN;
}

static void take_request(struct work_struct *work)
{
	static char text[HYBRID_NOTICE_REQUEST_MAX];	/* one work at a time */
	struct mn_request rq = { .source = MIGRATE_NOTIFY_SOURCE_HOST };
	u32 len, seq;
	u64 op_id;
	int err = copy_request(text, &len, &seq);

	/* It interrupts again when it has written; and why it does for what we had is its affair. */
	if (err == -EAGAIN || seq == taken)
		return;
	taken = seq;
	if (!err)
		err = mn_request_parse(&rq, text, len);
	WRITE_ONCE(page->taken, seq);
	/* As the host named it: the core may know the operation by a number of ours. */
	op_id = rq.op_id;
	if (!err)
		err = mn_core_request(&rq);
	if (err)
		answer_error(op_id, err);
}

static DECLARE_WORK(request_work, take_request);

static irqreturn_t noticed(int irq, void *arg)
{
	queue_work(system_highpri_wq, &request_work);
	return IRQ_HANDLED;
}

static void moved(u64 word)
{
	if (READ_ONCE(registered))
		wrmsrl_safe(first_msr + HYBRID_HOST_MSR_NOTICE_IRQ, word);
}

static struct hybrid_host_irq host_irq = { .moved = moved };

/* Fails where the host may go on to write into the page. */
static int forget(void)
{
	int err = 0;

	mutex_lock(&host_mutex);
	away = true;
	if (first_msr) {
		WRITE_ONCE(registered, false);
		err = wrmsrl_safe(first_msr + HYBRID_HOST_MSR_NOTICE, 0);
		wrmsrl_safe(first_msr + HYBRID_HOST_MSR_NOTICE_IRQ, 0);
	}
	mutex_unlock(&host_mutex);
	return told ? err : 0;
}

static int register_page(const struct hybrid_host *host)
{
	u64 want = virt_to_phys(page) | HYBRID_HOST_ENABLE, value, word;
	int err;

	if (!(host->features & HYBRID_HOST_F_NOTICE))
		return -ENODEV;
	first_msr = host->msr;
	WRITE_ONCE(registered, true);
	do {	/* it may be moved meanwhile */
		word = hybrid_host_irq_word(&host_irq);
		err = wrmsrl_safe(first_msr + HYBRID_HOST_MSR_NOTICE_IRQ, word);
	} while (!err && word != hybrid_host_irq_word(&host_irq));
	if (!err)
		err = rdmsrl_safe(first_msr + HYBRID_HOST_MSR_NOTICE, &value);
	if (!err && value != want)
		err = wrmsrl_safe(first_msr + HYBRID_HOST_MSR_NOTICE, want);
	if (err)
		WRITE_ONCE(registered, false);
	else
		told = true;
	return err;
}

/* May find that the host knows us already, or not any more. */
static int tell_host(const struct hybrid_host *host)
{
	int err;

	mutex_lock(&host_mutex);
	err = away ? -EAGAIN : register_page(host);
	mutex_unlock(&host_mutex);
	return err;
}

static int get_host(struct hybrid_host *host)
{
	struct hybrid_state *s = kmalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	hybrid_state_get(s);
	*host = s->caps.host;
	kfree(s);
	return 0;
}

/* After a migration: the new host may not have been told of us. */
static int decided(struct notifier_block *nb, unsigned long event, void *state)
{
	const struct hybrid_state *s = state;

	tell_host(&s->caps.host);
	return NOTIFY_DONE;
}

static struct notifier_block hybrid_nb = { .notifier_call = decided };

/* A host must not write into what is not this kernel's memory any more, or not yet again. */
static int power_changed(struct notifier_block *nb, unsigned long action, void *unused)
{
	struct hybrid_host host;

	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		forget();
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		mutex_lock(&host_mutex);
		away = false;
		mutex_unlock(&host_mutex);
		if (!get_host(&host))
			tell_host(&host);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block power_nb = { .notifier_call = power_changed };

/* kexec as well */
static int rebooting(struct notifier_block *nb, unsigned long action, void *unused)
{
	forget();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_nb = { .notifier_call = rebooting };

static void give_back(void)
{
	int err = forget();

	hybrid_host_irq_free(&host_irq);
	cancel_work_sync(&request_work);
	if (err)
		pr_warn("the host does not give our page back, which is lost\n");
	else
		free_page((unsigned long)page);
}

static void host_stop(void)
{
	unregister_reboot_notifier(&reboot_nb);
	unregister_pm_notifier(&power_nb);
	hybrid_notifier_unregister(&hybrid_nb);
	give_back();
}

static int host_start(void)
{
	struct hybrid_host host;
	int err = get_host(&host);

	if (err)
		return err;
	/* The host could not read an encrypted guest's memory. */
	if (!(host.features & HYBRID_HOST_F_NOTICE) || cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return -ENODEV;
	page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	err = hybrid_host_irq_request(&host_irq, noticed, 0, "migrate-notify");
	if (err) {
		free_page((unsigned long)page);
		return err;
	}
	err = tell_host(&host);
	if (err) {
		give_back();
		return err;
	}
	hybrid_notifier_register(&hybrid_nb);
	/* What it decided since we looked nobody has told us. */
	if (!get_host(&host))
		tell_host(&host);
	register_pm_notifier(&power_nb);
	register_reboot_notifier(&reboot_nb);
	return 0;
}

const struct mn_source mn_source_host = {
	.id	= MIGRATE_NOTIFY_SOURCE_HOST,
	.name	= "host",
	.can	= MIGRATE_NOTIFY_CAN_PREPARE | MIGRATE_NOTIFY_CAN_DELAY |
		  MIGRATE_NOTIFY_CAN_NOTIFY | MIGRATE_NOTIFY_CAN_CANCEL,
	.start	= host_start,
	.stop	= host_stop,
	.answer	= host_answer,
};
