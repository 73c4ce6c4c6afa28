// SPDX-License-Identifier: GPL-2.0-only
/* pingpong ROUNDS: two processes, each pinned to a CPU, wake each other through pipes. */
#define _GNU_SOURCE
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "CPU %d", cpu);
}

static void get(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		err(1, "read");
}

static void put(int fd)
{
	if (write(fd, "", 1) != 1)
		err(1, "write");
}

int main(int argc, char **argv)
{
	long rounds = argc == 2 ? atol(argv[1]) : 0, i;
	struct timespec begin, end;
	int there[2], back[2], status;

	if (rounds <= 0)
		errx(2, "usage: pingpong ROUNDS");
	if (pipe(there) || pipe(back))
		err(1, "pipe");
	if (!fork()) {
		pin(1);
		for (i = 0; i < rounds; i++) {
			get(there[0]);
			put(back[1]);
		}
		_exit(0);
	}
	pin(0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < rounds; i++) {
		put(there[1]);
		get(back[0]);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (wait(&status) < 0 || status)
		errx(1, "the other one failed");
	printf("%ld rounds, %.1f us each\n", rounds,
	       ((end.tv_sec - begin.tv_sec) * 1e6 + (end.tv_nsec - begin.tv_nsec) / 1e3) / rounds);
	return 0;
}
