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
