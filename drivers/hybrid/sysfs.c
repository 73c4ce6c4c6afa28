// SPDX-License-Identifier: GPL-2.0-only
/* /sys/module/hybrid/, as in Documentation/abi/sysfs-module-hybrid.txt. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/stringify.h>
#include <linux/sysfs.h>

#include "internal.h"

/* One file. @show gets a state of its own; @arg says which probe or operation it is about. */
struct state_attr {
	struct module_attribute attr;
	ssize_t (*show)(const struct hybrid_state *s, unsigned int arg, char *buf);
	unsigned int arg;
};

static ssize_t state_show(struct module_attribute *attr, struct module_kobject *mk, char *buf)
{
	const struct state_attr *a = container_of(attr, struct state_attr, attr);
	struct hybrid_state s;

	hybrid_state_get(&s);
	return a->show(&s, a->arg, buf);
}

#define STATE_ATTR(var, file, _show, _arg)						\
	static struct state_attr var = {						\
		.attr = { { .name = file, .mode = 0444 }, .show = state_show },		\
		.show = _show,								\
		.arg = _arg,								\
	}

/* platform */

static ssize_t hypervisor_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", hybrid_hv_name(s->caps.hv));
}

static ssize_t stack_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	int len = 0;
	u32 i;

	for (i = 0; i < s->caps.nr_layers; i++) {
		const struct hybrid_layer *l = &s->caps.layer[i];

		len += sysfs_emit_at(buf, len, "0x%08x 0x%08x %s %s\n", l->base, l->max,
				     hybrid_hv_name(l->hv), l->sig);
	}
	return len;
}

static ssize_t features_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	unsigned int f;
	int len = 0;

	for (f = 0; f < HYBRID_F_NR; f++)
		if (hybrid_has(&s->caps, f))
			len += sysfs_emit_at(buf, len, "%s\n", hybrid_feature_name(f));
	return len;
}

static ssize_t xen_version_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	u32 version = s->caps.xen_version;

	return version ? sysfs_emit(buf, "%u.%u\n", version >> 16, version & 0xffff) : 0;
}

static ssize_t host_abi_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", hybrid_host_state_name(s->caps.host.state));
}

static ssize_t generation_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", s->generation);
}

STATE_ATTR(hypervisor, "hypervisor", hypervisor_show, 0);
STATE_ATTR(stack, "stack", stack_show, 0);
STATE_ATTR(features, "features", features_show, 0);
STATE_ATTR(xen_version, "xen_version", xen_version_show, 0);
STATE_ATTR(host_abi, "host_abi", host_abi_show, 0);
STATE_ATTR(generation, "generation", generation_show, 0);

static struct attribute *platform_attrs[] = {
	&hypervisor.attr.attr,
	&stack.attr.attr,
	&features.attr.attr,
	&xen_version.attr.attr,
	&host_abi.attr.attr,
	&generation.attr.attr,
	NULL
};

static const struct attribute_group platform_group = {
	.name = "platform",
	.attrs = platform_attrs,
};

/* level */

static ssize_t estimate_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", s->level.level);
}

static ssize_t confidence_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", hybrid_confidence_name(s->level.confidence));
}

static ssize_t ratio_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%u.%u\n", s->level.ratio / 10, s->level.ratio % 10);
}

static ssize_t exits_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%d\n", s->level.exits);
}

STATE_ATTR(estimate, "estimate", estimate_show, 0);
STATE_ATTR(confidence, "confidence", confidence_show, 0);
STATE_ATTR(ratio, "ratio", ratio_show, 0);
STATE_ATTR(exits, "exits", exits_show, 0);

static struct attribute *level_attrs[] = {
	&estimate.attr.attr,
	&confidence.attr.attr,
	&ratio.attr.attr,
	&exits.attr.attr,
	NULL
};

static const struct attribute_group level_group = {
	.name = "level",
	.attrs = level_attrs,
};

/* cost */

static ssize_t probe_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", s->cost.ns[arg]);
}

static ssize_t exit_ns_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", s->cost.exit_ns);
}

STATE_ATTR(reference_ns, "reference_ns", probe_show, HYBRID_PROBE_REFERENCE);
STATE_ATTR(cpuid_ns, "cpuid_ns", probe_show, HYBRID_PROBE_CPUID);
STATE_ATTR(msr_ns, "msr_ns", probe_show, HYBRID_PROBE_MSR);
STATE_ATTR(pio_ns, "pio_ns", probe_show, HYBRID_PROBE_PIO);
STATE_ATTR(mmio_ns, "mmio_ns", probe_show, HYBRID_PROBE_MMIO);
STATE_ATTR(lapic_ns, "lapic_ns", probe_show, HYBRID_PROBE_LAPIC);
static ssize_t halt_ns_show(const struct hybrid_state *s, unsigned int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", s->cost.halt_ns);
}

STATE_ATTR(exit_ns, "exit_ns", exit_ns_show, 0);
STATE_ATTR(halt_ns, "halt_ns", halt_ns_show, 0);

static struct attribute *cost_attrs[] = {
	&reference_ns.attr.attr,
	&cpuid_ns.attr.attr,
	&msr_ns.attr.attr,
	&pio_ns.attr.attr,
	&mmio_ns.attr.attr,
	&lapic_ns.attr.attr,
	&exit_ns.attr.attr,
	&halt_ns.attr.attr,
	NULL
};

static const struct attribute_group cost_group = {
	.name = "cost",
	.attrs = cost_attrs,
};

/* One group per operation */

static ssize_t path_show(const struct hybrid_state *s, unsigned int op, char *buf)
{
	return sysfs_emit(buf, "%s\n", hybrid_path_name(s->policy.op[op].path));
}

static ssize_t reason_show(const struct hybrid_state *s, unsigned int op, char *buf)
{
	return sysfs_emit(buf, "%s\n", hybrid_reason_name(s->policy.op[op].why));
}

static ssize_t detail_show(const struct hybrid_state *s, unsigned int op, char *buf)
{
	return sysfs_emit(buf, "%s\n", hybrid_reason_text(op, s->policy.op[op].why));
}

static ssize_t done_show(const struct hybrid_state *s, unsigned int op, char *buf)
{
	return sysfs_emit(buf, "%llu\n", hybrid_count_sum(op, HYBRID_COUNT_DONE));
}

static ssize_t avoided_show(const struct hybrid_state *s, unsigned int op, char *buf)
{
	return sysfs_emit(buf, "%llu\n", hybrid_count_sum(op, HYBRID_COUNT_AVOIDED));
}

static ssize_t spurious_show(const struct hybrid_state *s, unsigned int op, char *buf)
{
	return sysfs_emit(buf, "%llu\n", hybrid_count_sum(op, HYBRID_COUNT_SPURIOUS));
}

static ssize_t idle_count_show(const struct hybrid_state *s, unsigned int what, char *buf)
{
	return sysfs_emit(buf, "%llu\n", hybrid_idle_count(what));
}

STATE_ATTR(idle_entries, "entries", idle_count_show, HYBRID_IDLE_ENTRIES);
STATE_ATTR(idle_polls_won, "polls_won", idle_count_show, HYBRID_IDLE_WON);
STATE_ATTR(idle_polls_lost, "polls_lost", idle_count_show, HYBRID_IDLE_LOST);
STATE_ATTR(idle_polled_ns, "polled_ns", idle_count_show, HYBRID_IDLE_POLLED);
STATE_ATTR(idle_halts, "halts", idle_count_show, HYBRID_IDLE_HALTS);
STATE_ATTR(idle_ipis_avoided, "ipis_avoided", idle_count_show, HYBRID_IDLE_IPIS);
STATE_ATTR(idle_upcalls_avoided, "upcalls_avoided", idle_count_show, HYBRID_IDLE_UPCALLS);

#define IDLE_ATTRS									\
	&idle_entries.attr.attr, &idle_polls_won.attr.attr, &idle_polls_lost.attr.attr,	\
	&idle_polled_ns.attr.attr, &idle_halts.attr.attr, &idle_ipis_avoided.attr.attr,	\
	&idle_upcalls_avoided.attr.attr,

#define OP_GROUP(_op, id, more)								\
	STATE_ATTR(_op##_path, "path", path_show, id);					\
	STATE_ATTR(_op##_reason, "reason", reason_show, id);				\
	STATE_ATTR(_op##_detail, "detail", detail_show, id);				\
	STATE_ATTR(_op##_done, "done", done_show, id);					\
	STATE_ATTR(_op##_avoided, "avoided", avoided_show, id);				\
	STATE_ATTR(_op##_spurious, "spurious", spurious_show, id);			\
	static struct attribute *_op##_attrs[] = {					\
		&_op##_path.attr.attr,							\
		&_op##_reason.attr.attr,						\
		&_op##_detail.attr.attr,						\
		&_op##_done.attr.attr,							\
		&_op##_avoided.attr.attr,						\
		&_op##_spurious.attr.attr,						\
		more									\
		NULL									\
	};										\
	static const struct attribute_group _op##_group = {				\
		.name = __stringify(_op),						\
		.attrs = _op##_attrs,							\
	}

OP_GROUP(eoi, HYBRID_OP_EOI,);
OP_GROUP(msi_mask, HYBRID_OP_MSI_MASK,);
OP_GROUP(msi_affinity, HYBRID_OP_MSI_AFFINITY,);
OP_GROUP(ipi, HYBRID_OP_IPI,);
OP_GROUP(idle, HYBRID_OP_IDLE, IDLE_ATTRS);
OP_GROUP(timer, HYBRID_OP_TIMER,);

/* refresh */

static ssize_t refresh_store(struct module_attribute *attr, struct module_kobject *mk,
			     const char *buf, size_t count)
{
	int err;

	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	err = hybrid_refresh();
	return err ?: count;
}

static struct module_attribute refresh_attr = __ATTR(refresh, 0200, NULL, refresh_store);

static struct attribute *top_attrs[] = {
	&refresh_attr.attr,
	NULL
};

static const struct attribute_group top_group = {
	.attrs = top_attrs,
};

static const struct attribute_group *groups[] = {
	&top_group,
	&platform_group,
	&level_group,
	&cost_group,
	&eoi_group,
	&msi_mask_group,
	&msi_affinity_group,
	&ipi_group,
	&idle_group,
	&timer_group,
	NULL
};

int hybrid_sysfs_create(void)
{
	return sysfs_create_groups(&THIS_MODULE->mkobj.kobj, groups);
}

void hybrid_sysfs_remove(void)
{
	sysfs_remove_groups(&THIS_MODULE->mkobj.kobj, groups);
}
