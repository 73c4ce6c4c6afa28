// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that has our ABI (Documentation/abi/host-abi.txt): preloaded into a stock QEMU on KVM it
 * adds to QEMU's ioctl()s what a VMM that knows the ABI does itself. It presents the leaves, takes
 * the MSRs by KVM's filter, and applies the table where QEMU injects MSI-X messages.
 *
 *   PEER		its files are $PEER.command, a fifo, and $PEER.log
 *   PEER_LIE		what vCPU 1 is shown instead of the truth: "version", "msr", "pages", "short"
 *
 * Commands, one line each; what is logged is in double quotes:
 *   notice TEXT	writes a request; "answer TEXT" when the guest has answered
 *   torn TEXT		the same, and leaves the page as if it were still being written
 *   long		a request that claims to be longer than there is room for
 *   scribble		all host words of the table are ~0
 *   deaf on|off	the MSRs fault
 *   forget		as after a reset: nothing is registered
 *   counts		"counts delivered N repeated N held N released N dropped N kicks N"; repeated are
 *			of those delivered: moved while they were
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <hybrid/host.h>

#define MAX_FDS		4096
#define MAX_SLOTS	64
#define MAX_ROUTES	4096
#define LEAF		0x40000100u
#define MSR		HYBRID_HOST_MSR_SUGGESTED
#define TABLE_PAGES	4
#define EXIT_NS		25000

static int (*next_ioctl)(int fd, unsigned long request, ...);

/* All that follows; held while an interrupt is looked up and delivered. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int kvm_fd = -1, vm_fd = -1;
static struct vcpu {
	struct kvm_run *run;
	int nr;
} *vcpu_of[MAX_FDS];
static bool filtered;
static struct kvm_userspace_memory_region slots[MAX_SLOTS];
static uint64_t msr[HYBRID_HOST_MSRS];
static struct hybrid_irq_entry *table;
static unsigned int entries;
static struct hybrid_notice *notice;
static bool deaf;
static FILE *logged;
static struct {
	unsigned long delivered, repeated, held, released, dropped, kicks;
} counts;
/* As QEMU set them; the kernel has them translated. */
static union {
	struct kvm_irq_routing head;
	char room[sizeof(struct kvm_irq_routing) +
		  MAX_ROUTES * sizeof(struct kvm_irq_routing_entry)];
} routes;

static void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vfprintf(logged, format, list);
	va_end(list);
	fflush(logged);
}

/* Memory of the guest, or NULL where it is not all in one region. */
static void *guest_memory(uint64_t address, uint64_t size)
{
	for (unsigned int i = 0; i < MAX_SLOTS; i++) {
		const struct kvm_userspace_memory_region *s = &slots[i];

		if (address >= s->guest_phys_addr && size <= s->memory_size &&
		    address - s->guest_phys_addr <= s->memory_size - size)
			return (void *)(s->userspace_addr + (address - s->guest_phys_addr));
	}
	return NULL;
}

/* -- interrupts ------------------------------------------------------------------------ */

static void to_message(uint64_t word, uint32_t *lo, uint32_t *hi, uint32_t *data)
{
	uint32_t dest = word >> HYBRID_IRQ_DEST_SHIFT;

	*lo = 0xfee00000 | (dest & 0xff) << 12 | (word & HYBRID_IRQ_LOGICAL ? 4 : 0) |
	      (word & HYBRID_IRQ_REDIRECT ? 8 : 0);
	*hi = dest & ~0xffu;
	*data = word & (HYBRID_IRQ_VECTOR | HYBRID_IRQ_MODE);
}

static int inject(uint64_t word)
{
	struct kvm_msi msi = {};

	to_message(word, &msi.address_lo, &msi.address_hi, &msi.data);
	counts.delivered++;
	return next_ioctl(vm_fd, KVM_SIGNAL_MSI, &msi);
}

static uint64_t guest_word(const struct hybrid_irq_entry *e)
{
	return __atomic_load_n(&e->guest, __ATOMIC_SEQ_CST);
}

/* The entry that a message is about, or NULL. */
static struct hybrid_irq_entry *entry_of(uint32_t data)
{
	unsigned int tag = data >> HYBRID_IRQ_TAG_SHIFT;

	return table && tag && tag < entries ? &table[tag] : NULL;
}

/* Held back, if it still is to be. What is held meanwhile is one interrupt, and counted as one. */
static bool hold(struct hybrid_irq_entry *e)
{
	bool first = !(__atomic_fetch_or(&e->host, HYBRID_IRQ_PENDING, __ATOMIC_SEQ_CST) &
		       HYBRID_IRQ_PENDING);

	if (guest_word(e) & HYBRID_IRQ_MASKED) {
		counts.held += first;
		return true;
	}
	__atomic_and_fetch(&e->host, ~HYBRID_IRQ_PENDING, __ATOMIC_SEQ_CST);
	counts.released += !first;
	return false;
}

static int deliver(struct hybrid_irq_entry *e)
{
	uint64_t word = guest_word(e), now;
	int ret;

	if (!(word & HYBRID_IRQ_VALID)) {
		counts.dropped++;
		return 0;
	}
	if (word & HYBRID_IRQ_MASKED && hold(e))
		return 0;
	ret = inject(word);
	/* It may have gone where the guest no longer expects it. */
	now = guest_word(e);
	if (now & HYBRID_IRQ_VALID && (now ^ word) & ~HYBRID_IRQ_MASKED) {
		counts.repeated++;
		ret = inject(now);
	}
	return ret;
}

static int signal_msi(const struct kvm_msi *msi)
{
	struct hybrid_irq_entry *e;
	int ret;

	pthread_mutex_lock(&lock);
	e = entry_of(msi->data);
	ret = e ? deliver(e) : next_ioctl(vm_fd, KVM_SIGNAL_MSI, msi);
	pthread_mutex_unlock(&lock);
	return ret;
}

/* What an eventfd raises is delivered by the kernel, from a copy; masks are not seen there. */
static int set_routes(void)
{
	static char room[sizeof(routes)];
	struct kvm_irq_routing *r = (void *)room;

	r->nr = 0;
	r->flags = routes.head.flags;
	for (unsigned int i = 0; i < routes.head.nr; i++) {
		struct kvm_irq_routing_entry route = routes.head.entries[i];
		struct hybrid_irq_entry *e = NULL;

		if (route.type == KVM_IRQ_ROUTING_MSI)
			e = entry_of(route.u.msi.data);
		if (e) {
			uint64_t word;

			__atomic_or_fetch(&e->host, HYBRID_IRQ_CACHED, __ATOMIC_SEQ_CST);
			word = guest_word(e);
			if (!(word & HYBRID_IRQ_VALID))
				continue;
			to_message(word, &route.u.msi.address_lo, &route.u.msi.address_hi,
				   &route.u.msi.data);
		}
		r->entries[r->nr++] = route;
	}
	return next_ioctl(vm_fd, KVM_SET_GSI_ROUTING, r);
}

static int set_gsi_routing(const struct kvm_irq_routing *r)
{
	int ret;

	if (r->nr > MAX_ROUTES) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&lock);
	memcpy(&routes, r, sizeof(*r) + r->nr * sizeof(r->entries[0]));
	ret = set_routes();
	pthread_mutex_unlock(&lock);
	return ret;
}

static void kick_entries(unsigned int first, unsigned int nr)
{
	bool cached = false;

	for (unsigned int i = first; i < first + nr && i < entries; i++) {
		struct hybrid_irq_entry *e = &table[i];
		uint64_t word = guest_word(e);

		cached |= e->host & HYBRID_IRQ_CACHED;
		if (word & HYBRID_IRQ_MASKED && word & HYBRID_IRQ_VALID)
			continue;
		if (__atomic_fetch_and(&e->host, ~HYBRID_IRQ_PENDING, __ATOMIC_SEQ_CST) &
		    HYBRID_IRQ_PENDING && word & HYBRID_IRQ_VALID) {
			counts.released++;
			inject(word);
		}
	}
	if (cached)
		set_routes();
}

/* -- notices --------------------------------------------------------------------------- */

static void interrupt_for_notice(void)
{
	uint64_t word = msr[HYBRID_HOST_MSR_NOTICE_IRQ];

	if (notice && word & HYBRID_IRQ_VALID)
		inject(word);
}

static void write_notice(const char *text, unsigned int len, bool finish)
{
	if (!notice) {
		say("nobody listens\n");
		return;
	}
	__atomic_store_n(&notice->seq, (notice->seq + 1) | 1, __ATOMIC_SEQ_CST);
	if (len <= sizeof(notice->request))
		memcpy(notice->request, text, len);
	__atomic_store_n(&notice->request_len, len, __ATOMIC_SEQ_CST);
	if (finish)
		__atomic_store_n(&notice->seq, notice->seq + 1, __ATOMIC_SEQ_CST);
	interrupt_for_notice();
}

static void read_answer(void)
{
	uint32_t seq = __atomic_load_n(&notice->answer_seq, __ATOMIC_SEQ_CST);
	uint32_t len = __atomic_load_n(&notice->answer_len, __ATOMIC_SEQ_CST);
	char text[HYBRID_NOTICE_ANSWER_MAX];

	if (seq & 1 || len > sizeof(text))
		return;
	memcpy(text, notice->answer, len);
	if (__atomic_load_n(&notice->answer_seq, __ATOMIC_SEQ_CST) == seq && len)
		say("answer %.*s\n", (int)len, text);
}

/* -- MSRs ------------------------------------------------------------------------------ */

static bool write_table(uint64_t value)
{
	uint64_t address = value & HYBRID_HOST_ADDRESS;
	unsigned int pages = (value & 0xfff) >> HYBRID_HOST_TABLE_PAGES_SHIFT & 0xff;
	void *memory = guest_memory(address, pages * (uint64_t)HYBRID_HOST_PAGE_SIZE);

	table = NULL;
	entries = 0;
	if (value & HYBRID_HOST_ENABLE) {
		if (!pages || pages > TABLE_PAGES || !memory ||
		    value & ~(HYBRID_HOST_ADDRESS | 0x1ff))
			return false;
		table = memory;
		entries = pages * HYBRID_IRQ_ENTRIES_PER_PAGE;
	} else if (value) {
		return false;
	}
	set_routes();
	return true;
}

static bool write_notice_page(uint64_t value)
{
	notice = NULL;
	if (!(value & HYBRID_HOST_ENABLE))
		return !value;
	if (value & ~(HYBRID_HOST_ADDRESS | HYBRID_HOST_ENABLE))
		return false;
	notice = guest_memory(value & HYBRID_HOST_ADDRESS, HYBRID_HOST_PAGE_SIZE);
	return notice;
}

static bool write_notice_irq(uint64_t value)
{
	return !value || (value & HYBRID_IRQ_VALID && (value & HYBRID_IRQ_VECTOR) >= 16);
}

static bool write_kick(uint64_t value)
{
	if (value & ~(HYBRID_HOST_KICK_NOTICE | 0xffffffff))
		return false;
	counts.kicks++;
	if (table)
		kick_entries(value & 0xffff, value >> HYBRID_HOST_KICK_COUNT_SHIFT & 0xffff);
	if (value & HYBRID_HOST_KICK_NOTICE && notice)
		read_answer();
	return true;
}

static bool write_msr(unsigned int which, uint64_t value)
{
	static bool (*const writers[])(uint64_t value) = {
		[HYBRID_HOST_MSR_TABLE]		= write_table,
		[HYBRID_HOST_MSR_NOTICE]	= write_notice_page,
		[HYBRID_HOST_MSR_NOTICE_IRQ]	= write_notice_irq,
		[HYBRID_HOST_MSR_KICK]		= write_kick,
	};
	bool good = !deaf && writers[which](value);

	if (good && which != HYBRID_HOST_MSR_KICK)
		msr[which] = value;
	return good;
}

/* True if the exit was ours, and the guest goes on. */
static bool take_exit(struct kvm_run *run)
{
	bool write = run->exit_reason == KVM_EXIT_X86_WRMSR;
	unsigned int which;

	if (!write && run->exit_reason != KVM_EXIT_X86_RDMSR)
		return false;
	which = run->msr.index - MSR;
	if (which >= HYBRID_HOST_MSRS)
		return false;
	pthread_mutex_lock(&lock);
	if (write) {
		run->msr.error = !write_msr(which, run->msr.data);
	} else {
		run->msr.data = msr[which];
		run->msr.error = deaf;
	}
	pthread_mutex_unlock(&lock);
	return true;
}

/* -- QEMU's ioctl()s ------------------------------------------------------------------- */

static int set_filter(const struct kvm_msr_filter *theirs)
{
	static uint8_t none[(HYBRID_HOST_MSRS + 7) / 8];
	struct kvm_msr_filter f = *theirs;

	for (unsigned int i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		if (f.ranges[i].nmsrs)
			continue;
		f.ranges[i] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = HYBRID_HOST_MSRS, .base = MSR, .bitmap = none,
		};
		break;
	}
	filtered = true;
	return next_ioctl(vm_fd, KVM_X86_SET_MSR_FILTER, &f);
}

static int create_vcpu(unsigned long nr)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR, .args[0] = KVM_MSR_EXIT_REASON_FILTER,
	};
	struct kvm_msr_filter filter = { .flags = KVM_MSR_FILTER_DEFAULT_ALLOW };
	int size = next_ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	int fd = next_ioctl(vm_fd, KVM_CREATE_VCPU, nr);
	struct vcpu *v;

	if (!filtered) {
		next_ioctl(vm_fd, KVM_ENABLE_CAP, &cap);
		set_filter(&filter);
	}
	if (fd < 0 || fd >= MAX_FDS)
		return fd;
	v = calloc(1, sizeof(*v));
	if (!v)
		abort();
	v->nr = nr;
	v->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (v->run == MAP_FAILED)
		abort();
	vcpu_of[fd] = v;
	return fd;
}

static int set_cpuid(int fd, const struct kvm_cpuid2 *theirs)
{
	const char *lie = vcpu_of[fd]->nr == 1 ? getenv("PEER_LIE") ?: "" : "";
	struct kvm_cpuid_entry2 leaves[HYBRID_HOST_LEAVES] = {
		{ .function = LEAF, .eax = LEAF + HYBRID_HOST_LEAVES - 1,
		  .ebx = HYBRID_HOST_SIGNATURE_EBX, .ecx = HYBRID_HOST_SIGNATURE_ECX,
		  .edx = HYBRID_HOST_SIGNATURE_EDX },
		{ .function = LEAF + HYBRID_HOST_LEAF_FEATURES, .eax = HYBRID_HOST_VERSION,
		  .ebx = HYBRID_HOST_F_IRQ | HYBRID_HOST_F_NOTICE, .ecx = MSR },
		{ .function = LEAF + HYBRID_HOST_LEAF_LIMITS, .eax = TABLE_PAGES, .ebx = 2,
		  .ecx = EXIT_NS },
	};
	unsigned int n = theirs->nent;
	struct kvm_cpuid2 *ours;
	int ret;

	if (!strcmp(lie, "version"))
		leaves[1].eax = 99;
	else if (!strcmp(lie, "msr"))
		leaves[1].ecx = 0xc0000080;	/* EFER */
	else if (!strcmp(lie, "pages"))
		leaves[2].eax = ~0u;
	else if (!strcmp(lie, "short"))
		leaves[0].eax = LEAF;
	ours = calloc(1, sizeof(*ours) + (n + HYBRID_HOST_LEAVES) * sizeof(ours->entries[0]));
	if (!ours)
		abort();
	memcpy(ours, theirs, sizeof(*ours) + n * sizeof(ours->entries[0]));
	memcpy(&ours->entries[n], leaves, sizeof(leaves));
	ours->nent = n + HYBRID_HOST_LEAVES;
	ret = next_ioctl(fd, KVM_SET_CPUID2, ours);
	free(ours);
	return ret;
}

static void set_memory(const struct kvm_userspace_memory_region *r)
{
	/* Others are of another address space (SMM), or more than a test has. */
	if (r->slot < MAX_SLOTS) {
		pthread_mutex_lock(&lock);
		slots[r->slot] = *r;
		pthread_mutex_unlock(&lock);
	}
}

static int run(int fd)
{
	int ret;

	do
		ret = next_ioctl(fd, KVM_RUN, 0);
	while (!ret && take_exit(vcpu_of[fd]->run));
	return ret;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *arg;
	int ret;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);

	if (fd >= 0 && fd < MAX_FDS && vcpu_of[fd]) {
		if (request == KVM_RUN)
			return run(fd);
		if (request == KVM_SET_CPUID2)
			return set_cpuid(fd, arg);
	} else if (fd >= 0 && fd == vm_fd) {
		switch (request) {
		case KVM_CREATE_VCPU:
			return create_vcpu((unsigned long)arg);
		case KVM_X86_SET_MSR_FILTER:
			return set_filter(arg);
		case KVM_SIGNAL_MSI:
			return signal_msi(arg);
		case KVM_SET_GSI_ROUTING:
			return set_gsi_routing(arg);
		case KVM_SET_USER_MEMORY_REGION:
			/* What is there may be used from now on; what goes may not, any more. */
			set_memory(arg);
			break;
		}
	}
	ret = next_ioctl(fd, request, arg);
	if (request == KVM_CREATE_VM && ret >= 0) {
		kvm_fd = fd;
		vm_fd = ret;
	}
	return ret;
}

/* -- commands -------------------------------------------------------------------------- */

static void obey(char *line)
{
	char *arg = strchr(line, ' ');

	if (arg)
		*arg++ = '\0';
	else
		arg = line + strlen(line);
	if (!strcmp(line, "notice") || !strcmp(line, "torn")) {
		write_notice(arg, strlen(arg), *line == 'n');
	} else if (!strcmp(line, "long")) {
		write_notice("", ~0u, true);
	} else if (!strcmp(line, "scribble")) {
		for (unsigned int i = 0; i < entries; i++)
			__atomic_store_n(&table[i].host, ~0ull, __ATOMIC_SEQ_CST);
	} else if (!strcmp(line, "deaf")) {
		deaf = !strcmp(arg, "on");
	} else if (!strcmp(line, "forget")) {
		memset(msr, 0, sizeof(msr));
		notice = NULL;
		table = NULL;
		entries = 0;
		set_routes();
	} else if (!strcmp(line, "counts")) {
		say("counts delivered %lu repeated %lu held %lu released %lu dropped %lu kicks %lu\n",
		    counts.delivered, counts.repeated, counts.held, counts.released,
		    counts.dropped, counts.kicks);
	} else {
		say("what?\n");
	}
}

static void *listen_for_commands(void *path)
{
	char line[2048];
	FILE *f;

	/* Open for writing as well, so that it does not end. */
	f = fdopen(open(path, O_RDWR | O_CLOEXEC), "r");
	/* Since 2.41 glibc's exit() waits for who holds the lock of a stream: QEMU would not end. */
	if (f)
		__fsetlocking(f, FSETLOCKING_BYCALLER);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		pthread_mutex_lock(&lock);
		obey(line);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void __attribute__((constructor)) begin(void)
{
	static char command[256], log[256];
	const char *name = getenv("PEER");
	pthread_t thread;

	next_ioctl = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	if (!next_ioctl || !name)
		abort();
	snprintf(command, sizeof(command), "%s.command", name);
	snprintf(log, sizeof(log), "%s.log", name);
	unlink(command);
	logged = fopen(log, "we");
	if (!logged || mkfifo(command, 0600) ||
	    pthread_create(&thread, NULL, listen_for_commands, command))
		abort();
}
