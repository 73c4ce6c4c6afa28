// SPDX-License-Identifier: GPL-2.0-only
/* One module parameter per operation. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "internal.h"

/* Indexed by operation; written under the kernel's parameter lock only. */
static enum hybrid_want want[HYBRID_OP_NR];

static int want_set(const char *val, const struct kernel_param *kp)
{
	enum hybrid_want *w = kp->arg;
	enum hybrid_want before = *w;
	enum hybrid_want parsed;
	int err;

	err = hybrid_policy_parse(w - want, val, &parsed);
	if (err) {
		size_t len = strlen(val);

		if (len && val[len - 1] == '\n')
			len--;
		/* Who knows what it holds: shorten it, escape what does not print. */
		pr_err("%s=\"%*pE\" is not one of: auto, %skernel\n", kp->name,
		       (int)min_t(size_t, len, 32), val,
		       w == &want[HYBRID_OP_IDLE] ? "poll, " : "");
		return err;
	}

	WRITE_ONCE(*w, parsed);
	err = hybrid_redecide();
	if (err)
		WRITE_ONCE(*w, before);
	return err;
}

static int want_get(char *buf, const struct kernel_param *kp)
{
	const enum hybrid_want *w = kp->arg;

	return sysfs_emit(buf, "%s\n", hybrid_want_name(READ_ONCE(*w)));
}

static const struct kernel_param_ops want_ops = {
	.set = want_set,
	.get = want_get,
};

#define PERCENT_MAX	10000
static unsigned int idle_poll_percent = 100;

static int percent_set(const char *val, const struct kernel_param *kp)
{
	unsigned int before = idle_poll_percent;
	int err;

	err = param_set_uint_minmax(val, kp, 0, PERCENT_MAX);
	if (err)
		return err;
	err = hybrid_redecide();
	if (err)
		WRITE_ONCE(idle_poll_percent, before);
	return err;
}

static const struct kernel_param_ops percent_ops = {
	.set = percent_set,
	.get = param_get_uint,
};

unsigned int hybrid_params_idle_percent(void)
{
	return READ_ONCE(idle_poll_percent);
}

void hybrid_params_get(struct hybrid_policy_params *out)
{
	unsigned int op;

	for (op = 0; op < HYBRID_OP_NR; op++)
		out->want[op] = READ_ONCE(want[op]);
}

module_param_cb(eoi, &want_ops, &want[HYBRID_OP_EOI], 0644);
MODULE_PARM_DESC(eoi, "End of interrupt: auto (default) or kernel (leave it to the kernel)");
module_param_cb(msi_mask, &want_ops, &want[HYBRID_OP_MSI_MASK], 0644);
MODULE_PARM_DESC(msi_mask, "Masking of MSI and MSI-X: auto (default) or kernel");
module_param_cb(msi_affinity, &want_ops, &want[HYBRID_OP_MSI_AFFINITY], 0644);
MODULE_PARM_DESC(msi_affinity, "Moving MSIs between CPUs: auto (default) or kernel");
module_param_cb(ipi, &want_ops, &want[HYBRID_OP_IPI], 0644);
MODULE_PARM_DESC(ipi, "Interrupts between CPUs: auto (default) or kernel");
module_param_cb(idle, &want_ops, &want[HYBRID_OP_IDLE], 0644);
MODULE_PARM_DESC(idle, "Idle CPUs: auto (default), poll (wherever it is safe) or kernel");
module_param_cb(timer, &want_ops, &want[HYBRID_OP_TIMER], 0644);
MODULE_PARM_DESC(timer, "Clock events: auto (default) or kernel");
module_param_cb(idle_poll_percent, &percent_ops, &idle_poll_percent, 0644);
MODULE_PARM_DESC(idle_poll_percent, "What a halt is taken to cost, in percent of what was measured: 0 (never poll) to 10000, default 100");
