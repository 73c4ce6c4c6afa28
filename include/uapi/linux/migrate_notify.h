/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR MIT) */
/*
 * /dev/migrate-notify: applications learn of a live migration of their machine, may ask for
 * time to prepare, and learn which CPU features they have after it.
 *
 *   open()   O_RDONLY to watch. O_RDWR, which the file's mode leaves to a group, to be able to
 *            delay a migration too. -EDQUOT: this user has too many open; -ENFILE: all together
 *            (there is room left for who may write).
 *   mmap()   one read-only page, struct migrate_notify_page, at offset 0. -EROFS for a
 *            writable mapping, -EINVAL for another offset or more than one page.
 *   read()   whole events, struct migrate_notify_event, oldest first, in records of
 *            MIGRATE_NOTIFY_EVENT_SIZE_VER0 bytes each, however long the driver's are: more
 *            only for who asks for it (struct migrate_notify_subscribe). Blocks, or -EAGAIN
 *            with O_NONBLOCK, also where another thread just reads. -EINVAL: no room for
 *            one record.
 *   poll()   POLLIN while there is an event to read. POLLOUT always, if open for writing.
 *   write()  the ack of one operation: its op_id (8 bytes), or struct migrate_notify_ack.
 *            -EBADF: open for reading only; -EPERM: not a subscriber that delays; -ESTALE:
 *            that operation is not being prepared, or not any more (too late); -EINVAL:
 *            another length, unknown flags. Once more for the operation that this descriptor
 *            acked last: no error, no effect, whatever became of it.
 *   close()  of the last copy of the descriptor: counts as an ack, as does the death of the
 *            process. A fork()ed copy is the same subscriber.
 *
 * An operation (one migration) has an op_id and goes
 *
 *   IDLE -> PREPARING -> READY | TIMED_OUT -> MOVING -> IDLE
 *
 * with an event PREPARE at its beginning and an event COMPLETE at its end, exactly one each,
 * whatever happens in between: phases can be skipped (few hosts announce a migration), but
 * no event is lost, repeated or left alone. Where nobody announced it, PREPARE has
 * MIGRATE_NOTIFY_EVENT_SYNTHETIC and follows at once by COMPLETE. Events are numbered without
 * a gap, and the newest MIGRATE_NOTIFY page.ring_events of them can be read again.
 *
 * Layouts: fixed-width fields in the CPU's byte order (little-endian: this is x86), no
 * implicit padding, reserved fields are 0. Structures only grow at their end. The page and
 * events say their size; ioctl() takes it from the request's number, so that programs and
 * drivers of different age fit: what a program does not know is not copied to it, and what a
 * driver does not know has to be 0, else -E2BIG. No size may be below the first, *_SIZE_VER0,
 * else -EINVAL. New types of events, sources and features are added at the end of their lists,
 * so MIGRATE_NOTIFY_EVENT_TYPES and MIGRATE_NOTIFY_F_NR grow: a program skips what it does
 * not know.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, which no clock step touches.
 */
#ifndef _UAPI_LINUX_MIGRATE_NOTIFY_H
#define _UAPI_LINUX_MIGRATE_NOTIFY_H

#include <linux/ioctl.h>
#include <linux/migrate_notify_features.h>
#include <linux/types.h>

#define MIGRATE_NOTIFY_DEVICE	"/dev/migrate-notify"
/* The group that /dev/migrate-notify's write permission is given to. */
#define MIGRATE_NOTIFY_GROUP	"migrate-notify"

/* -- CPU features ---------------------------------------------------------------------- */

/* Registers of CPUID, as they are numbered in the table of features. */
enum migrate_notify_reg {
	MIGRATE_NOTIFY_REG_EAX,
	MIGRATE_NOTIFY_REG_EBX,
	MIGRATE_NOTIFY_REG_ECX,
	MIGRATE_NOTIFY_REG_EDX
};

/* Bits of XCR0 that all have to be set. */
#define MIGRATE_NOTIFY_XCR0_NONE	0x0ULL
#define MIGRATE_NOTIFY_XCR0_AVX		0x6ULL		/* SSE, YMM */
#define MIGRATE_NOTIFY_XCR0_AVX512	0xe6ULL		/* and opmask, both halves of ZMM */
#define MIGRATE_NOTIFY_XCR0_PKRU	0x200ULL
#define MIGRATE_NOTIFY_XCR0_AMX		0x60000ULL	/* and arch_prctl(ARCH_REQ_XCOMP_PERM) */
#define MIGRATE_NOTIFY_XCR0_APX		0x80000ULL

/* What the kernel has to have switched on besides; a bit mask. */
#define MIGRATE_NOTIFY_NEED_NONE	0x0
#define MIGRATE_NOTIFY_NEED_OSXSAVE	0x1	/* CR4.OSXSAVE: CPUID leaf 1, ECX bit 27 */
#define MIGRATE_NOTIFY_NEED_OSPKE	0x2	/* CR4.PKE: CPUID leaf 7, ECX bit 4 */
#define MIGRATE_NOTIFY_NEED_FSGSBASE	0x4	/* CR4.FSGSBASE: AT_HWCAP2 bit 1 */
#define MIGRATE_NOTIFY_NEED_TSC_AUX	0x8	/* MSR_TSC_AUX holds the CPU's number */

/* Feature nr is bit nr % 64 of word nr / 64. */
#define MIGRATE_NOTIFY_FEATURE_WORDS	4

/* -- phases, events -------------------------------------------------------------------- */

enum migrate_notify_phase {
	MIGRATE_NOTIFY_IDLE		= 0,
	MIGRATE_NOTIFY_PREPARING	= 1,	/* acks are awaited until the deadline */
	MIGRATE_NOTIFY_READY		= 2,	/* every ack came: the host may move us */
	MIGRATE_NOTIFY_TIMED_OUT	= 3,	/* some did not: the host moves us anyway */
	MIGRATE_NOTIFY_MOVING		= 4	/* the host said that it does so now */
};

enum migrate_notify_status {
	MIGRATE_NOTIFY_STATUS_NONE	= 0,	/* no operation has ended yet */
	MIGRATE_NOTIFY_SUCCESS		= 1,	/* we run on the destination */
	MIGRATE_NOTIFY_CANCELLED	= 2,	/* we run where we did; nobody failed */
	MIGRATE_NOTIFY_FAILED		= 3,	/* the host tried; we run where we did */
	/*
	 * Nobody told us how it went. That it ended is a guess as well: what looks like a move
	 * to a clock can be a pause, and the move that was announced be still to come.
	 */
	MIGRATE_NOTIFY_UNKNOWN		= 4
};

/* Who told the driver; the index into page.sources. */
enum migrate_notify_source {
	MIGRATE_NOTIFY_SOURCE_NONE	= 0,	/* the driver itself */
	MIGRATE_NOTIFY_SOURCE_INJECT	= 1,	/* a privileged program, by ioctl() */
	MIGRATE_NOTIFY_SOURCE_XEN	= 2,	/* suspend and resume, nodes in xenstore */
	MIGRATE_NOTIFY_SOURCE_VMCLOCK	= 3,	/* the ACPI device's disruption marker */
	MIGRATE_NOTIFY_SOURCE_PVCLOCK	= 4,	/* a step of KVM's clock */
	MIGRATE_NOTIFY_SOURCE_HOST	= 5,	/* a host with the suite's own interface */
	MIGRATE_NOTIFY_SOURCES		= 8	/* room for */
};

/* What a source can do; page.sources. */
#define MIGRATE_NOTIFY_CAN_PREPARE	0x1	/* announces a migration before it happens */
#define MIGRATE_NOTIFY_CAN_DELAY	0x2	/* waits for READY or the deadline */
#define MIGRATE_NOTIFY_CAN_NOTIFY	0x4	/* tells us at once; without: found by looking */
#define MIGRATE_NOTIFY_CAN_CANCEL	0x8	/* knows a cancelled migration from a done one */
#define MIGRATE_NOTIFY_SOURCE_ACTIVE	0x80000000U	/* found when the driver was loaded */

enum migrate_notify_type {
	MIGRATE_NOTIFY_EVENT_PREPARE	= 1,
	MIGRATE_NOTIFY_EVENT_READY	= 2,
	MIGRATE_NOTIFY_EVENT_TIMED_OUT	= 3,
	MIGRATE_NOTIFY_EVENT_MOVING	= 4,
	MIGRATE_NOTIFY_EVENT_COMPLETE	= 5,
	MIGRATE_NOTIFY_EVENT_CHANGED	= 6,	/* features changed without a known operation */
	MIGRATE_NOTIFY_EVENT_TYPES		/* grows */
};

/* migrate_notify_event.flags */
#define MIGRATE_NOTIFY_EVENT_SYNTHETIC	0x1	/* PREPARE: nobody announced it; no time to act */
#define MIGRATE_NOTIFY_EVENT_SIMULATED	0x2	/* a drill: nothing moves */
#define MIGRATE_NOTIFY_EVENT_LOST	0x4	/* events before this one were overwritten unread */

#define MIGRATE_NOTIFY_EVENT_SIZE_VER0	136

/**
 * struct migrate_notify_event - one event, as read() gives it
 * @size: of this record in bytes, as copied; the next one begins there
 * @type: enum migrate_notify_type
 * @flags: MIGRATE_NOTIFY_EVENT_SYNTHETIC ...
 * @seq: the event's number, from 1, one more each; a gap is what the event mask left out, or,
 *	with MIGRATE_NOTIFY_EVENT_LOST, what was overwritten
 * @op_id: the operation, never 0; CHANGED: 0
 * @time_ns: when it happened
 * @deadline_ns: PREPARE: acks are awaited until then. Else 0
 * @source: enum migrate_notify_source: who said so
 * @status: COMPLETE: enum migrate_notify_status. Else 0
 * @waiting: PREPARE: subscribers whose ack is awaited; TIMED_OUT, and MOVING or COMPLETE where
 *	they came before the acks: those who had not acked. Else 0
 * @refused: READY, TIMED_OUT, MOVING, COMPLETE: subscribers that acked with
 *	MIGRATE_NOTIFY_ACK_REFUSE
 * @downtime_ns: COMPLETE: how long the machine stood still, where the source knows. Else 0
 * @duration_ns: READY, TIMED_OUT, MOVING, COMPLETE: time since PREPARE. Else 0
 * @reserved: 0
 * @added: PREPARE: features that the host expects to become usable; COMPLETE, CHANGED: that
 *	are usable now and were not before
 * @removed: the same for those that vanish, or vanished
 */
struct migrate_notify_event {
	__u32 size;
	__u16 type;
	__u16 flags;
	__u64 seq;
	__u64 op_id;
	__u64 time_ns;
	__u64 deadline_ns;
	__u16 source;
	__u16 status;
	__u32 waiting;
	__u32 refused;
	__u32 reserved;
	__u64 downtime_ns;
	__u64 duration_ns;
	__u64 added[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 removed[MIGRATE_NOTIFY_FEATURE_WORDS];
};

/* -- the page -------------------------------------------------------------------------- */

#define MIGRATE_NOTIFY_MAGIC	0x59544f4eU	/* "NOTY" */
#define MIGRATE_NOTIFY_VERSION	1

/**
 * struct migrate_notify_page - the state of this moment, read-only by mmap()
 * @magic: MIGRATE_NOTIFY_MAGIC
 * @version: MIGRATE_NOTIFY_VERSION; another one means another layout
 * @size: bytes that the driver fills in; a field at or above it is not there
 * @seq: odd while the driver writes. To read more than one field: read @seq (acquire) until it
 *	is even, read the fields, read @seq again (after a read barrier); if it differs, again
 * @generation: the number of the newest event, 0 before the first. One acquire load of it
 *	answers "did anything happen?"; it is valid without looking at @seq
 * @feature_generation: one more each time that @usable changes; from 1
 * @phase: enum migrate_notify_phase
 * @status: enum migrate_notify_status of the operation that ended last
 * @op_id: the operation under way, or else the last one; 0: there was none
 * @deadline_ns: of the operation in phase PREPARING. Else 0
 * @waiting: subscribers whose ack is awaited
 * @refused: subscribers that refused the operation @op_id
 * @migrations: operations that a source ended with SUCCESS or UNKNOWN; no drills, and none that
 *	nobody told the end of
 * @complete_ns: when the last operation ended; 0: there was none
 * @default_timeout_ms: how long acks are awaited where the source does not say
 * @max_timeout_ms: and at most
 * @ring_events: how many events are kept to be read again
 * @nr_features: features that the driver knows: bits at or above are 0
 * @sources: by enum migrate_notify_source, MIGRATE_NOTIFY_CAN_PREPARE ..., as found when the
 *	driver was loaded, whatever the machine was migrated to since; 0: not there
 * @vendor: CPUID leaf 0, EBX EDX ECX: "GenuineIntel"; not terminated
 * @signature: CPUID leaf 1, EAX: family, model, stepping
 * @tsc_khz: the TSC's frequency as host or CPU say now, else as the kernel found it at boot
 * @cpus: online
 * @threads_per_core: what CPUID says; 0: it does not
 * @cpus_per_package: what CPUID says; 0: it does not
 * @numa_nodes: online, as the kernel found them at boot
 * @level: x86-64 psABI micro-architecture level, 1 to 4, all of whose features are usable; 0:
 *	not even the first
 * @xcr0: that every online CPU has; 0 without OSXSAVE
 * @subscribers: open descriptors of /dev/migrate-notify
 * @reserved0: 0
 * @usable: features that a program may use: on every online CPU, and nothing is missing. What
 *	is neither usable nor in @somewhere is absent
 * @everywhere: features that CPUID reports on every online CPU
 * @somewhere: and on at least one; those not in @everywhere are unusable for that reason
 * @no_xcr0: features in @everywhere, unusable because the kernel did not enable their state
 *	at boot
 * @no_kernel: features in @everywhere, unusable because the kernel did not switch them on
 * @added: by the last change of @usable: usable after it, not before
 * @removed: by the last change of @usable: usable before it, not after
 * @expect_added: of the operation under way: what the host expects to become usable
 * @expect_removed: and what to vanish
 * @instance: a random number that each load of the driver has another of, never 0: event and
 *	subscriber numbers mean something only together with it
 * @reserved: 0
 */
struct migrate_notify_page {
	__u32 magic;
	__u32 version;
	__u32 size;
	__u32 seq;
	__u64 generation;
	__u64 feature_generation;
	__u32 phase;
	__u32 status;
	__u64 op_id;
	__u64 deadline_ns;
	__u32 waiting;
	__u32 refused;
	__u64 migrations;
	__u64 complete_ns;
	__u32 default_timeout_ms;
	__u32 max_timeout_ms;
	__u32 ring_events;
	__u32 nr_features;
	__u32 sources[MIGRATE_NOTIFY_SOURCES];
	char vendor[12];
	__u32 signature;
	__u32 tsc_khz;
	__u32 cpus;
	__u32 threads_per_core;
	__u32 cpus_per_package;
	__u32 numa_nodes;
	__u32 level;
	__u64 xcr0;
	__u32 subscribers;
	__u32 reserved0[3];
	__u64 usable[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 everywhere[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 somewhere[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 no_xcr0[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 no_kernel[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 added[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 removed[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 expect_added[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 expect_removed[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 instance;
	__u64 reserved[3];
};

/* -- write() --------------------------------------------------------------------------- */

#define MIGRATE_NOTIFY_ACK_SIZE_VER0	16

#define MIGRATE_NOTIFY_ACK_REFUSE	0x1	/* please do not; the host decides */

/**
 * struct migrate_notify_ack - the long form of write()
 * @op_id: the operation
 * @flags: MIGRATE_NOTIFY_ACK_REFUSE or 0
 * @reserved: 0
 */
struct migrate_notify_ack {
	__u64 op_id;
	__u32 flags;
	__u32 reserved;
};

/* -- ioctl() --------------------------------------------------------------------------- */

#define MIGRATE_NOTIFY_NAME_LEN		32

/* The sizes that these structures had first. */
#define MIGRATE_NOTIFY_SUBSCRIBE_SIZE_VER0	72
#define MIGRATE_NOTIFY_INJECT_SIZE_VER0		96
#define MIGRATE_NOTIFY_SUBSCRIBER_SIZE_VER0	96
#define MIGRATE_NOTIFY_LIST_SIZE_VER0		24

#define MIGRATE_NOTIFY_SUBSCRIBE_DELAY	0x1	/* prepares; its ack is awaited */

/* A set of event types. */
#define MIGRATE_NOTIFY_MASK(type)	(1U << (type))
#define MIGRATE_NOTIFY_MASK_DEFAULT	(MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_PREPARE) | \
					 MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_COMPLETE) | \
					 MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_CHANGED))

/* Cursors besides the number of an event. */
#define MIGRATE_NOTIFY_CURSOR_OLDEST	0ULL		/* all that is kept */
#define MIGRATE_NOTIFY_CURSOR_NOW	(~0ULL)		/* only what is to come */

/**
 * struct migrate_notify_subscribe - MIGRATE_NOTIFY_IOC_SUBSCRIBE
 * @flags: MIGRATE_NOTIFY_SUBSCRIBE_DELAY or 0
 * @events: set of event types to be read; 0: MIGRATE_NOTIFY_MASK_DEFAULT. Who delays has to
 *	read PREPARE
 * @cursor: in: the last event that the program has dealt with; those after it are read
 *	next. MIGRATE_NOTIFY_CURSOR_NOW, or more than there are: only what is to come.
 *	Out: what it is from now on: with CURSOR_NOW, the number of the newest event. While this
 *	subscriber's ack is awaited it does not go forward: PREPARE is to be read
 * @id: out: this subscriber, as in struct migrate_notify_subscriber
 * @instance: in: page.instance that @cursor is of; 0: not asked. If the driver was loaded anew
 *	since, @cursor counts as MIGRATE_NOTIFY_CURSOR_OLDEST, and the next event that is read
 *	says MIGRATE_NOTIFY_EVENT_LOST. Out: page.instance
 * @event_size: in: sizeof(struct migrate_notify_event) of the program; 0:
 *	MIGRATE_NOTIFY_EVENT_SIZE_VER0. Out: the size of each record that read() gives from now
 *	on, the lesser of that and the driver's
 * @reserved: 0
 * @name: for people; printable ASCII, ended by NUL, the rest NUL
 *
 * A descriptor on which this was never done watches: default events, to come, no name. Doing
 * it again changes what was set; to give up delaying acks an operation that is waited for.
 * An operation does not wait for those who come after its PREPARE.
 *
 * Errors: -EPERM: to delay takes a descriptor open for writing; -EINVAL: unknown flags or
 * events, DELAY without PREPARE in @events, an @event_size that is too small, a name that does
 * not print; -EFAULT, -E2BIG. After -EFAULT it may have been done.
 */
struct migrate_notify_subscribe {
	__u32 flags;
	__u32 events;
	__u64 cursor;
	__u64 id;
	__u64 instance;
	__u32 event_size;
	__u32 reserved;
	char name[MIGRATE_NOTIFY_NAME_LEN];
};

enum migrate_notify_action {
	MIGRATE_NOTIFY_INJECT_PREPARE	= 1,
	MIGRATE_NOTIFY_INJECT_MOVING	= 2,
	MIGRATE_NOTIFY_INJECT_COMPLETE	= 3
};

#define MIGRATE_NOTIFY_INJECT_SIMULATE	0x1	/* mark the events as a drill */

/**
 * struct migrate_notify_inject - MIGRATE_NOTIFY_IOC_INJECT
 * @action: enum migrate_notify_action
 * @status: COMPLETE: enum migrate_notify_status, not NONE. Else 0
 * @op_id: in: the operation; 0: the one under way, or, for PREPARE or if there is none, a new
 *	one with a number by the driver (those have bit 63 set). Out: the operation
 * @timeout_ms: PREPARE: how long acks are awaited; 0: page.default_timeout_ms; more than
 *	page.max_timeout_ms counts as that. Else 0
 * @flags: MIGRATE_NOTIFY_INJECT_SIMULATE or 0
 * @downtime_ns: COMPLETE: how long the machine stood still; 0: not known. Else 0
 * @expect_added: PREPARE: features that are expected to become usable. Else 0. Bits that the
 *	driver does not know are ignored
 * @expect_removed: and to vanish. Else 0
 *
 * It does not wait: READY or TIMED_OUT come as events. For privileged programs that hear from
 * a host by a channel of their own (virtio-serial, vsock, a guest agent), and for drills.
 *
 * A drill gives way to what is real: a PREPARE that is none ends it with UNKNOWN.
 *
 * Errors: -EPERM: not CAP_SYS_ADMIN; -EBUSY: PREPARE while another operation is being prepared
 * (once it is ready or has timed out, a new PREPARE ends it with UNKNOWN), or COMPLETE of
 * another operation than the one under way, which was numbered by INJECT too; -EALREADY: this
 * operation was told already and nothing happened (PREPARE or MOVING twice, COMPLETE after
 * somebody else noticed it); -ENOENT: MOVING of an operation that is not under way, a drill's
 * MOVING or COMPLETE while the operation under way is none; -EINVAL: values out of range;
 * -EFAULT, -E2BIG.
 */
struct migrate_notify_inject {
	__u32 action;
	__u32 status;
	__u64 op_id;
	__u32 timeout_ms;
	__u32 flags;
	__u64 downtime_ns;
	__u64 expect_added[MIGRATE_NOTIFY_FEATURE_WORDS];
	__u64 expect_removed[MIGRATE_NOTIFY_FEATURE_WORDS];
};

/* migrate_notify_subscriber.flags */
#define MIGRATE_NOTIFY_SUBSCRIBER_DELAY		0x1	/* delays */
#define MIGRATE_NOTIFY_SUBSCRIBER_WAITING	0x2	/* its ack is awaited now */
#define MIGRATE_NOTIFY_SUBSCRIBER_REFUSED	0x4	/* refused the last operation */

/**
 * struct migrate_notify_subscriber - one open descriptor
 * @id: ascending by the time of open(), never used twice
 * @pid: of the process that opened it or subscribed last, in the caller's PID namespace; 0:
 *	not in it
 * @uid: who opened it, in the caller's user namespace
 * @flags: MIGRATE_NOTIFY_SUBSCRIBER_DELAY ...
 * @events: set of event types that it reads
 * @cursor: the number of the last event that it read, or could have
 * @acks: how many it gave in time
 * @missed: operations that went on without its ack
 * @last_ack_ns: how long it took from PREPARE to its last ack; 0: none yet
 * @max_ack_ns: and the longest
 * @name: as it subscribed; empty: it did not
 */
struct migrate_notify_subscriber {
	__u64 id;
	__u32 pid;
	__u32 uid;
	__u32 flags;
	__u32 events;
	__u64 cursor;
	__u64 acks;
	__u64 missed;
	__u64 last_ack_ns;
	__u64 max_ack_ns;
	char name[MIGRATE_NOTIFY_NAME_LEN];
};

/**
 * struct migrate_notify_list - MIGRATE_NOTIFY_IOC_LIST
 * @after: list those whose id is above this one; 0: from the first
 * @entries: address of an array of struct migrate_notify_subscriber
 * @entry_size: sizeof(struct migrate_notify_subscriber) of the program; what it does not know
 *	is not copied, and what the driver does not know is filled with 0
 * @count: in: room in @entries, at most MIGRATE_NOTIFY_LIST_MAX; out: how many were filled
 *	in, ascending by id. Less than there was room for: these were the last
 *
 * Who has the device open for reading only, and not CAP_SYS_ADMIN, sees only the descriptors of
 * its own user.
 *
 * Errors: -EINVAL: @count is 0 or too many, @entry_size is below
 * MIGRATE_NOTIFY_SUBSCRIBER_SIZE_VER0 or above a page;
 * -EFAULT, -E2BIG, -ENOMEM.
 */
struct migrate_notify_list {
	__u64 after;
	__u64 entries;
	__u32 entry_size;
	__u32 count;
};

#define MIGRATE_NOTIFY_LIST_MAX		1024

/* Free in the kernel's Documentation/userspace-api/ioctl/ioctl-number.rst. */
#define MIGRATE_NOTIFY_IOC		0xd9
#define MIGRATE_NOTIFY_IOC_SUBSCRIBE \
	_IOWR(MIGRATE_NOTIFY_IOC, 1, struct migrate_notify_subscribe)
#define MIGRATE_NOTIFY_IOC_INJECT	_IOWR(MIGRATE_NOTIFY_IOC, 2, struct migrate_notify_inject)
#define MIGRATE_NOTIFY_IOC_LIST		_IOWR(MIGRATE_NOTIFY_IOC, 3, struct migrate_notify_list)

/* -- the layouts above, checked by every compiler that can --------------------------------- */

#if defined(__cplusplus) && __cplusplus >= 201103L
#define _MIGRATE_NOTIFY_CHECK(c)	static_assert(c, #c)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define _MIGRATE_NOTIFY_CHECK(c)	_Static_assert(c, #c)
#endif
#ifdef _MIGRATE_NOTIFY_CHECK
#define _MIGRATE_NOTIFY_SIZE(type, n)	_MIGRATE_NOTIFY_CHECK(sizeof(struct type) == (n))
#define _MIGRATE_NOTIFY_AT(type, field, n) \
	_MIGRATE_NOTIFY_CHECK(__builtin_offsetof(struct type, field) == (n))

_MIGRATE_NOTIFY_CHECK(MIGRATE_NOTIFY_F_NR <= 64 * MIGRATE_NOTIFY_FEATURE_WORDS);

_MIGRATE_NOTIFY_SIZE(migrate_notify_event, 136);
_MIGRATE_NOTIFY_AT(migrate_notify_event, type, 4);
_MIGRATE_NOTIFY_AT(migrate_notify_event, flags, 6);
_MIGRATE_NOTIFY_AT(migrate_notify_event, seq, 8);
_MIGRATE_NOTIFY_AT(migrate_notify_event, op_id, 16);
_MIGRATE_NOTIFY_AT(migrate_notify_event, time_ns, 24);
_MIGRATE_NOTIFY_AT(migrate_notify_event, deadline_ns, 32);
_MIGRATE_NOTIFY_AT(migrate_notify_event, source, 40);
_MIGRATE_NOTIFY_AT(migrate_notify_event, waiting, 44);
_MIGRATE_NOTIFY_AT(migrate_notify_event, refused, 48);
_MIGRATE_NOTIFY_AT(migrate_notify_event, downtime_ns, 56);
_MIGRATE_NOTIFY_AT(migrate_notify_event, duration_ns, 64);
_MIGRATE_NOTIFY_AT(migrate_notify_event, added, 72);
_MIGRATE_NOTIFY_AT(migrate_notify_event, removed, 104);

_MIGRATE_NOTIFY_SIZE(migrate_notify_page, 512);
_MIGRATE_NOTIFY_AT(migrate_notify_page, seq, 12);
_MIGRATE_NOTIFY_AT(migrate_notify_page, generation, 16);
_MIGRATE_NOTIFY_AT(migrate_notify_page, feature_generation, 24);
_MIGRATE_NOTIFY_AT(migrate_notify_page, phase, 32);
_MIGRATE_NOTIFY_AT(migrate_notify_page, op_id, 40);
_MIGRATE_NOTIFY_AT(migrate_notify_page, deadline_ns, 48);
_MIGRATE_NOTIFY_AT(migrate_notify_page, waiting, 56);
_MIGRATE_NOTIFY_AT(migrate_notify_page, migrations, 64);
_MIGRATE_NOTIFY_AT(migrate_notify_page, complete_ns, 72);
_MIGRATE_NOTIFY_AT(migrate_notify_page, default_timeout_ms, 80);
_MIGRATE_NOTIFY_AT(migrate_notify_page, nr_features, 92);
_MIGRATE_NOTIFY_AT(migrate_notify_page, sources, 96);
_MIGRATE_NOTIFY_AT(migrate_notify_page, vendor, 128);
_MIGRATE_NOTIFY_AT(migrate_notify_page, signature, 140);
_MIGRATE_NOTIFY_AT(migrate_notify_page, tsc_khz, 144);
_MIGRATE_NOTIFY_AT(migrate_notify_page, xcr0, 168);
_MIGRATE_NOTIFY_AT(migrate_notify_page, subscribers, 176);
_MIGRATE_NOTIFY_AT(migrate_notify_page, usable, 192);
_MIGRATE_NOTIFY_AT(migrate_notify_page, everywhere, 224);
_MIGRATE_NOTIFY_AT(migrate_notify_page, somewhere, 256);
_MIGRATE_NOTIFY_AT(migrate_notify_page, no_xcr0, 288);
_MIGRATE_NOTIFY_AT(migrate_notify_page, no_kernel, 320);
_MIGRATE_NOTIFY_AT(migrate_notify_page, added, 352);
_MIGRATE_NOTIFY_AT(migrate_notify_page, removed, 384);
_MIGRATE_NOTIFY_AT(migrate_notify_page, expect_added, 416);
_MIGRATE_NOTIFY_AT(migrate_notify_page, expect_removed, 448);
_MIGRATE_NOTIFY_AT(migrate_notify_page, instance, 480);
_MIGRATE_NOTIFY_AT(migrate_notify_page, reserved, 488);

_MIGRATE_NOTIFY_SIZE(migrate_notify_ack, 16);
_MIGRATE_NOTIFY_SIZE(migrate_notify_subscribe, 72);
_MIGRATE_NOTIFY_AT(migrate_notify_subscribe, cursor, 8);
_MIGRATE_NOTIFY_AT(migrate_notify_subscribe, id, 16);
_MIGRATE_NOTIFY_AT(migrate_notify_subscribe, instance, 24);
_MIGRATE_NOTIFY_AT(migrate_notify_subscribe, event_size, 32);
_MIGRATE_NOTIFY_AT(migrate_notify_subscribe, name, 40);
_MIGRATE_NOTIFY_SIZE(migrate_notify_inject, 96);
_MIGRATE_NOTIFY_AT(migrate_notify_inject, op_id, 8);
_MIGRATE_NOTIFY_AT(migrate_notify_inject, downtime_ns, 24);
_MIGRATE_NOTIFY_AT(migrate_notify_inject, expect_added, 32);
_MIGRATE_NOTIFY_SIZE(migrate_notify_subscriber, 96);
_MIGRATE_NOTIFY_AT(migrate_notify_subscriber, cursor, 24);
_MIGRATE_NOTIFY_AT(migrate_notify_subscriber, name, 64);
_MIGRATE_NOTIFY_SIZE(migrate_notify_list, 24);

#undef _MIGRATE_NOTIFY_SIZE
#undef _MIGRATE_NOTIFY_AT
#undef _MIGRATE_NOTIFY_CHECK
#endif

#endif
