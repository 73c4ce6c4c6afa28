// SPDX-License-Identifier: GPL-2.0-only
/* hybridctl bench */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"
#include "commands.h"
#include "out.h"

#define DEVICE		"kernel/debug/hybrid/bench"
#define ANSWER_MAX	4096
#define EMPTY_ROUNDS	1000
#define CALIBRATE_NS	20000000

/*
 * In user space
 */

static uint64_t begin(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static uint64_t end(void)
{
	unsigned int cpu;
	uint64_t t = __rdtscp(&cpu);

	_mm_lfence();
	return t;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static uint64_t tsc_khz(void)
{
	uint64_t ns0 = now_ns(), t0 = __rdtsc(), ns, t;

	do {
		ns = now_ns();
		t = __rdtsc();
	} while (ns - ns0 < CALIBRATE_NS);
	return (t - t0) * 1000000 / (ns - ns0);
}

void hc_bench_user_cpuid(uint32_t count, struct hc_bench_result *r)
{
	uint64_t empty = UINT64_MAX, min = UINT64_MAX, sum = 0;

	for (int i = 0; i < EMPTY_ROUNDS; i++) {
		uint64_t t = begin();

		t = end() - t;
		if (t < empty)
			empty = t;
	}
	for (uint32_t i = 0; i < count; i++) {
		unsigned int eax, ebx, ecx, edx;
		uint64_t t = begin();

		__cpuid_count(0, 0, eax, ebx, ecx, edx);
		t = end() - t;
		t -= t < empty ? t : empty;
		if (t < min)
			min = t;
		sum += t;
	}
	r->count = count;
	r->min = min;
	r->avg = sum / count;
	r->khz = tsc_khz();
	r->user = true;
}

uint64_t hc_bench_tenths_ns(uint64_t cycles, uint64_t khz)
{
	return khz ? (unsigned __int128)cycles * 10000000 / khz : 0;
}

/*
 * In the kernel
 */

static int op_find(const char *name)
{
	for (int op = 0; op < HC_BENCH_NR; op++)
		if (!strcmp(name, hc_bench_name(op)))
			return op;
	return -EINVAL;
}

int hc_bench_parse_list(const char *text, struct hc_bench_avail avail[HC_BENCH_NR])
{
	char line[256];

	for (int op = 0; op < HC_BENCH_NR; op++) {
		avail[op].available = false;
		strcpy(avail[op].reason, "this hybrid.ko does not know it");
	}
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *state;
		int op;

		if (len >= sizeof(line))
			return -EINVAL;
		memcpy(line, text, len);
		line[len] = '\0';
		text += len + (text[len] == '\n');

		state = strchr(line, ' ');
		if (!state)
			return -EINVAL;
		*state++ = '\0';
		op = op_find(line);
		if (op < 0)
			continue;
		if (!strcmp(state, "available")) {
			avail[op].available = true;
			avail[op].reason[0] = '\0';
		} else if (!strncmp(state, "unavailable", 11)) {
			snprintf(avail[op].reason, sizeof(avail[op].reason), "%s",
				 state[11] == ' ' ? state + 12 : "not available here");
		} else {
			return -EINVAL;
		}
	}
	return 0;
}

int hc_bench_parse_result(const char *text, enum hc_bench_op op, struct hc_bench_result *r)
{
	char name[32];
	int end = 0;

	memset(r, 0, sizeof(*r));
	if (sscanf(text, "%31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %n", name,
		   &r->count, &r->min, &r->avg, &r->khz, &end) != 5)
		return -EINVAL;
	if (text[end] || strcmp(name, hc_bench_name(op)) || !r->count || !r->khz)
		return -EINVAL;
	return 0;
}

static int read_answer(int fd, char buf[ANSWER_MAX])
{
	ssize_t n = hc_read_all(fd, buf, ANSWER_MAX - 1);

	if (n < 0)
		return n;
	if (n == ANSWER_MAX - 1)
		return -EFBIG;
	buf[n] = '\0';
	return 0;
}

static int device_open(const struct hc_roots *roots)
{
	char path[PATH_MAX];
	int fd;

	if (hc_path(path, sizeof(path), roots->sys, DEVICE))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int device_list(const struct hc_roots *roots, struct hc_bench_avail avail[HC_BENCH_NR])
{
	char answer[ANSWER_MAX];
	int fd = device_open(roots), err;

	if (fd < 0)
		return fd;
	err = read_answer(fd, answer);
	close(fd);
	return err ?: hc_bench_parse_list(answer, avail);
}

static int device_run(const struct hc_roots *roots, enum hc_bench_op op, uint32_t count,
		      struct hc_bench_result *r)
{
	char request[64], answer[ANSWER_MAX];
	int fd = device_open(roots), err = 0, len;

	if (fd < 0)
		return fd;
	errno = 0;
	len = snprintf(request, sizeof(request), "%s %" PRIu32, hc_bench_name(op), count);
	/* One write is one request: a short one would be another request. */
	if (write(fd, request, len) != len)
		err = errno ? -errno : -EIO;
	/* The answer starts at 0, whether or not the write moved the position. */
	lseek(fd, 0, SEEK_SET);
	err = err ?: read_answer(fd, answer);
	close(fd);
	return err ?: hc_bench_parse_result(answer, op, r);
}

/* Why the device cannot be used, and the exit code if just that was asked for. */
static enum hc_exit device_problem(const struct hc_roots *roots, int err, const char **reason)
{
	if (!hc_exists(roots->sys, "module/hybrid")) {
		*reason = "hybrid.ko is not loaded: modprobe hybrid";
		return HC_EXIT_MODULE;
	}
	switch (err) {
	case -EACCES:
		*reason = "needs root, as debugfs is root's";
		return HC_EXIT_PERM;
	case -EPERM:
		*reason = "kernel lockdown (Secure Boot) forbids debugfs";
		return HC_EXIT_PERM;
	case -ENOENT:
		*reason = "no debugfs: mount -t debugfs debugfs /sys/kernel/debug";
		return HC_EXIT_FAILURE;
	default:
		*reason = "debugfs hybrid/bench does not answer as documented";
		return HC_EXIT_FAILURE;
	}
}

static const char *run_problem(int err)
{
	switch (err) {
	case -ENODEV:
		return "not available here";
	case -EINTR:
		return "interrupted by a signal";
	case -EINVAL:
		return "hybrid.ko refused it, or its answer makes no sense";
	default:
		return strerror(-err);
	}
}

/*
 * The command
 */

struct bench {
	const struct hc_args *a;
	struct hc_bench_avail avail[HC_BENCH_NR];
	struct hc_bench_result result[HC_BENCH_NR];
	bool module;
	bool user;			/* cpuid only, in user space */
	enum hc_exit missing;		/* the exit code if an op asked for is not available */
};

static bool wanted(const struct bench *b, int op)
{
	return !b->a->bench || b->a->bench >> op & 1;
}

static void probe(struct bench *b, const struct hc_roots *roots)
{
	int err = device_list(roots, b->avail);
	const char *reason;

	b->module = hc_exists(roots->sys, "module/hybrid");
	b->missing = HC_EXIT_FAILURE;
	if (!err)
		return;
	b->missing = device_problem(roots, err, &reason);
	for (int op = 0; op < HC_BENCH_NR; op++) {
		b->avail[op].available = false;
		snprintf(b->avail[op].reason, sizeof(b->avail[op].reason), "%s", reason);
	}
	b->avail[HC_BENCH_CPUID].available = true;
	b->user = true;
}

static enum hc_exit run(struct bench *b, const struct hc_roots *roots)
{
	enum hc_exit ret = HC_EXIT_OK;

	for (int op = 0; op < HC_BENCH_NR; op++) {
		int err;

		if (!wanted(b, op))
			continue;
		if (!b->avail[op].available) {
			if (b->a->bench)
				ret = b->missing;
			continue;
		}
		if (b->user) {
			hc_bench_user_cpuid(b->a->count, &b->result[op]);
			continue;
		}
		err = device_run(roots, op, b->a->count, &b->result[op]);
		if (!err)
			continue;
		b->avail[op].available = false;
		snprintf(b->avail[op].reason, sizeof(b->avail[op].reason), "%s", run_problem(err));
		ret = HC_EXIT_FAILURE;
	}
	return ret;
}

static void tenths_text(uint64_t tenths, char *buf, size_t size)
{
	snprintf(buf, size, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
}

static void print_results(const struct bench *b, FILE *out)
{
	bool header = false;

	for (int op = 0; op < HC_BENCH_NR; op++) {
		const struct hc_bench_result *r = &b->result[op];
		char min_ns[32], avg_ns[32];

		if (!wanted(b, op) || !b->avail[op].available)
			continue;
		if (!header)
			fprintf(out, "%-18s %12s %12s %12s %12s\n", "Operation", "min cycles",
				"avg cycles", "min ns", "avg ns");
		header = true;
		tenths_text(hc_bench_tenths_ns(r->min, r->khz), min_ns, sizeof(min_ns));
		tenths_text(hc_bench_tenths_ns(r->avg, r->khz), avg_ns, sizeof(avg_ns));
		fprintf(out, "%-18s %12" PRIu64 " %12" PRIu64 " %12s %12s\n", hc_bench_name(op),
			r->min, r->avg, min_ns, avg_ns);
	}
	if (header)
		fprintf(out, "%" PRIu32 " times each, %s; TSC cycles, measuring overhead removed\n",
			b->a->count, b->user ? "in user space" : "in the kernel");
}

static void print_unavailable(const struct bench *b, FILE *out)
{
	for (int op = 0; op < HC_BENCH_NR; op++)
		if (wanted(b, op) && !b->avail[op].available)
			hc_wrap(out, 20, hc_bench_name(op), b->avail[op].reason);
}

static void print_text(const struct bench *b, FILE *out)
{
	print_results(b, out);
	if (!b->a->bench)
		print_unavailable(b, out);
}

static void print_json(const struct bench *b, FILE *out)
{
	struct json_object *o = hc_json_new(b->module);
	struct json_object *results = hc_json_array(o, "results"), *unavailable;

	for (int op = 0; op < HC_BENCH_NR; op++) {
		const struct hc_bench_result *r = &b->result[op];
		struct json_object *j;

		if (!wanted(b, op) || !b->avail[op].available)
			continue;
		j = hc_json_append(results);
		hc_json_text(j, "operation", hc_bench_name(op));
		hc_json_text(j, "where", r->user ? "user" : "kernel");
		hc_json_u64(j, "count", r->count);
		hc_json_u64(j, "min_cycles", r->min);
		hc_json_u64(j, "avg_cycles", r->avg);
		hc_json_tenths(j, "min_ns", (struct hc_num){
			       true, hc_bench_tenths_ns(r->min, r->khz) });
		hc_json_tenths(j, "avg_ns", (struct hc_num){
			       true, hc_bench_tenths_ns(r->avg, r->khz) });
		hc_json_u64(j, "tsc_khz", r->khz);
	}
	unavailable = hc_json_sub(o, "unavailable");
	for (int op = 0; op < HC_BENCH_NR; op++)
		if (wanted(b, op) && !b->avail[op].available)
			hc_json_text(unavailable, hc_bench_name(op), b->avail[op].reason);
	hc_json_print(o, out);
}

static int list(const struct bench *b, FILE *out)
{
	struct json_object *o, *ops;

	if (!b->a->json) {
		for (int op = 0; op < HC_BENCH_NR; op++)
			if (wanted(b, op))
				hc_wrap(out, 20, hc_bench_name(op), !b->avail[op].available ?
					b->avail[op].reason : b->user ?
					"available, in user space" : "available");
		return HC_EXIT_OK;
	}
	o = hc_json_new(b->module);
	ops = hc_json_sub(o, "available");
	for (int op = 0; op < HC_BENCH_NR; op++)
		if (wanted(b, op))
			hc_json_bool(ops, hc_bench_name(op), b->avail[op].available);
	ops = hc_json_sub(o, "unavailable");
	for (int op = 0; op < HC_BENCH_NR; op++)
		if (wanted(b, op) && !b->avail[op].available)
			hc_json_text(ops, hc_bench_name(op), b->avail[op].reason);
	hc_json_print(o, out);
	return HC_EXIT_OK;
}

/* What was asked for by name and could not be done is an error. */
static void complain(const struct bench *b)
{
	for (int op = 0; op < HC_BENCH_NR; op++)
		if (wanted(b, op) && !b->avail[op].available)
			fprintf(stderr, "hybridctl bench: %s: %s\n", hc_bench_name(op),
				b->avail[op].reason);
}

int hc_bench(const struct hc_args *a, const struct hc_roots *roots, FILE *out)
{
	struct bench b = { .a = a };
	enum hc_exit ret;

	probe(&b, roots);
	if (a->list)
		return list(&b, out);
	ret = run(&b, roots);
	if (a->json)
		print_json(&b, out);
	else
		print_text(&b, out);
	if (a->bench)
		complain(&b);
	return ret;
}
