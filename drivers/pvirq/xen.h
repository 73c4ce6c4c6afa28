/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files that bring up Xen's interface in a kernel that runs without Xen support.
 *
 * xen_host.c: hypercalls, and the page that is shared with Xen; xen_upcall.c: how events reach
 * the CPUs; evtchn.c: MSIs as events, the back-end itself; xen_control.c: what Xen's tools ask for.
 */
#ifndef PVIRQ_XEN_H
#define PVIRQ_XEN_H

#include <linux/bitops.h>
#include <linux/types.h>

#include <asm/sync_bitops.h>

#include <xen/interface/xen.h>

#include "event.h"

/* vCPUs whose vcpu_info is in the shared page. A place for another's could never be taken back. */
#define PVIRQ_XEN_VCPUS		MAX_VIRT_CPUS

/* xen_host.c: all may sleep, but for what is said otherwise */

/* The page, from pvirq_xen_open() to pvirq_xen_close(). */
extern struct shared_info *pvirq_xen_page;

/**
 * pvirq_xen_open() - find Xen, and map the page that it shares with us
 *
 * All ports are masked, and nothing is pending. Return: 0; -ENODEV where Xen has not all that is
 * needed, or no place for all CPUs, -EBUSY where somebody else uses the platform device, or what Xen says.
 */
int pvirq_xen_open(void);
void pvirq_xen_close(void);

/**
 * pvirq_xen_vcpu() - Xen's number for this CPU
 *
 * Return: it, or -ENODEV where Xen does not tell, or has no place for it in the page.
 * Context: cannot be moved to another CPU.
 */
int pvirq_xen_vcpu(void);

/* HVM_PARAM_...; any context. */
int pvirq_xen_get_param(u32 index, u64 *value);

/* HVM_PARAM_CALLBACK_IRQ: how events interrupt a vCPU; 0 for not at all. Any context. */
int pvirq_xen_set_callback(u64 value);

/* Ports; all return a negative errno on failure, and can be called in any context. */
int pvirq_xen_bind_pirq(u32 pirq);
int pvirq_xen_bind_ipi(u32 vcpu);
int pvirq_xen_bind_vcpu(u32 port, u32 vcpu);
void pvirq_xen_close_port(u32 port);
void pvirq_xen_send(u32 port);
/* Unmasks a port, and interrupts its vCPU if it is pending. */
void pvirq_xen_unmask(u32 port);

/* A pirq of our own, or a negative errno. */
int pvirq_xen_get_pirq(void);
void pvirq_xen_put_pirq(u32 pirq);
/* Xen forgets how it was used. */
void pvirq_xen_unmap_pirq(u32 pirq);
/* True if Xen has to be told when an interrupt has been served. Any context. */
bool pvirq_xen_needs_eoi(u32 pirq);
void pvirq_xen_eoi(u32 pirq);
/*
 * True if a pirq that we did not ask for is mapped: that is how a device has its interrupts that is
 * passed through. After pvirq_xen_get_pirq(), and as that under irqset.c's mutex.
 */
bool pvirq_xen_passes_through(void);

static inline u64 *pvirq_xen_pending(void)
{
	return (u64 *)pvirq_xen_page->evtchn_pending;
}

static inline u64 *pvirq_xen_mask(void)
{
	return (u64 *)pvirq_xen_page->evtchn_mask;
}

/**
 * pvirq_xen_suspend() - have this domain saved
 *
 * Comes back in the restored domain, or in this one if it only goes on. There are no events
 * meanwhile: after pvirq_xen_close().
 */
int pvirq_xen_suspend(void);

/* xen_control.c */

/**
 * pvirq_control_start() - listen to Xen's tools, while there are events
 *
 * Who does not listen must not have events: the tools would wait for an answer to each save.
 *
 * Return: 0, -ENODEV where there is no xenstore, or another error. May sleep; no two at once.
 */
int pvirq_control_start(void);
/* No longer; before there are no events any more. What is being carried out goes on. May sleep. */
void pvirq_control_end(void);
/* A CPU can get events, or can no longer. May sleep. */
void pvirq_control_cpus_changed(void);

/* True if the port is the one that xenstore has. Hard interrupt context. */
bool pvirq_control_event(u32 port);

/* xen_upcall.c */

/**
 * pvirq_upcall_start() - have events delivered to all CPUs, now and later
 *
 * Return: 0, -ENOSPC where the CPUs have no vector in common, -EIO where no event arrived, or
 * another error. May sleep; no lock is held.
 */
int pvirq_upcall_start(void);
void pvirq_upcall_stop(void);

/*
 * The CPUs that events can be sent to. One that goes offline is no longer among them while the
 * kernel moves its interrupts away, with all other CPUs stopped.
 */
extern struct cpumask pvirq_upcall_cpus;
/* Xen's number of one of them. */
u32 pvirq_upcall_vcpu(unsigned int cpu);

/*
 * Whether a CPU serves a port's events: those of one word have each their CPU, and Xen only says that
 * something in the word is pending. Where this has changed while the port was masked, unmasking it
 * (pvirq_xen_unmask()) brings what is pending to the vCPU that the port is bound to. Any context.
 */
void pvirq_upcall_serve(unsigned int cpu, u32 port, bool serve);

/* evtchn.c: what xen_upcall.c calls */

/* Serves one port, which is not pending any more. Hard interrupt context. */
void pvirq_evtchn_deliver(u32 port);
/* Events can be sent to a CPU from now on. May sleep. */
void pvirq_evtchn_cpu_up(unsigned int cpu);
/* They cannot any more: all go elsewhere before this returns; -EBUSY where they cannot. May sleep. */
int pvirq_evtchn_cpu_down(unsigned int cpu);
/* A CPU is dead, and with it the vectors it had. May sleep. */
void pvirq_evtchn_cpu_dead(unsigned int cpu);

#endif
