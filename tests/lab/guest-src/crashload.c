// SPDX-License-Identifier: GPL-2.0-only
/*
 * crashload on | off: a page for a crash kernel, which is as good as one until it is started. Needs
 * the kernel's parameter crashkernel=.
 */
#include <err.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long reserved(void)
{
	FILE *f = fopen("/proc/iomem", "r");
	unsigned long start, end;
	char line[200];

	if (!f)
		err(1, "/proc/iomem");
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "Crash kernel") && sscanf(line, " %lx-%lx", &start, &end) == 2)
			return start;
	errx(1, "no memory is reserved for a crash kernel");
}

int main(int argc, char **argv)
{
	static char page[4096];
	struct kexec_segment segment = { .buf = page, .bufsz = sizeof(page), .memsz = sizeof(page) };
	int on = argc == 2 && !strcmp(argv[1], "on");

	if (!on && (argc != 2 || strcmp(argv[1], "off")))
		errx(2, "usage: crashload on | off");
	if (on)
		segment.mem = (void *)reserved();
	if (syscall(SYS_kexec_load, segment.mem, on, &segment,
		    KEXEC_ON_CRASH | KEXEC_ARCH_DEFAULT))
		err(1, "kexec_load");
	return 0;
}
