// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testlib.h"

struct hc_roots tree;
static char top[PATH_MAX], sys[PATH_MAX + 8], proc[PATH_MAX + 8];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int tree_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(top, sizeof(top), "%s/hybridctl-test.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return -1;
	snprintf(sys, sizeof(sys), "%s/sys", top);
	snprintf(proc, sizeof(proc), "%s/proc", top);
	tree.sys = sys;
	tree.proc = proc;
	return mkdir(sys, 0755) || mkdir(proc, 0755);
}

int tree_teardown(void **state)
{
	(void)state;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of @rel; all its directories are made. */
static void make_path(char path[PATH_MAX], const char *root, const char *rel)
{
	assert_int_equal(hc_path(path, PATH_MAX, root, rel), 0);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		assert_true(!mkdir(path, 0755) || errno == EEXIST);
		*p = '/';
	}
}

static void put(const char *root, const char *rel, const void *bytes, size_t len)
{
	char path[PATH_MAX];
	FILE *f;

	make_path(path, root, rel);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

void tree_sys(const char *rel, const char *text)
{
	put(sys, rel, text, strlen(text));
}

void tree_proc(const char *rel, const char *text)
{
	put(proc, rel, text, strlen(text));
}

void tree_sys_bytes(const char *rel, const void *bytes, size_t len)
{
	put(sys, rel, bytes, len);
}

void tree_sys_dir(const char *rel)
{
	char path[PATH_MAX];

	make_path(path, sys, rel);
	assert_int_equal(mkdir(path, 0755), 0);
}

void tree_sys_fifo(const char *rel)
{
	char path[PATH_MAX];

	make_path(path, sys, rel);
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void module_op(const char *op, const char *reason, const char *detail)
{
	const struct {
		const char *name, *text;
	} file[] = {
		{ "path", "kernel\n" }, { "reason", reason }, { "detail", detail },
		{ "done", "1\n" }, { "avoided", "18446744073709551615\n" }, { "spurious", "0\n" },
	};
	char rel[128];

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		snprintf(rel, sizeof(rel), "module/hybrid/%s/%s", op, file[i].name);
		tree_sys(rel, file[i].text);
	}
	snprintf(rel, sizeof(rel), "module/hybrid/parameters/%s", op);
	tree_sys(rel, "auto\n");
}

void tree_module(void)
{
	static const char *const probes[] = { "cpuid", "msr", "pio", "mmio", "lapic" };
	char rel[128];

	tree_sys("module/hybrid/platform/hypervisor", "kvm\n");
	tree_sys("module/hybrid/platform/stack",
		 "0x40000000 0x40000010 hyperv Microsoft Hv\n"
		 "0x40000100 0x40000101 kvm KVMKVMKVM\n");
	tree_sys("module/hybrid/platform/features",
		 "x2apic\nx2apic-on\ntsc-invariant\nkvm-clock\nkvm-pv-eoi\nkvm-pv-ipi\n"
		 "kvm-steal-time\nkernel-pv\nfrom-the-future\n");
	tree_sys("module/hybrid/platform/xen_version", "");
	tree_sys("module/hybrid/platform/host_abi", "absent\n");
	tree_sys("module/hybrid/platform/generation", "3\n");
	tree_sys("module/hybrid/level/estimate", "1\n");
	tree_sys("module/hybrid/level/confidence", "high\n");
	tree_sys("module/hybrid/level/ratio", "16.2\n");
	tree_sys("module/hybrid/level/exits", "1\n");
	tree_sys("module/hybrid/cost/reference_ns", "80\n");
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		snprintf(rel, sizeof(rel), "module/hybrid/cost/%s_ns", probes[i]);
		tree_sys(rel, "1300\n");
	}
	tree_sys("module/hybrid/cost/exit_ns", "1220\n");
	module_op("eoi", "kernel-pv\n", "The kernel avoids EOI exits by itself.\n");
	module_op("msi_mask", "not-built\n", "No code.\n");
	module_op("msi_affinity", "not-built\n", "No code.\n");
	module_op("ipi", "kernel-pv\n", "The kernel sends IPIs by the host's interface.\n");
	module_op("idle", "not-built\n", "No code.\n");
	module_op("timer", "not-worth-it\n", "Measured: too little.\n");
}
