// SPDX-License-Identifier: GPL-2.0-only
/*
 * Xen's interface in a kernel that runs without Xen support: hypercalls, and the page that is
 * shared with Xen. Such a kernel still knows how to make a hypercall.
 */
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/irq_vectors.h>
#include <asm/processor.h>
#include <asm/xen/hypercall.h>

#include <xen/interface/event_channel.h>
#include <xen/interface/features.h>
#include <xen/interface/hvm/hvm_op.h>
#include <xen/interface/hvm/params.h>
#include <xen/interface/memory.h>
#include <xen/interface/physdev.h>
#include <xen/interface/sched.h>
#include <xen/interface/version.h>

#include <hybrid/hybrid.h>

#include "xen.h"

/* The platform device, whose memory is nothing but a place for pages like this. */
#define PLATFORM_VENDOR		PCI_VENDOR_ID_XEN
#define PLATFORM_DEVICE		0x0001
#define PLATFORM_BAR		1

/* xen/include/public/arch-x86/cpuid.h, leaf 4 */
#define XEN_LEAF_HVM		4
#define XEN_LEAF_HVM_VCPU_ID	BIT(3)

#define NEEDED_FEATURES		(BIT(XENFEAT_hvm_callback_vector) | BIT(XENFEAT_hvm_pirqs))

struct shared_info *pvirq_xen_page;

static struct pci_dev *platform;
static unsigned long page_frame;
static u32 xen_leaf;
/* The pirqs that Xen gave us, and those among them that are not used. Under irqset.c's mutex. */
static struct pvirq_event_note pirqs;
static DECLARE_BITMAP(pirqs_used, PVIRQ_EVENT_NOTE_MAX);

/* Xen gives the highest ones first: somebody else's, at most so many, may be above ours. */
#define PIRQS_ABOVE		64

#define NOTE_OFFSET		(PAGE_SIZE - sizeof(struct pvirq_event_note))
static_assert(sizeof(struct shared_info) <= NOTE_OFFSET);

static struct pvirq_event_note *note_in_page(void)
{
	return (void *)pvirq_xen_page + NOTE_OFFSET;
}

static bool has_features(void)
{
	struct xen_feature_info info = { .submap_idx = 0 };

	return !HYPERVISOR_xen_version(XENVER_get_features, &info) &&
	       (info.submap & NEEDED_FEATURES) == NEEDED_FEATURES;
}

/* The first leaf of Xen's, or 0. */
static u32 find_leaf(void)
{
	struct hybrid_state *s = kmalloc(sizeof(*s), GFP_KERNEL);
	u32 leaf = 0, i;

	if (!s)
		return 0;
	hybrid_state_get(s);
	for (i = 0; i < s->caps.nr_layers; i++)
		if (s->caps.layer[i].hv == HYBRID_HV_XEN &&
		    s->caps.layer[i].max >= s->caps.layer[i].base + XEN_LEAF_HVM)
			leaf = s->caps.layer[i].base;
	kfree(s);
	return leaf;
}

int pvirq_xen_vcpu(void)
{
	u32 eax, ebx, ecx, edx;

	cpuid(xen_leaf + XEN_LEAF_HVM, &eax, &ebx, &ecx, &edx);
	if (!(eax & XEN_LEAF_HVM_VCPU_ID) || ebx >= PVIRQ_XEN_VCPUS)
		return -ENODEV;
	return ebx;
}

static int map_page(void)
{
	struct xen_add_to_physmap add = {
		.domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = page_frame,
	};

	return HYPERVISOR_memory_op(XENMEM_add_to_physmap, &add);
}

static void unmap_page(void)
{
	struct xen_remove_from_physmap remove = { .domid = DOMID_SELF, .gpfn = page_frame };

	if (HYPERVISOR_memory_op(XENMEM_remove_from_physmap, &remove))
		pci_warn(platform, "Xen keeps its shared page here\n");
}

static void quiet_page(void)
{
	unsigned int i;

	memset(pvirq_xen_mask(), 0xff, sizeof(pvirq_xen_page->evtchn_mask));
	for (i = 0; i < PVIRQ_XEN_VCPUS; i++) {
		WRITE_ONCE(pvirq_xen_page->vcpu_info[i].evtchn_pending_sel, 0);
		WRITE_ONCE(pvirq_xen_page->vcpu_info[i].evtchn_upcall_pending, 0);
	}
}

static int claim_platform(void)
{
	int err;

	platform = pci_get_device(PLATFORM_VENDOR, PLATFORM_DEVICE, NULL);
	if (!platform)
		return -ENODEV;
	err = pci_request_region(platform, PLATFORM_BAR, KBUILD_MODNAME);
	if (err)
		goto err_put;
	err = -ENODEV;
	if (!(pci_resource_flags(platform, PLATFORM_BAR) & IORESOURCE_MEM) ||
	    pci_resource_len(platform, PLATFORM_BAR) < PAGE_SIZE)
		goto err_region;
	page_frame = pci_resource_start(platform, PLATFORM_BAR) >> PAGE_SHIFT;
	return 0;

err_region:
	pci_release_region(platform, PLATFORM_BAR);
err_put:
	pci_dev_put(platform);
	return err;
}

int pvirq_xen_open(void)
{
	int err;

	/* Interrupts that belong to one of the others could not be events. */
	if (num_online_cpus() > PVIRQ_XEN_VCPUS)
		return -ENODEV;
	xen_leaf = find_leaf();
	if (!xen_leaf || !has_features())
		return -ENODEV;
	err = claim_platform();
	if (err)
		return err;
	err = map_page();
	if (err)
		goto err_platform;
	err = -ENOMEM;
	pvirq_xen_page = memremap(PFN_PHYS(page_frame), PAGE_SIZE, MEMREMAP_WB);
	if (!pvirq_xen_page)
		goto err_page;
	quiet_page();
	pvirq_event_note_read(&pirqs, note_in_page());
	bitmap_zero(pirqs_used, PVIRQ_EVENT_NOTE_MAX);
	return 0;

err_page:
	unmap_page();
err_platform:
	pci_release_region(platform, PLATFORM_BAR);
	pci_dev_put(platform);
	return err;
}

void pvirq_xen_close(void)
{
	quiet_page();
	memunmap(pvirq_xen_page);
	pvirq_xen_page = NULL;
	unmap_page();
	pci_release_region(platform, PLATFORM_BAR);
	pci_dev_put(platform);
}

int pvirq_xen_set_callback(u64 value)
{
	struct xen_hvm_param param = {
		.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ, .value = value,
	};

	return HYPERVISOR_hvm_op(HVMOP_set_param, &param);
}

int pvirq_xen_get_param(u32 index, u64 *value)
{
	struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };
	int err = HYPERVISOR_hvm_op(HVMOP_get_param, &param);

	*value = param.value;
	return err;
}

int pvirq_xen_suspend(void)
{
	struct sched_shutdown shutdown = { .reason = SHUTDOWN_suspend };

	return HYPERVISOR_sched_op(SCHEDOP_shutdown, &shutdown);
}

/* A port that Xen says it has bound. */
static int sound_port(u32 port)
{
	return pvirq_event_valid(port) ? port : -EIO;
}

int pvirq_xen_bind_pirq(u32 pirq)
{
	struct evtchn_bind_pirq bind = { .pirq = pirq };

	return HYPERVISOR_event_channel_op(EVTCHNOP_bind_pirq, &bind) ?: sound_port(bind.port);
}

int pvirq_xen_bind_ipi(u32 vcpu)
{
	struct evtchn_bind_ipi bind = { .vcpu = vcpu };

	return HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &bind) ?: sound_port(bind.port);
}

int pvirq_xen_bind_vcpu(u32 port, u32 vcpu)
{
	struct evtchn_bind_vcpu bind = { .port = port, .vcpu = vcpu };

	return HYPERVISOR_event_channel_op(EVTCHNOP_bind_vcpu, &bind);
}

void pvirq_xen_close_port(u32 port)
{
	struct evtchn_close close = { .port = port };

	sync_set_bit(port, (unsigned long *)pvirq_xen_mask());
	/* Which also clears its pending bit; from then on the port may be another's. */
	WARN_ON_ONCE(HYPERVISOR_event_channel_op(EVTCHNOP_close, &close));
}

void pvirq_xen_send(u32 port)
{
	struct evtchn_send send = { .port = port };

	HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

void pvirq_xen_unmask(u32 port)
{
	struct evtchn_unmask unmask = { .port = port };

	HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &unmask);
}

static int ask_for_pirq(void)
{
	struct physdev_get_free_pirq get = { .type = MAP_PIRQ_TYPE_MSI };
	int err;

	err = HYPERVISOR_physdev_op(PHYSDEVOP_get_free_pirq, &get);
	if (err)
		return err;
	if (!get.pirq || get.pirq >= PVIRQ_EVENT_PIRQS)
		return -EIO;
	return get.pirq;
}

int pvirq_xen_get_pirq(void)
{
	struct pvirq_event_note *note = note_in_page();
	u32 i = find_first_zero_bit(pirqs_used, pirqs.nr);
	int pirq;

	if (i < pirqs.nr) {
		__set_bit(i, pirqs_used);
		return pirqs.pirq[i];
	}
	if (pirqs.nr == PVIRQ_EVENT_NOTE_MAX)
		return -ENOSPC;
	pirq = ask_for_pirq();
	if (pirq < 0)
		return pirq;
	__set_bit(pirqs.nr, pirqs_used);
	pirqs.pirq[pirqs.nr++] = pirq;
	*note = pirqs;
	return pirq;
}

/* Its place among ours; pirqs.nr for none. */
static u32 place_of(u32 pirq)
{
	u32 i;

	for (i = 0; i < pirqs.nr; i++)
		if (pirqs.pirq[i] == pirq)
			break;
	return i;
}

void pvirq_xen_put_pirq(u32 pirq)
{
	u32 i = place_of(pirq);

	if (i < pirqs.nr)
		__clear_bit(i, pirqs_used);
}

void pvirq_xen_unmap_pirq(u32 pirq)
{
	struct physdev_unmap_pirq unmap = { .domid = DOMID_SELF, .pirq = pirq };

	/* Fails where it was not used yet. */
	HYPERVISOR_physdev_op(PHYSDEVOP_unmap_pirq, &unmap);
}

bool pvirq_xen_needs_eoi(u32 pirq)
{
	struct physdev_irq_status_query query = { .irq = pirq };

	return !HYPERVISOR_physdev_op(PHYSDEVOP_irq_status_query, &query) &&
	       query.flags & XENIRQSTAT_needs_eoi;
}

bool pvirq_xen_passes_through(void)
{
	u32 end = 0, pirq, i;

	for (i = 0; i < pirqs.nr; i++)
		end = max(end, pirqs.pirq[i] + PIRQS_ABOVE);
	for (pirq = NR_IRQS_LEGACY; pirq < end; pirq++)
		if (place_of(pirq) == pirqs.nr && pvirq_xen_needs_eoi(pirq))
			return true;
	return false;
}

void pvirq_xen_eoi(u32 pirq)
{
	struct physdev_eoi eoi = { .irq = pirq };

	HYPERVISOR_physdev_op(PHYSDEVOP_eoi, &eoi);
}
