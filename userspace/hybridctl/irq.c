// SPDX-License-Identifier: GPL-2.0-only
/* hybridctl irq: what pvirq.ko made of each interrupt, and what the operator wants. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "../../drivers/pvirq/judge.h"
#include "commands.h"
#include "out.h"

#define TABLE		"kernel/debug/pvirq/irqs"
#define TABLE_MAX	(1 << 20)
#define NR_COUNTS	9

static const char *const count_names[NR_COUNTS] = {
	"mask_done", "mask_avoided", "unmask_done", "unmask_avoided", "move_done",
	"move_avoided", "remask", "eoi_done", "eoi_avoided",
};

/* One line of the table, Documentation/abi/debugfs-pvirq.txt */
struct row {
	unsigned int irq, vector, cpu;
	char device[24], kind[8], path[16], reason[24], want[16];
	uint64_t count[NR_COUNTS];
};

static bool parse_row(struct row *r, const char *line)
{
	uint64_t *c = r->count;
	char rest;

	return sscanf(line, "%u %23s %7s %u %u %15s %23s %15s %" SCNu64 " %" SCNu64 " %" SCNu64
		      " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 "%c",
		      &r->irq, r->device, r->kind, &r->vector, &r->cpu, r->path, r->reason,
		      r->want, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7], &c[8],
		      &rest) == 8 + NR_COUNTS;
}

static const char *reason_text(const char *reason)
{
	for (int why = 0; why < PVIRQ_WHY_NR; why++)
		if (!strcmp(reason, pvirq_why_name(why)))
			return pvirq_why_text(why);
	return "";
}

static enum hc_exit problem(int err, const struct hc_args *a, const struct hc_roots *roots)
{
	if (err == -EACCES || err == -EPERM) {
		fprintf(stderr, "hybridctl irq: permission denied: debugfs is root's, and kernel lockdown forbids it\n");
		return HC_EXIT_PERM;
	}
	if (!hc_exists(roots->sys, "module/pvirq")) {
		fprintf(stderr, "hybridctl irq: pvirq.ko is not loaded (modprobe pvirq)\n");
		return HC_EXIT_MODULE;
	}
	if (err == -ENOENT && hc_exists(roots->sys, TABLE))
		fprintf(stderr, "hybridctl irq: '%s' has no MSIs\n", a->who);
	else if (err == -ENOENT)
		fprintf(stderr, "hybridctl irq: no debugfs: mount -t debugfs debugfs /sys/kernel/debug\n");
	else if (err == -EINVAL && *a->who)
		fprintf(stderr, "hybridctl irq: '%s' is neither an interrupt's number nor a PCI device's address\n",
			a->who);
	else
		fprintf(stderr, "hybridctl irq: %s\n", strerror(-err));
	return HC_EXIT_FAILURE;
}

static enum hc_exit set(const struct hc_args *a, const struct hc_roots *roots)
{
	char path[4096], request[64];
	int len, fd, err = 0;

	if (hc_path(path, sizeof(path), roots->sys, TABLE))
		return problem(-ENAMETOOLONG, a, roots);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return problem(-errno, a, roots);
	len = snprintf(request, sizeof(request), "%s %s\n", a->who, pvirq_want_name(a->want));
	if (write(fd, request, len) != len)
		err = -errno;
	close(fd);
	return err ? problem(err, a, roots) : HC_EXIT_OK;
}

static void print_row(const struct row *r, FILE *out)
{
	fprintf(out, "%4u %-12s %-4s %3u %3u %-6s %-14s %4" PRIu64 "/%-4" PRIu64 " %4" PRIu64
		"/%-4" PRIu64 " %4" PRIu64 "/%-4" PRIu64 " %6" PRIu64 "/%-6" PRIu64 "\n", r->irq, r->device, r->kind,
		r->vector, r->cpu, r->path, r->reason, r->count[0], r->count[1], r->count[2],
		r->count[3], r->count[4], r->count[5], r->count[7], r->count[8]);
}

static void json_row(const struct row *r, struct json_object *rows)
{
	struct json_object *o = hc_json_append(rows);

	hc_json_u64(o, "irq", r->irq);
	hc_json_text(o, "device", r->device);
	hc_json_text(o, "kind", r->kind);
	hc_json_u64(o, "vector", r->vector);
	hc_json_u64(o, "cpu", r->cpu);
	hc_json_text(o, "path", r->path);
	hc_json_text(o, "reason", r->reason);
	hc_json_text_or_null(o, "detail", reason_text(r->reason));
	hc_json_text(o, "want", r->want);
	for (int c = 0; c < NR_COUNTS; c++)
		hc_json_u64(o, count_names[c], r->count[c]);
}

static void print_reasons(char reasons[][24], unsigned int n, FILE *out)
{
	if (n)
		fputc('\n', out);
	for (unsigned int i = 0; i < n; i++)
		hc_wrap(out, 16, reasons[i], reason_text(reasons[i]));
}

static enum hc_exit list(const struct hc_args *a, const struct hc_roots *roots, FILE *out)
{
	struct json_object *o = NULL, *rows = NULL;
	char reasons[PVIRQ_WHY_NR][24];
	unsigned int n = 0, k;
	static char text[TABLE_MAX];
	char *save;
	ssize_t len;
	int ret = HC_EXIT_OK;

	len = hc_read_head(roots->sys, TABLE, text, sizeof(text));
	if (len < 0)
		return problem(len, a, roots);
	if (a->json) {
		o = hc_json_new(hc_exists(roots->sys, "module/hybrid"));
		rows = hc_json_array(o, "irqs");
	} else {
		fprintf(out, "%4s %-12s %-4s %3s %3s %-6s %-14s %9s %9s %9s %13s\n", "IRQ",
			"Device", "Kind", "Vec", "CPU", "Path", "Reason", "Mask d/a", "Unmask",
			"Move", "EOI");
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct row r;

		if (!parse_row(&r, line)) {
			fprintf(stderr, "hybridctl irq: a line that makes no sense: %.60s\n", line);
			ret = HC_EXIT_FAILURE;
			continue;
		}
		if (a->json) {
			json_row(&r, rows);
			continue;
		}
		print_row(&r, out);
		for (k = 0; k < n && strcmp(reasons[k], r.reason); k++)
			;
		if (k == n && n < PVIRQ_WHY_NR && *reason_text(r.reason))
			strcpy(reasons[n++], r.reason);
	}
	if (a->json)
		hc_json_print(o, out);
	else
		print_reasons(reasons, n, out);
	return ret;
}

int hc_irq(const struct hc_args *a, const struct hc_roots *roots, FILE *out)
{
	return a->want == HC_IRQ_LIST ? list(a, roots, out) : set(a, roots);
}
