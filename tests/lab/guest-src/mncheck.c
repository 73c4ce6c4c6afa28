// SPDX-License-Identifier: GPL-2.0-only
/*
 * mncheck WHAT ...: what the lab asks of /dev/migrate-notify, without the library.
 *
 *   page            the page, a line per field
 *   truth           what this program finds itself: CPUID, XCR0, and which instructions run
 *   age             milliseconds since the last COMPLETE
 *   watch FILE [N]  every event as a line of FILE; ends after N COMPLETEs
 *   prepare OP [MS] tells of a migration, as an orchestrator's agent would
 *   ready OP        the same, and waits until all are ready
 *   complete OP STATUS
 *   inject N [M]    N times prepare and complete, read back by another descriptor and checked,
 *                   while M others delay
 *   crowd N         N subscribers of one process, of which each acks: how long until all have
 *   herd N          the same with N processes, and what to wake these costs otherwise
 *   refuse          acks that refuse, close as ack, death as ack, too late
 *   deadline MS     a subscriber that never acks, while the clock is set
 *   phases          subscribers that stop, or die, in each phase
 *   churn N FILE    N times loads the module, opens, prepares for 1 ms, and unloads it meanwhile
 *   burn            AES instructions, for ever
 *   resumed         how long after CPUID has changed COMPLETE or CHANGED can be read
 *   woken           the same by one who sleeps meanwhile, from when he wakes up
 *   hold            subscribes, says so, and waits to be killed
 *   bad             everything that has to be refused
 *   cursors         another load's cursor, larger records
 *   race N          subscribes N times while another process prepares: who is waited for is told
 *   users           limits and permissions, seen by an ordinary user
 *
 * Exit code 0 if all is as it should be.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/migrate_notify.h>

#define ALL_EVENTS	(MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_TYPES) - 2)
#define EV(type)	MIGRATE_NOTIFY_EVENT_##type
#define DO(action)	MIGRATE_NOTIFY_INJECT_##action
#define IOC(which)	MIGRATE_NOTIFY_IOC_##which

#define CHECK(c, ...) do {					\
	if (!(c)) {						\
		warnx("line %d: %s", __LINE__, #c);		\
		errx(1, __VA_ARGS__);				\
	}							\
} while (0)

static const char *const names[] = {
#define MN_FEATURE(nr, id, name, leaf, subleaf, reg, bit, xcr0, need, level) [nr] = name,
#include <linux/migrate_notify_features.def>
};

static const char *const types[] = {
	"none", "prepare", "ready", "timed-out", "moving", "complete", "changed",
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int open_device(int flags)
{
	int fd = open(MIGRATE_NOTIFY_DEVICE, flags | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", MIGRATE_NOTIFY_DEVICE);
	return fd;
}

static struct migrate_notify_subscribe subscribe(int fd, bool delay, uint32_t events,
						 const char *name)
{
	struct migrate_notify_subscribe s = {
		.flags = delay ? MIGRATE_NOTIFY_SUBSCRIBE_DELAY : 0,
		.events = events, .cursor = MIGRATE_NOTIFY_CURSOR_NOW,
	};

	strcpy(s.name, name);
	if (ioctl(fd, IOC(SUBSCRIBE), &s))
		err(1, "subscribe");
	return s;
}

static int inject(int fd, uint32_t action, uint64_t *op, uint32_t timeout_ms, uint32_t status)
{
	struct migrate_notify_inject i = {
		.action = action, .op_id = *op, .timeout_ms = timeout_ms, .status = status,
	};
	int ret = ioctl(fd, IOC(INJECT), &i) ? -errno : 0;

	*op = i.op_id;
	return ret;
}

static struct migrate_notify_event next_event(int fd, int timeout_ms)
{
	struct migrate_notify_event e;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK(poll(&p, 1, timeout_ms) == 1, "no event within %d ms", timeout_ms);
	CHECK(read(fd, &e, sizeof(e)) == sizeof(e), "read: %s", strerror(errno));
	CHECK(e.size == sizeof(e), "size %u", e.size);
	return e;
}

static const struct migrate_notify_page *map_page(int fd)
{
	void *p = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static struct migrate_notify_page read_page(const volatile struct migrate_notify_page *shared)
{
	struct migrate_notify_page p;
	uint32_t seq;

	do {
		while ((seq = __atomic_load_n(&shared->seq, __ATOMIC_ACQUIRE)) & 1)
			;
		memcpy(&p, (const void *)shared, sizeof(p));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&shared->seq, __ATOMIC_RELAXED) != seq);
	return p;
}

static void print_words(FILE *out, const char *what, const __u64 *words)
{
	unsigned int i;

	fprintf(out, "%s", what);
	for (i = 0; i < MIGRATE_NOTIFY_F_NR; i++)
		if (words[i / 64] >> i % 64 & 1)
			fprintf(out, " %s", names[i]);
	fprintf(out, "\n");
}

static void show_page(void)
{
	struct migrate_notify_page p = read_page(map_page(open_device(O_RDONLY)));
	unsigned int i;

	CHECK(p.magic == MIGRATE_NOTIFY_MAGIC && p.version == 1 && p.size == sizeof(p), "header");
	printf("generation %llu\nfeature_generation %llu\nphase %u\nstatus %u\nop_id %llu\n",
	       p.generation, p.feature_generation, p.phase, p.status, p.op_id);
	printf("waiting %u\nmigrations %llu\nsubscribers %u\ncpus %u\nlevel %u\nxcr0 %#llx\n",
	       p.waiting, p.migrations, p.subscribers, p.cpus, p.level, p.xcr0);
	printf("tsc_khz %u\nthreads_per_core %u\ncpus_per_package %u\nvendor %.12s\n",
	       p.tsc_khz, p.threads_per_core, p.cpus_per_package, p.vendor);
	printf("active");
	for (i = 0; i < MIGRATE_NOTIFY_SOURCES; i++)
		if (p.sources[i] & MIGRATE_NOTIFY_SOURCE_ACTIVE)
			printf(" %u", i);
	printf("\n");
	print_words(stdout, "usable", p.usable);
	print_words(stdout, "no_xcr0", p.no_xcr0);
	print_words(stdout, "no_kernel", p.no_kernel);
	print_words(stdout, "not_everywhere", p.somewhere);
	print_words(stdout, "added", p.added);
	print_words(stdout, "removed", p.removed);
}

/* -- the truth, by hand: neither the table nor the driver is asked ------------------------- */

static sigjmp_buf trap;

static void trapped(int sig)
{
	siglongjmp(trap, sig);
}

#define RUNS(name, insn) do {							\
	if (!sigsetjmp(trap, 1)) {						\
		asm volatile(insn ::: "rax", "rcx", "rdx", "xmm0", "memory");	\
		printf(" %s", name);						\
	}									\
} while (0)

static void show_truth(void)
{
	static const struct { const char *name; unsigned int leaf, reg, bit; } bits[] = {
		{ "ssse3", 1, 2, 9 }, { "sse4.1", 1, 2, 19 }, { "sse4.2", 1, 2, 20 },
		{ "popcnt", 1, 2, 23 }, { "aes", 1, 2, 25 }, { "osxsave", 1, 2, 27 },
		{ "avx", 1, 2, 28 }, { "fma", 1, 2, 12 }, { "bmi", 7, 1, 3 },
		{ "avx2", 7, 1, 5 }, { "bmi2", 7, 1, 8 }, { "sha", 7, 1, 29 },
	};
	unsigned int r[4], i, lo, hi;
	bool osxsave = false;

	printf("cpuid");
	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (!__get_cpuid_count(bits[i].leaf, 0, &r[0], &r[1], &r[2], &r[3]) ||
		    !(r[bits[i].reg] >> bits[i].bit & 1))
			continue;
		printf(" %s", bits[i].name);
		osxsave |= !strcmp(bits[i].name, "osxsave");
	}
	if (osxsave) {
		asm volatile("xgetbv" : "=a" (lo), "=d" (hi) : "c" (0));
		printf("\nxcr0 %#x", lo);
	}
	signal(SIGILL, trapped);
	signal(SIGSEGV, trapped);
	printf("\nruns");
	RUNS("ssse3", "pabsb %%xmm0, %%xmm0");
	RUNS("sse4.1", "pmaxsd %%xmm0, %%xmm0");
	RUNS("sse4.2", "pcmpgtq %%xmm0, %%xmm0");
	RUNS("aes", "aesenc %%xmm0, %%xmm0");
	RUNS("avx", "vaddps %%ymm0, %%ymm0, %%ymm0");
	RUNS("avx2", "vpaddd %%ymm0, %%ymm0, %%ymm0");
	RUNS("bmi2", "pextq %%rcx, %%rdx, %%rax");
	RUNS("osxsave", "xor %%ecx, %%ecx; xgetbv");
	printf("\n");
}

static void watch(const char *file, unsigned int completes)
{
	FILE *out = fopen(file, "w");
	int fd = open_device(O_RDWR);
	uint64_t op;

	if (!out)
		err(1, "%s", file);
	setlinebuf(out);
	subscribe(fd, true, ALL_EVENTS, "lab watcher");
	fprintf(out, "watching\n");
	while (completes) {
		struct migrate_notify_event e;

		CHECK(read(fd, &e, sizeof(e)) == sizeof(e), "read: %s", strerror(errno));
		fprintf(out, "%s seq=%llu op=%llu source=%u status=%u flags=%u waiting=%u "
			"duration_us=%llu ago_us=%" PRIu64 "\n", types[e.type], e.seq, e.op_id,
			e.source, e.status, e.flags, e.waiting, e.duration_ns / 1000,
			(now_ns() - (uint64_t)e.time_ns) / 1000);
		print_words(out, "  added", e.added);
		print_words(out, "  removed", e.removed);
		op = e.op_id;
		if (e.type == EV(PREPARE) && e.waiting)
			CHECK(write(fd, &op, sizeof(op)) == sizeof(op), "ack: %s", strerror(errno));
		completes -= e.type == EV(COMPLETE);
	}
}

static void tell(uint32_t action, const char *number, uint32_t timeout_ms, uint32_t status)
{
	uint64_t op = strtoull(number, NULL, 0);
	int ret = inject(open_device(O_RDONLY), action, &op, timeout_ms, status);

	printf("%" PRIu64 " %s\n", op, ret ? strerrorname_np(-ret) : "ok");
}

/* -- cases ----------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *what, uint64_t *ns, unsigned int n)
{
	qsort(ns, n, sizeof(*ns), by_size);
	printf("; %s %" PRIu64 " us (99 %% %" PRIu64 ", at most %" PRIu64 ")", what,
	       ns[n / 2] / 1000, ns[n - 1 - n / 100] / 1000, ns[n - 1] / 1000);
}

/* What any system call costs here. */
static uint64_t syscall_ns(void)
{
	uint64_t begun = now_ns();
	int i;

	for (i = 0; i < 1000; i++)
		syscall(SYS_getppid);
	return (now_ns() - begun) / 1000;
}

static void do_inject(unsigned int n, unsigned int others)
{
	const volatile struct migrate_notify_page *page;
	int fd = open_device(O_RDWR), reader = open_device(O_RDONLY);
	uint64_t seq = subscribe(reader, false, 0, "reader").cursor, op, begun = now_ns();
	uint64_t *told = calloc(n, sizeof(*told)), *ready = calloc(n, sizeof(*ready));
	unsigned int i;

	page = map_page(fd);
	subscribe(fd, true, MIGRATE_NOTIFY_MASK(EV(READY)) | MIGRATE_NOTIFY_MASK(EV(PREPARE)),
		  "acker");
	for (i = 0; i < n; i++) {
		struct migrate_notify_event e;
		uint32_t status = i % 4 + 1;
		uint64_t t;

		op = i % 2 ? 0 : 1000000 + i;
		CHECK(!inject(fd, DO(PREPARE), &op, 20000, 0), "prepare %u", i);
		CHECK(page->phase == MIGRATE_NOTIFY_PREPARING && page->waiting >= 1, "page");
		e = next_event(reader, 1000);
		CHECK(e.type == EV(PREPARE) && e.op_id == op && e.seq == seq + 1 &&
		      e.waiting == 1 + others && !e.flags && e.deadline_ns, "prepare %u", i);
		e = next_event(fd, 1000);
		CHECK(e.type == EV(PREPARE) && e.op_id == op, "prepare %u", i);
		/* The last ack is ours. */
		while (page->waiting > 1)
			usleep(100);
		t = now_ns();
		CHECK(write(fd, &op, sizeof(op)) == sizeof(op), "ack %u", i);
		e = next_event(fd, 1000);
		ready[i] = now_ns() - t;
		CHECK(e.type == EV(READY) && e.op_id == op && e.seq == seq + 2, "ready");
		CHECK(inject(fd, DO(PREPARE), &op, 0, 0) == -(i % 2 ? EINVAL : EALREADY),
		      "prepare twice %u", i);
		t = now_ns();
		CHECK(!inject(fd, DO(COMPLETE), &op, 0, status), "complete %u", i);
		e = next_event(reader, 1000);
		told[i] = now_ns() - t;
		CHECK(e.type == EV(COMPLETE) && e.op_id == op && e.seq == seq + 3 &&
		      e.status == status, "complete %u: type %u seq %llu", i, e.type, e.seq);
		CHECK(inject(fd, DO(COMPLETE), &op, 0, status) == -EALREADY, "twice");
		CHECK(page->generation == seq + 3 && page->phase == MIGRATE_NOTIFY_IDLE, "page");
		seq += 3;
	}
	printf("%u events: 0 lost, 0 duplicated, 0 unpaired; %.2f s", 3 * n,
	       (now_ns() - begun) / 1e9);
	print_times("last ack to ready", ready, n);
	print_times("complete to reader", told, n);
	printf("; a system call %" PRIu64 " ns\n", syscall_ns());
}

static void do_crowd(unsigned int n)
{
	struct rlimit files = { n + 100, n + 100 };
	struct migrate_notify_subscriber *list = calloc(n + 2, sizeof(*list));
	struct migrate_notify_list l = { .entry_size = sizeof(*list) };
	int *fds = calloc(n, sizeof(*fds)), control;
	uint64_t op = 0, begun, acked;
	struct migrate_notify_event e;
	unsigned int i, got = 0;

	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "setrlimit");
	control = open_device(O_RDWR);
	subscribe(control, false, ALL_EVENTS, "control");
	for (i = 0; i < n; i++) {
		fds[i] = open_device(O_RDWR);
		subscribe(fds[i], true, 0, "one of many");
	}
	CHECK(read_page(map_page(control)).subscribers == n + 1, "subscribers");
	for (l.after = 0; ; l.after = list[got - 1].id) {
		l.count = n + 2 - got;
		if (l.count > MIGRATE_NOTIFY_LIST_MAX)
			l.count = MIGRATE_NOTIFY_LIST_MAX;
		l.entries = (uintptr_t)(list + got);
		CHECK(!ioctl(control, IOC(LIST), &l), "list: %s", strerror(errno));
		if (!l.count)
			break;
		got += l.count;
	}
	CHECK(got == n + 1, "%u listed", got);

	begun = now_ns();
	CHECK(!inject(control, DO(PREPARE), &op, 20000, 0), "prepare");
	for (i = 0; i < n; i++) {
		e = next_event(fds[i], 1000);
		CHECK(e.type == EV(PREPARE) && e.op_id == op && e.waiting == n, "told");
		CHECK(write(fds[i], &op, sizeof(op)) == sizeof(op), "ack");
	}
	acked = now_ns();
	e = next_event(control, 1000);
	CHECK(e.type == EV(PREPARE), "type %u", e.type);
	e = next_event(control, 1000);
	CHECK(e.type == EV(READY) && !e.waiting, "type %u", e.type);
	CHECK(!inject(control, DO(COMPLETE), &op, 0, 1), "complete");
	for (i = 0; i < n; i++) {
		e = next_event(fds[i], 1000);
		CHECK(e.type == EV(COMPLETE) && e.op_id == op, "%u: %u", i, e.type);
	}
	printf("%u subscribers told and acked in %" PRIu64 " us\n", n, (acked - begun) / 1000);
}

/* Waits for a byte, answers with one; then for an event, and acks. */
static void one_of_herd(int wake, int answer)
{
	int fd = open_device(O_RDWR);
	struct migrate_notify_event e;
	char byte = 0;

	subscribe(fd, true, 0, "one of a herd");
	CHECK(write(answer, &byte, 1) == 1, "born");
	CHECK(read(wake, &byte, 1) == 1 && write(answer, &byte, 1) == 1, "woken");
	for (;;) {
		uint64_t op;

		CHECK(read(fd, &e, sizeof(e)) == sizeof(e), "read");
		op = e.op_id;
		if (e.type == EV(PREPARE))
			CHECK(write(fd, &op, sizeof(op)) == sizeof(op), "ack");
	}
}

static void await(int fd, unsigned int bytes)
{
	char byte;

	while (bytes--)
		CHECK(read(fd, &byte, 1) == 1, "read");
}

static void do_herd(unsigned int n)
{
	int control = open_device(O_RDWR), answer[2], wake[2];
	pid_t *pid = calloc(n, sizeof(*pid));
	char *bytes = calloc(n, 1);
	struct migrate_notify_event e;
	uint64_t op = 0, woken;
	unsigned int i;

	subscribe(control, false, ALL_EVENTS, "control");
	CHECK(!pipe(answer) && !pipe(wake), "pipe");
	for (i = 0; i < n; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0, "fork: %s", strerror(errno));
		if (!pid[i])
			one_of_herd(wake[0], answer[1]);
	}
	await(answer[0], n);
	usleep(200000);
	woken = now_ns();
	CHECK(write(wake[1], bytes, n) == (ssize_t)n, "wake");
	await(answer[0], n);
	woken = now_ns() - woken;
	usleep(200000);
	CHECK(!inject(control, DO(PREPARE), &op, 20000, 0), "prepare");
	CHECK(next_event(control, 1000).waiting == n, "waiting");
	e = next_event(control, 20000);
	CHECK(e.type == EV(READY), "type %u", e.type);
	CHECK(!inject(control, DO(COMPLETE), &op, 0, 1), "complete");
	for (i = 0; i < n; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	printf("%u processes told and acked in %llu us, %.1f x a pipe that wakes them\n", n,
	       e.duration_ns / 1000, (double)e.duration_ns / woken);
}

static void do_refuse(void)
{
	struct migrate_notify_ack ack = { .flags = MIGRATE_NOTIFY_ACK_REFUSE };
	int control = open_device(O_RDWR), a = open_device(O_RDWR), b = open_device(O_RDWR);
	struct migrate_notify_event e;
	uint64_t op = 0;
	pid_t child;

	subscribe(control, false, ALL_EVENTS, "control");
	subscribe(a, true, 0, "a");
	subscribe(b, true, 0, "b");
	child = fork();
	if (!child) {
		close(a);
		close(b);
		subscribe(open_device(O_RDWR), true, 0, "dies");
		pause();
	}
	while (read_page(map_page(control)).subscribers < 4)
		usleep(1000);
	usleep(100000);
	CHECK(!inject(control, DO(PREPARE), &op, 20000, 0), "prepare");
	CHECK(inject(control, DO(PREPARE), &(uint64_t){ 77 }, 0, 0) == -EBUSY, "busy");
	ack.op_id = op;
	CHECK(write(a, &ack, sizeof(ack)) == sizeof(ack), "refuse");
	CHECK(write(a, &op, 8) == 8, "ack twice is harmless");
	close(b);
	e = next_event(control, 1000);
	CHECK(e.type == EV(PREPARE) && e.waiting == 3, "waiting %u", e.waiting);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	e = next_event(control, 1000);
	CHECK(e.type == EV(READY) && e.refused == 1, "%u %u", e.type, e.refused);
	CHECK(write(a, &op, 8) == 8, "ack twice is harmless, later too");
	subscribe(control, true, ALL_EVENTS, "control");
	CHECK(write(control, &op, 8) == -1 && errno == ESTALE, "too late");
	subscribe(control, false, ALL_EVENTS, "control");
	/* Nobody ends it; another one begins: it does not stay open. */
	op = 4711;
	CHECK(!inject(control, DO(PREPARE), &op, 20000, 0), "another");
	e = next_event(control, 1000);
	CHECK(e.type == EV(COMPLETE) && e.status == MIGRATE_NOTIFY_UNKNOWN, "ended");
	e = next_event(control, 1000);
	CHECK(e.type == EV(PREPARE) && e.op_id == 4711, "begun");
	op = 0;
	CHECK(!inject(control, DO(MOVING), &op, 0, 0) && op == 4711, "moving");
	e = next_event(control, 1000);
	CHECK(e.type == EV(MOVING) && e.waiting == 1, "waiting %u", e.waiting);
	op = 0;
	CHECK(!inject(control, DO(COMPLETE), &op, 0, 3) && op == 4711, "failed");
	e = next_event(control, 1000);
	CHECK(e.type == EV(COMPLETE) && e.status == MIGRATE_NOTIFY_FAILED, "failed");
	/* One that nobody announced. */
	op = 4712;
	CHECK(!inject(control, DO(COMPLETE), &op, 0, 1), "unannounced");
	e = next_event(control, 1000);
	CHECK(e.type == EV(PREPARE) && e.flags & MIGRATE_NOTIFY_EVENT_SYNTHETIC, "made up");
	e = next_event(control, 1000);
	CHECK(e.type == EV(COMPLETE) && e.op_id == 4712, "paired");
	printf("refused, closed, died, too late, superseded, unannounced\n");
}

static void step_clock(int seconds)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += seconds;
	CHECK(!clock_settime(CLOCK_REALTIME, &t), "clock_settime: %s", strerror(errno));
}

static void do_deadline(unsigned int ms)
{
	int control = open_device(O_RDWR), lazy = open_device(O_RDWR);
	struct migrate_notify_event e;
	uint64_t op = 0, begun, took;

	subscribe(control, false, ALL_EVENTS, "control");
	subscribe(lazy, true, 0, "lazy");
	begun = now_ns();
	CHECK(!inject(control, DO(PREPARE), &op, ms, 0), "prepare");
	next_event(control, 1000);
	step_clock(86400);
	usleep(ms * 500);
	step_clock(-2 * 86400);
	e = next_event(control, ms + 1000);
	took = (now_ns() - begun) / 1000000;
	step_clock(86400);
	CHECK(e.type == EV(TIMED_OUT) && e.waiting == 1, "type %u", e.type);
	CHECK(took >= ms && took < ms + 200, "%" PRIu64 " ms instead of %u", took, ms);
	CHECK(write(lazy, &op, 8) == -1 && errno == ESTALE, "too late");
	CHECK(!inject(control, DO(COMPLETE), &op, 0, 2), "complete");
	printf("timed out after %" PRIu64 " ms of %u\n", took, ms);
}

/* A subscriber of its own process; it acks, or does not. */
static pid_t start_victim(bool acks)
{
	int born[2];
	pid_t pid;

	CHECK(!pipe(born), "pipe");
	pid = fork();
	if (!pid) {
		int fd = open_device(O_RDWR);
		struct migrate_notify_event e;
		char byte = 0;

		subscribe(fd, true, 0, "victim");
		CHECK(write(born[1], &byte, 1) == 1, "born");
		for (;;) {
			uint64_t op;

			CHECK(read(fd, &e, sizeof(e)) == sizeof(e), "read");
			op = e.op_id;
			if (acks && e.type == EV(PREPARE) && write(fd, &op, sizeof(op)) < 0)
				CHECK(errno == ESTALE, "ack: %s", strerror(errno));
		}
	}
	await(born[0], 1);
	close(born[0]);
	close(born[1]);
	return pid;
}

/* The next event has to be this one. */
static struct migrate_notify_event expect_event(int fd, uint64_t *seq, uint64_t op, uint16_t type)
{
	struct migrate_notify_event e = next_event(fd, 2000);

	CHECK(e.type == type && e.op_id == op && e.seq == ++*seq, "%s instead of %s, seq %llu",
	      types[e.type], types[type], e.seq);
	return e;
}

static void end_operation(int fd, uint64_t *seq, uint64_t op)
{
	CHECK(!inject(fd, DO(COMPLETE), &op, 0, 1), "complete");
	expect_event(fd, seq, op, EV(COMPLETE));
}

/* The victim is hit in that phase (IDLE: when all is over), and must not be missed. */
static void hit(int control, uint64_t *seq, uint32_t phase, int sig)
{
	const volatile struct migrate_notify_page *page = map_page(control);
	bool stops = phase == MIGRATE_NOTIFY_PREPARING && sig == SIGSTOP;
	bool late = phase == MIGRATE_NOTIFY_TIMED_OUT || stops;
	pid_t victim = start_victim(!late && phase != MIGRATE_NOTIFY_PREPARING);
	uint64_t op = 0;

	CHECK(!inject(control, DO(PREPARE), &op, late ? 100 : 20000, 0), "prepare");
	CHECK(expect_event(control, seq, op, EV(PREPARE)).waiting == 1, "waiting");
	if (phase == MIGRATE_NOTIFY_PREPARING) {
		kill(victim, sig);
		CHECK(expect_event(control, seq, op, stops ? EV(TIMED_OUT) : EV(READY)).waiting ==
		      stops, "waiting");
	} else {
		expect_event(control, seq, op, late ? EV(TIMED_OUT) : EV(READY));
		if (phase == MIGRATE_NOTIFY_MOVING) {
			CHECK(!inject(control, DO(MOVING), &op, 0, 0), "moving");
			expect_event(control, seq, op, EV(MOVING));
		} else if (phase == MIGRATE_NOTIFY_IDLE) {
			end_operation(control, seq, op);
		}
		CHECK(page->phase == phase, "phase %u", page->phase);
		kill(victim, sig);
	}
	if (sig == SIGKILL)
		waitpid(victim, NULL, 0);
	if (page->phase != MIGRATE_NOTIFY_IDLE)
		end_operation(control, seq, op);

	/* The next one waits for who stands still, until he dies. */
	op = 0;
	CHECK(!inject(control, DO(PREPARE), &op, 20000, 0), "prepare");
	expect_event(control, seq, op, EV(PREPARE));
	if (sig == SIGSTOP) {
		CHECK(page->phase == MIGRATE_NOTIFY_PREPARING && page->waiting == 1, "waiting");
		kill(victim, SIGKILL);
		waitpid(victim, NULL, 0);
	}
	expect_event(control, seq, op, EV(READY));
	end_operation(control, seq, op);
	CHECK(page->subscribers == 1, "%u subscribers", page->subscribers);
	munmap((void *)page, sysconf(_SC_PAGESIZE));
}

static void do_phases(void)
{
	int control = open_device(O_RDWR);
	uint64_t seq = subscribe(control, false, ALL_EVENTS, "control").cursor;
	uint32_t phase;

	for (phase = MIGRATE_NOTIFY_IDLE; phase <= MIGRATE_NOTIFY_MOVING; phase++) {
		hit(control, &seq, phase, SIGKILL);
		hit(control, &seq, phase, SIGSTOP);
	}
	printf("died and stopped in each phase: %" PRIu64 " events, none lost or alone\n", seq);
}

/* Unloads the module as soon as that is possible. */
static void unloader(unsigned int us)
{
	usleep(us);
	while (syscall(SYS_delete_module, "migrate_notify", O_NONBLOCK))
		CHECK(errno == EAGAIN || errno == EBUSY, "delete_module: %s", strerror(errno));
	exit(0);
}

static void do_churn(unsigned int n, const char *file)
{
	unsigned int i, k, operations = 0;

	srand(1);
	for (i = 0; i < n; i++) {
		int module = open(file, O_RDONLY | O_CLOEXEC), fd, status;
		pid_t pid;

		CHECK(module >= 0 && !syscall(SYS_finit_module, module, "", 0), "%s: %s", file,
		      strerror(errno));
		close(module);
		pid = fork();
		if (!pid)
			unloader(rand() % 8000);
		for (k = 0; k < 8; k++) {
			uint64_t op = 0;

			fd = open(MIGRATE_NOTIFY_DEVICE, O_RDWR | O_CLOEXEC);
			if (fd < 0)
				break;		/* unloaded */
			subscribe(fd, true, 0, "churn");
			operations += !inject(fd, DO(PREPARE), &op, 1, 0);
			usleep(rand() % 2000);
			close(fd);
		}
		CHECK(waitpid(pid, &status, 0) == pid && !status, "the unloader: %d", status);
		CHECK(access(MIGRATE_NOTIFY_DEVICE, F_OK), "the device is still there");
	}
	CHECK(operations > n / 2, "%u operations are too few", operations);
	printf("%u times loaded and unloaded around %u prepares of 1 ms\n", n, operations);
}

static void do_burn(void)
{
	printf("burning\n");
	fflush(stdout);
	for (;;)
		asm volatile("aesenc %%xmm0, %%xmm0" ::: "xmm0");
}

/* What tells CPUs apart is not in it; what XCR0 says is, and does not change. */
static uint64_t some_features(void)
{
	unsigned int a, b, c, d, b7 = 0;

	__cpuid(0, a, b, c, d);
	if (a >= 7)
		__cpuid_count(7, 0, b, b7, c, d);
	__cpuid(1, a, b, c, d);
	return (uint64_t)b7 << 32 | c;
}

/* On one CPU that never idles, so that the moment of the move is seen. */
static void do_resumed(void)
{
	int fd = open_device(O_RDONLY | O_NONBLOCK);
	struct migrate_notify_event e = { };
	uint64_t before, moved, read_at;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	subscribe(fd, false, MIGRATE_NOTIFY_MASK(EV(COMPLETE)) | MIGRATE_NOTIFY_MASK(EV(CHANGED)),
		  "resumed");
	before = some_features();
	printf("watching\n");
	fflush(stdout);
	do
		moved = now_ns();
	while (some_features() == before);
	while (read(fd, &e, sizeof(e)) != sizeof(e))
		;
	read_at = now_ns();
	printf("%s %" PRId64 " us after the move, read after %" PRIu64 " us\n", types[e.type],
	       ((int64_t)e.time_ns - (int64_t)moved) / 1000, (read_at - moved) / 1000);
}

static void do_woken(void)
{
	const volatile struct migrate_notify_page *page = map_page(open_device(O_RDONLY));
	uint64_t seen = page->generation, before = some_features(), woken;

	printf("watching\n");
	fflush(stdout);
	do {
		usleep(300000);
		woken = now_ns();
	} while (some_features() == before);
	if (page->generation != seen)
		printf("told before anything ran\n");
	while (page->generation == seen)
		;
	printf("told %" PRIu64 " us after something ran\n", (now_ns() - woken) / 1000);
}

/* Tells, and waits until it is no longer being prepared. */
static void make_ready(const char *number)
{
	const volatile struct migrate_notify_page *page = map_page(open_device(O_RDONLY));
	uint64_t op = strtoull(number, NULL, 0);

	tell(DO(PREPARE), number, 20000, 0);
	while (page->op_id == op && page->phase == MIGRATE_NOTIFY_PREPARING)
		usleep(1000);
	CHECK(page->op_id == op && page->phase == MIGRATE_NOTIFY_READY, "phase %u", page->phase);
}

static void do_hold(void)
{
	subscribe(open_device(O_RDWR), true, 0, "holder");
	map_page(open_device(O_RDONLY));
	printf("holding\n");
	fflush(stdout);
	pause();
}

static void expect_errno(long ret, int want, const char *what)
{
	if (ret != -1 || errno != want)
		errx(1, "%s: %ld, %s, not %s", what, ret,
		     ret == -1 ? strerrorname_np(errno) : "no error",
		     strerrorname_np(want));
}

static void do_bad(void)
{
	char buf[4096] = "", *volatile nowhere = NULL;
	struct migrate_notify_subscribe s = {};
	struct migrate_notify_inject i = {};
	struct migrate_notify_list l = {};
	struct { struct migrate_notify_inject i; uint64_t more; } big = {};
	int ro = open_device(O_RDONLY), rw = open_device(O_RDWR), n;
	uint64_t op = 1;
	unsigned int k;
	void *page;

	expect_errno(read(ro, buf, 0), EINVAL, "read 0");
	expect_errno(read(ro, buf, 135), EINVAL, "read 135");
	fcntl(ro, F_SETFL, O_NONBLOCK);
	expect_errno(read(ro, buf, sizeof(buf)), EAGAIN, "nothing to read");
	expect_errno(write(ro, &op, 8), EBADF, "write to a read-only descriptor");
	for (n = 0; n < 64; n++)
		if (n != 8 && n != 16)
			expect_errno(write(rw, buf, n), EINVAL, "write of a wrong length");
	expect_errno(write(rw, &op, 8), EPERM, "ack of one who does not delay");
	expect_errno(write(rw, nowhere, 8), EFAULT, "ack from nowhere");
	expect_errno(lseek(rw, 0, SEEK_SET), ESPIPE, "lseek");
	expect_errno((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0), EROFS,
		     "map rw");
	expect_errno((long)mmap(NULL, 8192, PROT_READ, MAP_SHARED, rw, 0), EINVAL, "map 2 pages");
	expect_errno((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, rw, 4096), EINVAL, "offset");
	page = (void *)map_page(rw);
	expect_errno(mprotect(page, 4096, PROT_READ | PROT_WRITE), EACCES, "mprotect");
	expect_errno((long)mremap(page, 4096, 8192, MREMAP_MAYMOVE), EFAULT, "mremap");

	for (k = 0; k < 256; k++)
		if (k < 1 || k > 3)
			expect_errno(ioctl(rw, _IOWR(MIGRATE_NOTIFY_IOC, k, buf), buf), ENOTTY,
				     "unknown ioctl");
	expect_errno(ioctl(rw, _IOWR(MIGRATE_NOTIFY_IOC, 2, int), buf), EINVAL, "small inject");
	for (k = 1; k <= 3; k++)
		expect_errno(ioctl(rw, _IOC(_IOC_READ | _IOC_WRITE, MIGRATE_NOTIFY_IOC, k, 200),
				   NULL), EFAULT, "NULL");

	s.flags = 2;
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "unknown flag");
	s = (struct migrate_notify_subscribe){ .events = 1 };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "event 0");
	s = (struct migrate_notify_subscribe){ .events = 1u << 7 };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "event 7");
	s = (struct migrate_notify_subscribe){ .name = "a\nb" };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "name with a newline");
	s = (struct migrate_notify_subscribe){ .name = { [31] = 'x' } };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "name not ended");
	s = (struct migrate_notify_subscribe){ .name = { 'a', 0, 'b' } };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "name and more");
	s = (struct migrate_notify_subscribe){ .flags = MIGRATE_NOTIFY_SUBSCRIBE_DELAY };
	expect_errno(ioctl(ro, IOC(SUBSCRIBE), &s), EPERM, "delay by a watcher");
	s = (struct migrate_notify_subscribe){ .flags = MIGRATE_NOTIFY_SUBSCRIBE_DELAY,
					       .events = MIGRATE_NOTIFY_MASK(EV(READY)) };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "delay without PREPARE");
	s = (struct migrate_notify_subscribe){ .event_size = 135 };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "small records");
	s = (struct migrate_notify_subscribe){ .reserved = 1 };
	expect_errno(ioctl(rw, IOC(SUBSCRIBE), &s), EINVAL, "a reserved field");

	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "action 0");
	i.action = 4;
	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "action 4");
	i.action = 0x10001;
	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "action 65537");
	i = (struct migrate_notify_inject){ .action = 3 };
	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "no status");
	i.status = 5;
	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "status 5");
	i = (struct migrate_notify_inject){ .action = 1, .status = 1 };
	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "status of a prepare");
	i = (struct migrate_notify_inject){ .action = 1, .flags = 2 };
	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "unknown flag");
	i = (struct migrate_notify_inject){ .action = 1, .op_id = 1ull << 63 };
	expect_errno(ioctl(rw, IOC(INJECT), &i), EINVAL, "a number of the driver's");
	i = (struct migrate_notify_inject){ .action = 2, .op_id = 123 };
	expect_errno(ioctl(rw, IOC(INJECT), &i), ENOENT, "moving of nothing");
	i = (struct migrate_notify_inject){ .action = 3, .status = 1, .op_id = 3ull << 62 };
	expect_errno(ioctl(rw, IOC(INJECT), &i), ENOENT, "complete of nothing of ours");
	big.i.action = 3;
	big.more = 1;
	expect_errno(ioctl(rw, _IOWR(MIGRATE_NOTIFY_IOC, 2, big), &big),
		     E2BIG, "more than the driver knows");

	expect_errno(ioctl(rw, IOC(LIST), &l), EINVAL, "list of nothing");
	l = (struct migrate_notify_list){ .entry_size = 96, .count = 1025 };
	expect_errno(ioctl(rw, IOC(LIST), &l), EINVAL, "list of too many");
	l = (struct migrate_notify_list){ .entry_size = 95, .count = 1 };
	expect_errno(ioctl(rw, IOC(LIST), &l), EINVAL, "small entries");
	l = (struct migrate_notify_list){ .entry_size = 96, .count = 1 };
	expect_errno(ioctl(rw, IOC(LIST), &l), EFAULT, "list to nowhere");
	CHECK(read_page(map_page(ro)).generation == 0, "something of this was taken for an event");
	printf("all refused\n");
}

static void do_cursors(void)
{
	struct migrate_notify_subscribe s = { .cursor = MIGRATE_NOTIFY_CURSOR_NOW,
					      .event_size = 200 };
	struct migrate_notify_inject drill = { .action = 3, .status = 2,
					       .flags = MIGRATE_NOTIFY_INJECT_SIMULATE,
					       .expect_added = { } };
	int fd = open_device(O_RDWR), control = open_device(O_RDWR);
	struct migrate_notify_event e;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	uint64_t op = 0;

	CHECK(!ioctl(fd, IOC(SUBSCRIBE), &s) && s.event_size == sizeof(e), "%u", s.event_size);
	CHECK(s.instance && s.instance == read_page(map_page(fd)).instance, "instance");
	CHECK(!inject(control, DO(PREPARE), &op, 0, 0), "prepare");
	CHECK(!inject(control, DO(COMPLETE), &op, 0, 2), "complete");
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT), "poll %x", p.revents);
	CHECK(next_event(fd, 0).type == EV(PREPARE), "prepare");
	CHECK(!(next_event(fd, 0).flags & MIGRATE_NOTIFY_EVENT_LOST), "nothing was lost");
	s.cursor = MIGRATE_NOTIFY_CURSOR_NOW;
	s.instance++;
	CHECK(!ioctl(fd, IOC(SUBSCRIBE), &s), "subscribe");
	CHECK(next_event(fd, 0).flags & MIGRATE_NOTIFY_EVENT_LOST, "another load's cursor");
	CHECK(!(next_event(fd, 0).flags & MIGRATE_NOTIFY_EVENT_LOST), "said once");
	/* Features that this driver does not know, and a drill that means what is real. */
	drill.action = 1;
	drill.status = drill.flags = 0;
	drill.expect_added[3] = 1ull << 63;
	CHECK(!ioctl(control, IOC(INJECT), &drill), "unknown features");
	e = (struct migrate_notify_event){ };
	while (e.op_id != drill.op_id)
		e = next_event(fd, 0);
	CHECK(!e.added[3], "unknown features are not passed on");
	op = drill.op_id;
	drill = (struct migrate_notify_inject){ .action = 3, .status = 1,
						.flags = MIGRATE_NOTIFY_INJECT_SIMULATE };
	expect_errno(ioctl(control, IOC(INJECT), &drill), ENOENT, "a drill ends what is real");
	op = 0;
	CHECK(!inject(control, DO(COMPLETE), &op, 0, 2), "complete");
	printf("instance, records, unknown features, drills\n");
}

static void do_race(unsigned int n)
{
	int control = open_device(O_RDWR);
	unsigned int i, waited = 0;
	pid_t child = fork();

	if (!child) {
		for (;;) {
			uint64_t op = 0;

			if (!inject(control, DO(PREPARE), &op, 20, 0))
				inject(control, DO(COMPLETE), &op, 0, 2);
		}
	}
	for (i = 0; i < n; i++) {
		struct migrate_notify_subscriber own;
		struct migrate_notify_list l = { .entry_size = sizeof(own), .count = 1,
						 .entries = (uintptr_t)&own };
		int fd = open_device(O_RDWR);
		struct pollfd p = { .fd = fd, .events = POLLIN };

		l.after = subscribe(fd, true, 0, "racer").id - 1;
		CHECK(!ioctl(fd, IOC(LIST), &l) && l.count == 1, "list");
		if (own.flags & MIGRATE_NOTIFY_SUBSCRIBER_WAITING) {
			CHECK(poll(&p, 1, 0) == 1, "%u: waited for, and never told", i);
			waited++;
		}
		close(fd);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("%u of %u waited for, all told\n", waited, n);
}

static void do_users(void)
{
	struct migrate_notify_subscribe s = { .flags = MIGRATE_NOTIFY_SUBSCRIBE_DELAY };
	struct migrate_notify_inject i = { .action = 1 };
	struct migrate_notify_subscriber own[8];
	struct migrate_notify_list l = { .entry_size = sizeof(*own), .count = 8,
					 .entries = (uintptr_t)own };
	int fds[600], n, ro;

	expect_errno(open(MIGRATE_NOTIFY_DEVICE, O_RDWR), EACCES, "delay without the group");
	ro = open_device(O_RDONLY);
	expect_errno(ioctl(ro, IOC(INJECT), &i), EPERM, "inject by an ordinary user");
	expect_errno(ioctl(ro, IOC(SUBSCRIBE), &s), EPERM, "delay by a watcher");
	CHECK(read_page(map_page(ro)).subscribers > 1, "nobody else to be hidden");
	CHECK(!ioctl(ro, IOC(LIST), &l) && l.count == 1 && own[0].uid == getuid(),
	      "%u listed", l.count);
	for (n = 0; n < 600; n++) {
		fds[n] = open(MIGRATE_NOTIFY_DEVICE, O_RDONLY);
		if (fds[n] < 0)
			break;
	}
	CHECK(n < 600 && errno == EDQUOT, "%d open: %s", n, strerror(errno));
	close(fds[0]);
	CHECK(open(MIGRATE_NOTIFY_DEVICE, O_RDONLY) >= 0, "one closed, one opened");
	printf("%d descriptors, then EDQUOT\n", n + 1);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned int n = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;

	if (!strcmp(what, "page"))
		show_page();
	else if (!strcmp(what, "age"))
		printf("%" PRIu64 "\n", (now_ns() - (uint64_t)read_page(map_page(
			open_device(O_RDONLY))).complete_ns) / 1000000);
	else if (!strcmp(what, "truth"))
		show_truth();
	else if (!strcmp(what, "watch") && argc > 2)
		watch(argv[2], argc > 3 ? strtoul(argv[3], NULL, 0) : 1);
	else if (!strcmp(what, "prepare") && argc > 2)
		tell(DO(PREPARE), argv[2], argc > 3 ? atoi(argv[3]) : 0, 0);
	else if (!strcmp(what, "complete") && argc > 3)
		tell(DO(COMPLETE), argv[2], 0, atoi(argv[3]));
	else if (!strcmp(what, "inject"))
		do_inject(n, argc > 3 ? atoi(argv[3]) : 0);
	else if (!strcmp(what, "crowd"))
		do_crowd(n);
	else if (!strcmp(what, "herd"))
		do_herd(n);
	else if (!strcmp(what, "phases"))
		do_phases();
	else if (!strcmp(what, "churn") && argc > 3)
		do_churn(n, argv[3]);
	else if (!strcmp(what, "burn"))
		do_burn();
	else if (!strcmp(what, "resumed"))
		do_resumed();
	else if (!strcmp(what, "woken"))
		do_woken();
	else if (!strcmp(what, "ready") && argc > 2)
		make_ready(argv[2]);
	else if (!strcmp(what, "refuse"))
		do_refuse();
	else if (!strcmp(what, "deadline"))
		do_deadline(n);
	else if (!strcmp(what, "hold"))
		do_hold();
	else if (!strcmp(what, "bad"))
		do_bad();
	else if (!strcmp(what, "cursors"))
		do_cursors();
	else if (!strcmp(what, "race"))
		do_race(n);
	else if (!strcmp(what, "users"))
		do_users();
	else
		errx(2, "what? See the source");
	return 0;
}
