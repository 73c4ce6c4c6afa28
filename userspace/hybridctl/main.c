// SPDX-License-Identifier: GPL-2.0-only
/* hybridctl: what hybrid.ko found and decided, for people and for programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"

/*
 * Started with one of 0, 1, 2 closed, the first file we open would get that number, and
 * our output would go into it. Occupied by a read-only descriptor, writes fail instead.
 */
static int guard_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -errno;
	return 0;
}

static int run(const struct hc_args *a)
{
	const char *sys = secure_getenv("HYBRID_SYSFS");
	const char *proc = secure_getenv("HYBRID_PROCFS");
	const struct hc_roots roots = {
		.sys = sys && *sys ? sys : "/sys",
		.proc = proc && *proc ? proc : "/proc",
	};

	if (a->help) {
		hc_args_help(a, stdout);
		return HC_EXIT_OK;
	}
	switch (a->command) {
	case HC_CMD_VERSION:
		puts("hybridctl " HYBRID_VERSION);
		return HC_EXIT_OK;
	case HC_CMD_STATUS:
		return hc_status(a, &roots, stdout);
	case HC_CMD_EXPLAIN:
		return hc_explain(a, &roots, stdout);
	case HC_CMD_BENCH:
		return hc_bench(a, &roots, stdout);
	case HC_CMD_ADVISE:
		return hc_advise(a, &roots, stdout);
	case HC_CMD_IRQ:
		return hc_irq(a, &roots, stdout);
	default:
		return HC_EXIT_USAGE;
	}
}

int main(int argc, char **argv)
{
	struct hc_args a;
	int ret;

	if (guard_standard_fds())
		return HC_EXIT_FAILURE;
	if (hc_args_parse(&a, argc, argv, stderr))
		return HC_EXIT_USAGE;
	ret = run(&a);

	/* Output that did not arrive is a failure; a reader that had enough needs no message. */
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		if (errno != EPIPE)
			fprintf(stderr, "hybridctl: cannot write the output: %s\n",
				errno ? strerror(errno) : "write error");
		return HC_EXIT_FAILURE;
	}
	return ret;
}
