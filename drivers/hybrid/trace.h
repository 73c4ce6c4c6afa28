/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hybrid

#if !defined(HYBRID_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define HYBRID_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#include <hybrid/policy.h>

/* Fixed arrays rather than __string(): its __assign_str() differs between kernels. */
TRACE_EVENT(hybrid_decide,
	TP_PROTO(enum hybrid_op op, const struct hybrid_decision *d),
	TP_ARGS(op, d),
	TP_STRUCT__entry(
		__array(char, op, 16)
		__array(char, path, 16)
		__array(char, why, 24)
	),
	TP_fast_assign(
		strscpy(__entry->op, hybrid_op_name(op), sizeof(__entry->op));
		strscpy(__entry->path, hybrid_path_name(d->path), sizeof(__entry->path));
		strscpy(__entry->why, hybrid_reason_name(d->why), sizeof(__entry->why));
	),
	TP_printk("op=%s path=%s reason=%s", __entry->op, __entry->path, __entry->why)
);

TRACE_EVENT(hybrid_cost,
	TP_PROTO(enum hybrid_probe probe, u32 ns, u32 rounds),
	TP_ARGS(probe, ns, rounds),
	TP_STRUCT__entry(
		__array(char, probe, 16)
		__field(u32, ns)
		__field(u32, rounds)
	),
	TP_fast_assign(
		strscpy(__entry->probe, hybrid_probe_name(probe), sizeof(__entry->probe));
		__entry->ns = ns;
		__entry->rounds = rounds;
	),
	TP_printk("probe=%s ns=%u rounds=%u", __entry->probe, __entry->ns, __entry->rounds)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
