/* SPDX-License-Identifier: GPL-2.0-only */
/* Captured snapshots and what they must lead to: see README. Elements of an array. */
	{
		.name = "TCG, kernel 6.12", .hv = HYBRID_HV_TCG, .nr_layers = 1,
		.must = F(HV_HOST) | F(NESTED_PAGING) | F(ARAT),
		.must_not = F(KERNEL_PV) | F(X2APIC) | F(HV_HOST_ACTIVE) | F(KVM_CLOCK),
		.s =
#include "tcg-6.12.inc"
	},
	{
		.name = "TCG, kernel 6.1", .hv = HYBRID_HV_TCG, .nr_layers = 1,
		.must = F(HV_HOST) | F(NESTED_PAGING) | F(ARAT),
		.must_not = F(KERNEL_PV) | F(X2APIC) | F(HV_HOST_ACTIVE) | F(KVM_CLOCK),
		.s =
#include "tcg-6.1.inc"
	},
	{
		.name = "KVM, kernel 6.12", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(X2APIC_ON) | F(TSC_DEADLINE) | F(KVM_CLOCK) | F(KVM_PV_EOI) |
			F(KVM_PV_IPI) | F(KVM_STEAL_TIME) | F(KVM_POLL_CONTROL) | F(KERNEL_PV) |
			F(KERNEL_PV_EOI) | F(KERNEL_STEAL_TIME) | F(HV_HOST) | F(NESTED_PAGING),
		.must_not = F(KVM_REALTIME) | F(VIRIDIAN) | F(XEN_EMULATED) | F(KERNEL_CPUIDLE) |
			    F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT) | F(HV_HOST_ACTIVE),
		.s =
#include "kvm-6.12.inc"
	},
	{
		.name = "KVM, nopv, kernel 6.12", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(X2APIC) | F(KVM_CLOCK) | F(KVM_PV_EOI) | F(KVM_POLL_CONTROL),
		.must_not = F(KERNEL_PV) | F(KERNEL_PV_EOI) | F(KERNEL_STEAL_TIME) | F(X2APIC_ON),
		.s =
#include "kvm-nopv-6.12.inc"
	},
	{
		.name = "Xen 4.20, kernel 6.12", .hv = HYBRID_HV_XEN, .nr_layers = 1,
		.xen_version = 4 << 16 | 20,
		.must = F(X2APIC_ON) | F(XEN_VCPU_ID) | F(XEN_UPCALL_VECTOR) | F(KERNEL_PV) |
			F(KERNEL_XEN_UPCALL),
		.must_not = F(XEN_PV) | F(XEN_PVH) | F(XEN_PIRQS) | F(VIRIDIAN) | F(KVM_CLOCK) |
			    F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT) | F(HV_HOST),
		.s =
#include "xen-6.12.inc"
	},
	{
		.name = "Xen 4.20, nopv, kernel 6.12", .hv = HYBRID_HV_XEN, .nr_layers = 1,
		.xen_version = 4 << 16 | 20,
		.must = F(X2APIC) | F(XEN_VCPU_ID) | F(XEN_UPCALL_VECTOR),
		.must_not = F(KERNEL_PV) | F(KERNEL_XEN_UPCALL) | F(XEN_PV) | F(X2APIC_ON),
		.s =
#include "xen-nopv-6.12.inc"
	},
	{
		.name = "KVM, kernel 6.1", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(X2APIC_ON) | F(TSC_DEADLINE) | F(KVM_CLOCK) | F(KVM_PV_EOI) |
			F(KVM_PV_IPI) | F(KVM_STEAL_TIME) | F(KVM_POLL_CONTROL) | F(KERNEL_PV) |
			F(KERNEL_PV_EOI) | F(KERNEL_STEAL_TIME) | F(HV_HOST) | F(NESTED_PAGING),
		.must_not = F(KVM_REALTIME) | F(VIRIDIAN) | F(XEN_EMULATED) | F(KERNEL_CPUIDLE) |
			    F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT) | F(HV_HOST_ACTIVE),
		.s =
#include "kvm-6.1.inc"
	},
	{
		.name = "KVM, nopv, kernel 6.1", .hv = HYBRID_HV_KVM, .nr_layers = 1,
		.must = F(X2APIC) | F(KVM_CLOCK) | F(KVM_PV_EOI) | F(KVM_POLL_CONTROL),
		.must_not = F(KERNEL_PV) | F(KERNEL_PV_EOI) | F(KERNEL_STEAL_TIME) | F(X2APIC_ON),
		.s =
#include "kvm-nopv-6.1.inc"
	},
	{
		.name = "Xen 4.20, kernel 6.1", .hv = HYBRID_HV_XEN, .nr_layers = 1,
		.xen_version = 4 << 16 | 20,
		.must = F(X2APIC_ON) | F(XEN_VCPU_ID) | F(XEN_UPCALL_VECTOR) | F(KERNEL_PV) |
			F(KERNEL_XEN_UPCALL),
		.must_not = F(XEN_PV) | F(XEN_PVH) | F(XEN_PIRQS) | F(VIRIDIAN) | F(KVM_CLOCK) |
			    F(APIC_ACCESS_VIRT) | F(X2APIC_VIRT) | F(HV_HOST),
		.s =
#include "xen-6.1.inc"
	},
	{
		.name = "Xen 4.20, nopv, kernel 6.1", .hv = HYBRID_HV_XEN, .nr_layers = 1,
		.xen_version = 4 << 16 | 20,
		.must = F(X2APIC) | F(XEN_VCPU_ID) | F(XEN_UPCALL_VECTOR),
		.must_not = F(KERNEL_PV) | F(KERNEL_XEN_UPCALL) | F(XEN_PV) | F(X2APIC_ON),
		.s =
#include "xen-nopv-6.1.inc"
	},
