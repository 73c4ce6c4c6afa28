// SPDX-License-Identifier: GPL-2.0-only
/* Which path each operation takes, and why (pure). */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <hybrid/policy.h>

static const char *const op_names[] = {
	[HYBRID_OP_EOI]			= "eoi",
	[HYBRID_OP_MSI_MASK]		= "msi_mask",
	[HYBRID_OP_MSI_AFFINITY]	= "msi_affinity",
	[HYBRID_OP_IPI]			= "ipi",
	[HYBRID_OP_IDLE]		= "idle",
	[HYBRID_OP_TIMER]		= "timer",
};

static const char *const path_names[] = {
	[HYBRID_PATH_KERNEL]	= "kernel",
	[HYBRID_PATH_POLL]	= "poll",
	[HYBRID_PATH_LAZY]	= "lazy",
	[HYBRID_PATH_PV_EOI]	= "pv-eoi",
	[HYBRID_PATH_EVTCHN]	= "evtchn",
	[HYBRID_PATH_HYPERCALL]	= "hypercall",
};

static const char *const want_names[] = {
	[HYBRID_WANT_AUTO]	= "auto",
	[HYBRID_WANT_KERNEL]	= "kernel",
	[HYBRID_WANT_POLL]	= "poll",
};

static const char *const reason_names[] = {
	[HYBRID_WHY_BARE_METAL]		= "bare-metal",
	[HYBRID_WHY_EMULATED]		= "emulated",
	[HYBRID_WHY_UNKNOWN_HV]		= "unknown-hypervisor",
	[HYBRID_WHY_XEN_PV]		= "xen-pv",
	[HYBRID_WHY_APIC_VIRT]		= "apic-virtualised",
	[HYBRID_WHY_KERNEL_PV]		= "kernel-pv",
	[HYBRID_WHY_IRQ_REMAP]		= "irq-remapping",
	[HYBRID_WHY_ONE_CPU]		= "one-cpu",
	[HYBRID_WHY_KERNEL_IDLE]	= "kernel-idle",
	[HYBRID_WHY_NOT_WORTH]		= "not-worth-it",
	[HYBRID_WHY_NOT_BUILT]		= "not-built",
	[HYBRID_WHY_NO_EXIT]		= "no-exit",
	[HYBRID_WHY_NO_STEAL_TIME]	= "no-steal-time",
	[HYBRID_WHY_OVERCOMMIT]		= "overcommit",
	[HYBRID_WHY_NO_GAIN]		= "nothing-to-gain",
	[HYBRID_WHY_SAVES]		= "saves-exits",
	[HYBRID_WHY_TABLE_EXITS]	= "table-exits",
	[HYBRID_WHY_EOI_FLAG]		= "eoi-flag",
	[HYBRID_WHY_ENCRYPTED]		= "memory-encrypted",
	[HYBRID_WHY_HOST_ABI]		= "host-abi",
	[HYBRID_WHY_NO_PIRQS]		= "no-pirqs",
	[HYBRID_WHY_XEN_UPCALL]		= "xen-upcall",
	[HYBRID_WHY_EVENTS]		= "event-channels",
	[HYBRID_WHY_OPERATOR]		= "operator",
};

/* True of every operation ... */
static const char *const texts[HYBRID_WHY_NR] = {
	[HYBRID_WHY_BARE_METAL] =
		"No hypervisor is announced and no exit was measured, so there is nothing to save.",
	[HYBRID_WHY_EMULATED] =
		"The CPU is emulated by QEMU (TCG): nothing exits, so there is nothing to save.",
	[HYBRID_WHY_UNKNOWN_HV] =
		"There is a hypervisor, but not one we know, so nothing is changed.",
	[HYBRID_WHY_XEN_PV] =
		"A Xen PV domain does this by hypercalls and event channels already.",
	[HYBRID_WHY_APIC_VIRT] =
		"The host virtualises the APIC in hardware, which a path of ours could only defeat.",
	[HYBRID_WHY_KERNEL_PV] =
		"The kernel's own paravirtual code does this already.",
	[HYBRID_WHY_IRQ_REMAP] =
		"Interrupt remapping is active and changes what this operation costs.",
	[HYBRID_WHY_ONE_CPU] =
		"There is one CPU only, so this does not happen.",
	[HYBRID_WHY_KERNEL_IDLE] =
		"The kernel's own idle driver is active and stays in charge.",
	[HYBRID_WHY_NOT_WORTH] =
		"Measured: too little to gain.",
	[HYBRID_WHY_NOT_BUILT] =
		"Exits may be saved here, but this version has no code for it.",
	[HYBRID_WHY_TABLE_EXITS] =
		"Each access to a device's interrupt table exits.",
	[HYBRID_WHY_EOI_FLAG] =
		"The host takes a flag in memory for an EOI.",
	[HYBRID_WHY_ENCRYPTED] =
		"This guest's memory is encrypted, and a flag in it that the host could read is not made here.",
	[HYBRID_WHY_HOST_ABI] =
		"The host has the suite's own interface for it.",
	[HYBRID_WHY_NO_PIRQS] =
		"Xen offers this guest no pirqs, by which a device's interrupts could become events (hvm_pirq=1 in the guest's configuration; off by default since Xen 4.19).",
	[HYBRID_WHY_XEN_UPCALL] =
		"The kernel takes Xen's events by a LAPIC vector of each vCPU, with an EOI each; Xen offers no way back to the callback vector, which needs none.",
	[HYBRID_WHY_EVENTS] =
		"The kernel runs without its Xen support; pvirq.ko turns the devices' interrupts into Xen's event channels.",
	[HYBRID_WHY_OPERATOR] =
		"The module parameter of this name says so.",
	[HYBRID_WHY_NO_EXIT] =
		"It does not exit here, or that was not measured, so there is nothing to save.",
	[HYBRID_WHY_NO_STEAL_TIME] =
		"The kernel does not account for the time that the host takes away, so an overcommitted host could not be seen.",
	[HYBRID_WHY_OVERCOMMIT] =
		"The host takes processor time away from this guest; it will be tried again when that has stopped.",
	[HYBRID_WHY_NO_GAIN] =
		"Nothing can be saved at present; it is tried again now and then.",
	[HYBRID_WHY_SAVES] =
		"This saves exits.",
};

/* ... and where there is more to say on one of them. */
static const char *const op_texts[HYBRID_OP_NR][HYBRID_WHY_NR] = {
	[HYBRID_OP_EOI] = {
		[HYBRID_WHY_EVENTS] =
			"pvirq.ko binds MSIs to Xen's event channels, which arrive by a vector that needs no EOI; those of timers and IPIs are as before.",
		[HYBRID_WHY_APIC_VIRT] =
			"The host virtualises the APIC in hardware: an EOI does not exit.",
		[HYBRID_WHY_KERNEL_PV] =
			"The kernel avoids EOI exits by itself where it can (KVM's PV EOI, Hyper-V's assist page, or Xen's callback vector, which needs no EOI).",
		[HYBRID_WHY_EOI_FLAG] =
			"KVM takes a flag in memory for an EOI, and the kernel does not use it; with pvirq.ko the MSIs of devices do, so that most of their EOIs do not exit. Those of timers and IPIs do.",
		[HYBRID_WHY_NOT_BUILT] =
			"Each interrupt ends in an EOI that exits to the host; this version has no code that avoids it.",
	},
	[HYBRID_OP_MSI_MASK] = {
		[HYBRID_WHY_EVENTS] =
			"pvirq.ko binds MSIs to Xen's event channels: a mask is a bit in shared memory and does not exit.",
		[HYBRID_WHY_KERNEL_PV] =
			"The kernel binds MSIs to Xen event channels: a mask is a bit in shared memory and does not exit.",
		[HYBRID_WHY_IRQ_REMAP] =
			"Interrupt remapping is active: the interrupts of its domain are left alone.",
		[HYBRID_WHY_TABLE_EXITS] =
			"Masking and unmasking an MSI-X vector writes the device's table, which exits; with pvirq.ko a mask is a flag, and the device is told only if another interrupt comes.",
		[HYBRID_WHY_HOST_ABI] =
			"The host has the suite's own interface: with pvirq.ko a mask is a bit in memory that the host looks at, and unmasking exits only if it held an interrupt back.",
	},
	[HYBRID_OP_MSI_AFFINITY] = {
		[HYBRID_WHY_EVENTS] =
			"pvirq.ko binds MSIs to Xen's event channels: a move is one hypercall.",
		[HYBRID_WHY_KERNEL_PV] =
			"The kernel binds MSIs to Xen event channels: a move is one hypercall.",
		[HYBRID_WHY_IRQ_REMAP] =
			"Interrupt remapping is active: a move rewrites the remapping table and leaves the device alone.",
		[HYBRID_WHY_ONE_CPU] =
			"There is one CPU only: interrupts have nowhere else to go.",
		[HYBRID_WHY_TABLE_EXITS] =
			"Moving an MSI-X vector to another CPU accesses the device's table 7 to 11 times, each an exit; with pvirq.ko it takes 4 (5 the first time, where all words are written), and none where the message stays the same.",
		[HYBRID_WHY_HOST_ABI] =
			"The host has the suite's own interface: with pvirq.ko a move is a word in memory that the host looks at, or one exit where it has to be told.",
	},
	[HYBRID_OP_IPI] = {
		[HYBRID_WHY_KERNEL_PV] =
			"The kernel sends IPIs by the host's interface already (KVM's PV IPI and Hyper-V's hypercall for several targets at once, Xen's event channels).",
		[HYBRID_WHY_APIC_VIRT] =
			"The host virtualises the APIC in hardware: an IPI reaches a running CPU without an exit there, though sending it may still exit.",
		[HYBRID_WHY_ONE_CPU] =
			"There is one CPU only: no IPI is sent.",
		[HYBRID_WHY_NOT_BUILT] =
			"Each IPI exits to the host; this version has no code that avoids it.",
	},
	[HYBRID_OP_IDLE] = {
		[HYBRID_WHY_KERNEL_IDLE] =
			"Another cpuidle driver, the kernel's haltpoll, MWAIT or idle=poll is active and stays in charge, or cpuidle is switched off.",
		[HYBRID_WHY_NO_STEAL_TIME] =
			"The kernel does not account for the time that the host takes away, so polling could not be stopped on an overcommitted host; idle=poll does it nevertheless.",
		[HYBRID_WHY_NOT_WORTH] =
			"Measured: reading the TSC, which polling does all the time, exits here as well.",
		[HYBRID_WHY_OVERCOMMIT] =
			"The host takes processor time away from this guest (steal time), so some CPUs do not poll until that has stopped for a few seconds.",
		[HYBRID_WHY_NO_GAIN] =
			"No idle CPU was woken up within the time that a halt costs lately, so they halt at once; one sleep in 24 to 4096 is polled to see whether that has changed.",
		[HYBRID_WHY_SAVES] =
			"Short sleeps need neither HLT nor a wake-up IPI: idle CPUs poll, at most for about as long as halting costs and only while it pays.",
	},
	[HYBRID_OP_TIMER] = {
		[HYBRID_WHY_KERNEL_PV] =
			"The kernel's own paravirtual clock events (xen-percpu) are in charge.",
		[HYBRID_WHY_NOT_WORTH] =
			"Measured: leaving out re-arms of a timer that is armed already saves 0 to 7 % of the writes, too little for a hook into the clock code.",
	},
};

/*
 * The measured fact that a read does (not) exit; where there is none, the host's word for the
 * mode the APIC is in, which may stand for less than all accesses (Hyper-V's "assist").
 */
static bool apic_virtualised(const struct hybrid_caps *c, const struct hybrid_cost *cost)
{
	if (cost->exit_ns && cost->ns[HYBRID_PROBE_LAPIC])
		return cost->ns[HYBRID_PROBE_LAPIC] < cost->exit_ns / 4;
	return hybrid_has(c, hybrid_has(c, HYBRID_F_X2APIC_ON) ? HYBRID_F_X2APIC_VIRT :
								 HYBRID_F_APIC_ACCESS_VIRT);
}

/* The kernel's own condition for it (hv_apic_init(), arch/x86/hyperv/hv_apic.c). */
static bool kernel_on_hyperv_with(const struct hybrid_caps *c, enum hybrid_feature f)
{
	return c->hv == HYBRID_HV_HYPERV && hybrid_has(c, HYBRID_F_KERNEL_PV) && hybrid_has(c, f);
}

static bool kernel_on_xen(const struct hybrid_caps *c)
{
	return c->hv == HYBRID_HV_XEN && hybrid_has(c, HYBRID_F_KERNEL_PV);
}

static bool xen_virtualises_apic(const struct hybrid_caps *c)
{
	return hybrid_has(c, HYBRID_F_APIC_ACCESS_VIRT) ||
	       (hybrid_has(c, HYBRID_F_X2APIC_VIRT) && hybrid_has(c, HYBRID_F_X2APIC_ON));
}

/*
 * The kernel's own condition for it (xen_msi_init(), arch/x86/pci/xen.c). It leaves no guest to us
 * where the kernel runs its Xen support: either it binds all MSIs by itself, or the host offers no
 * pirqs, or they would lose.
 */
static bool kernel_binds_pirqs(const struct hybrid_caps *c)
{
	return !xen_virtualises_apic(c) && kernel_on_xen(c) && hybrid_has(c, HYBRID_F_XEN_PIRQS);
}

/*
 * A kernel that runs without its Xen support, where MSIs can become event channels, and gain by it:
 * pirqs defeat a virtualised APIC, which is why Xen itself no longer offers them by default.
 */
static bool events_win(const struct hybrid_caps *c, const struct hybrid_cost *cost)
{
	return c->hv == HYBRID_HV_XEN && !hybrid_has(c, HYBRID_F_KERNEL_PV) &&
	       hybrid_has(c, HYBRID_F_XEN_PIRQS) && hybrid_has(c, HYBRID_F_XEN_VCPU_ID) &&
	       !xen_virtualises_apic(c) && !apic_virtualised(c, cost) &&
	       !hybrid_has(c, HYBRID_F_IRQ_REMAP);
}

static enum hybrid_reason why_eoi(const struct hybrid_caps *c, const struct hybrid_cost *cost)
{
	if (apic_virtualised(c, cost))
		return HYBRID_WHY_APIC_VIRT;
	if (hybrid_has(c, HYBRID_F_KERNEL_PV_EOI))
		return HYBRID_WHY_KERNEL_PV;
	if (kernel_on_hyperv_with(c, HYBRID_F_HYPERV_APIC_MSRS))
		return HYBRID_WHY_KERNEL_PV;
	if (kernel_on_xen(c) && !hybrid_has(c, HYBRID_F_KERNEL_XEN_UPCALL))
		return HYBRID_WHY_KERNEL_PV;
	if (hybrid_has(c, HYBRID_F_KVM_PV_EOI))
		return hybrid_has(c, HYBRID_F_KERNEL_ENCRYPTED) ? HYBRID_WHY_ENCRYPTED :
								  HYBRID_WHY_EOI_FLAG;
	if (events_win(c, cost))
		return HYBRID_WHY_EVENTS;
	if (kernel_on_xen(c))
		return HYBRID_WHY_XEN_UPCALL;
	if (c->hv == HYBRID_HV_XEN && !hybrid_has(c, HYBRID_F_XEN_PIRQS))
		return HYBRID_WHY_NO_PIRQS;
	return HYBRID_WHY_NOT_BUILT;
}

/* What is saved are exits to the device's model: the APIC, virtualised or not, has no part in it. */
static enum hybrid_reason why_msi_mask(const struct hybrid_caps *c, const struct hybrid_cost *cost)
{
	if (kernel_binds_pirqs(c))
		return HYBRID_WHY_KERNEL_PV;
	if (hybrid_has(c, HYBRID_F_IRQ_REMAP))
		return HYBRID_WHY_IRQ_REMAP;
	if (hybrid_has(c, HYBRID_F_HOST_IRQ))
		return HYBRID_WHY_HOST_ABI;
	return events_win(c, cost) ? HYBRID_WHY_EVENTS : HYBRID_WHY_TABLE_EXITS;
}

static enum hybrid_reason why_msi_affinity(const struct hybrid_caps *c,
					   const struct hybrid_cost *cost)
{
	/* They come with the masks, and with no EOI: also where there is nothing to move. */
	if (events_win(c, cost))
		return HYBRID_WHY_EVENTS;
	if (c->nr_cpus == 1)
		return HYBRID_WHY_ONE_CPU;
	if (kernel_binds_pirqs(c))
		return HYBRID_WHY_KERNEL_PV;
	if (hybrid_has(c, HYBRID_F_IRQ_REMAP))
		return HYBRID_WHY_IRQ_REMAP;
	return hybrid_has(c, HYBRID_F_HOST_IRQ) ? HYBRID_WHY_HOST_ABI : HYBRID_WHY_TABLE_EXITS;
}

static enum hybrid_reason why_ipi(const struct hybrid_caps *c, const struct hybrid_cost *cost)
{
	if (c->nr_cpus == 1)
		return HYBRID_WHY_ONE_CPU;
	if (kernel_on_xen(c) || kernel_on_hyperv_with(c, HYBRID_F_HYPERV_IPI))
		return HYBRID_WHY_KERNEL_PV;
	if (hybrid_has(c, HYBRID_F_KVM_PV_IPI) && hybrid_has(c, HYBRID_F_KERNEL_PV))
		return HYBRID_WHY_KERNEL_PV;
	if (apic_virtualised(c, cost))
		return HYBRID_WHY_APIC_VIRT;
	return HYBRID_WHY_NOT_BUILT;
}

/* Xen's guest code has a steal clock of its own. */
static bool steal_time_known(const struct hybrid_caps *c)
{
	return hybrid_has(c, HYBRID_F_KERNEL_STEAL_TIME) || kernel_on_xen(c);
}

static enum hybrid_reason why_idle(const struct hybrid_caps *c, const struct hybrid_cost *cost)
{
	if (hybrid_has(c, HYBRID_F_KERNEL_CPUIDLE) || hybrid_has(c, HYBRID_F_KERNEL_HALTPOLL) ||
	    hybrid_has(c, HYBRID_F_KERNEL_IDLE_POLL))
		return HYBRID_WHY_KERNEL_IDLE;
	if (!cost->exit_ns || !cost->halt_ns)
		return HYBRID_WHY_NO_EXIT;
	/* Polling reads the TSC: where that exits, each turn costs as much as a halt. */
	if (cost->tsc_ns > cost->exit_ns / 2)
		return HYBRID_WHY_NOT_WORTH;
	return steal_time_known(c) ? HYBRID_WHY_SAVES : HYBRID_WHY_NO_STEAL_TIME;
}

static enum hybrid_reason why(enum hybrid_op op, const struct hybrid_caps *c,
			      const struct hybrid_cost *cost)
{
	if (c->hv == HYBRID_HV_TCG)
		return HYBRID_WHY_EMULATED;
	/* None announced, and yet CPUID exits: one that hides is one we do not know. */
	if (c->hv == HYBRID_HV_NONE)
		return cost->exit_ns ? HYBRID_WHY_UNKNOWN_HV : HYBRID_WHY_BARE_METAL;
	if (c->hv == HYBRID_HV_UNKNOWN)
		return HYBRID_WHY_UNKNOWN_HV;
	if (hybrid_has(c, HYBRID_F_XEN_PV))
		return HYBRID_WHY_XEN_PV;

	switch (op) {
	case HYBRID_OP_EOI:
		return why_eoi(c, cost);
	case HYBRID_OP_MSI_MASK:
		return why_msi_mask(c, cost);
	case HYBRID_OP_MSI_AFFINITY:
		return why_msi_affinity(c, cost);
	case HYBRID_OP_IPI:
		return why_ipi(c, cost);
	case HYBRID_OP_IDLE:
		return why_idle(c, cost);
	case HYBRID_OP_TIMER:
		return kernel_on_xen(c) ? HYBRID_WHY_KERNEL_PV : HYBRID_WHY_NOT_WORTH;
	default:
		return HYBRID_WHY_NOT_BUILT;
	}
}

void hybrid_policy_decide(struct hybrid_policy *p, const struct hybrid_caps *caps,
			  const struct hybrid_cost *cost,
			  const struct hybrid_policy_params *params)
{
	unsigned int op;

	for (op = 0; op < HYBRID_OP_NR; op++) {
		struct hybrid_decision *d = &p->op[op];

		d->why = why(op, caps, cost);
		/* What would be unsafe, or save nothing, cannot be asked for. */
		if (params->want[op] == HYBRID_WANT_KERNEL ||
		    (params->want[op] == HYBRID_WANT_POLL && d->why == HYBRID_WHY_NO_STEAL_TIME))
			d->why = HYBRID_WHY_OPERATOR;

		d->path = HYBRID_PATH_KERNEL;
		if (d->why == HYBRID_WHY_SAVES ||
		    (d->why == HYBRID_WHY_OPERATOR && params->want[op] == HYBRID_WANT_POLL))
			d->path = HYBRID_PATH_POLL;
		else if (d->why == HYBRID_WHY_TABLE_EXITS)
			d->path = HYBRID_PATH_LAZY;
		else if (d->why == HYBRID_WHY_EOI_FLAG)
			d->path = HYBRID_PATH_PV_EOI;
		else if (d->why == HYBRID_WHY_HOST_ABI)
			d->path = HYBRID_PATH_HYPERCALL;
		else if (d->why == HYBRID_WHY_EVENTS)
			d->path = HYBRID_PATH_EVTCHN;
	}
}

int hybrid_policy_parse(enum hybrid_op op, const char *word, enum hybrid_want *want)
{
	unsigned int i;

	for (i = 0; i < HYBRID_WANT_NR; i++) {
		size_t n = strlen(want_names[i]);

		if (i == HYBRID_WANT_POLL && op != HYBRID_OP_IDLE)
			continue;
		if (strncmp(word, want_names[i], n))
			continue;
		if (word[n] == '\n')
			n++;
		if (!word[n]) {
			*want = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *hybrid_op_name(enum hybrid_op op)
{
	return (unsigned int)op < HYBRID_OP_NR ? op_names[op] : "invalid";
}

const char *hybrid_path_name(enum hybrid_path path)
{
	return (unsigned int)path < HYBRID_PATH_NR ? path_names[path] : "invalid";
}

const char *hybrid_want_name(enum hybrid_want want)
{
	return (unsigned int)want < HYBRID_WANT_NR ? want_names[want] : "invalid";
}

const char *hybrid_reason_name(enum hybrid_reason why)
{
	return (unsigned int)why < HYBRID_WHY_NR ? reason_names[why] : "invalid";
}

const char *hybrid_reason_text(enum hybrid_op op, enum hybrid_reason why)
{
	if ((unsigned int)op >= HYBRID_OP_NR || (unsigned int)why >= HYBRID_WHY_NR)
		return "invalid";
	return op_texts[op][why] ?: texts[why];
}
