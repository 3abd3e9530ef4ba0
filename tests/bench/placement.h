/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement.h - hold the two processors at one distance while the bench runs.
 *
 * A host moves a virtual processor each time it sleeps, and one line's round
 * trip between two of them is then several times longer or shorter than
 * before: more than most differences between systems.  A keeper - two threads
 * at idle priority that yield for ever, one per processor - keeps them from
 * sleeping, so the placement stays.  A probe measures the round trip; while it
 * is not near, the keeper is ended and started again.
 *
 * Called by bench_main.c, from its only thread; keeper and probe are children.
 */
#ifndef BENCH_PLACEMENT_H
#define BENCH_PLACEMENT_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "line.h"

#define PROBE_TRIPS	10000u
#define PROBE_NS	INT64_C(400000000)	/* at most, under load */
#define SURVEY		40u	/* keepers tried to learn what near is */
#define NEAR_LOW	0.7	/* near: between these times the reference, */
#define NEAR_HIGH	1.6	/* see placement_reference() */
#define STABLE		1.15	/* two probes that agree are within this */

struct placement {
	pid_t keeper;		/* 0: none */
	double low_ns, near_ns;	/* near is between these */
	int any;		/* gave up: measure as it comes */
	const char *why;	/* ... because */
	int64_t patience_ns;	/* left for making it near */
	unsigned restarts;	/* of the keeper, to make it near */
	unsigned repeats;	/* measurements made again */
	unsigned strays;	/* measurements kept though not near */
	double smallest, largest; /* probes after runs */
	unsigned nearer;	/* probes below the band */
};

/* A child ends with its parent, however that ends. */
static pid_t
placement_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		bench_die("bench: cannot fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

struct keep {
	size_t cpu[2];
	unsigned cpus;
	unsigned place;
};

static void *
keeper_spin(void *arg)
{
	struct keep *keep = arg;
	struct sched_param none = { 0 };

	bench_pin(keep->cpu, keep->cpus, keep->place);
	sched_setscheduler(0, SCHED_IDLE, &none);
	for (;;)
		sched_yield();
	return NULL;
}

static void
keeper_start(struct placement *placement)
{
	static struct keep keep[2];
	pthread_t thread;

	placement->keeper = placement_fork();
	if (placement->keeper != 0)
		return;
	keep[0].cpus = bench_cpus(keep[0].cpu);
	keep[1] = keep[0];
	keep[1].place = 1;
	bench_thread(&thread, keeper_spin, &keep[1]);
	keeper_spin(&keep[0]);
}

static void
keeper_stop(struct placement *placement)
{
	if (placement->keeper > 0) {
		kill(placement->keeper, SIGKILL);
		waitpid(placement->keeper, NULL, 0);
	}
	placement->keeper = 0;
}

static void
probe_child(int fd)
{
	static uint32_t sample[PROBE_TRIPS];
	double tick_ns, v;
	size_t n;

	n = line_measure(sample, PROBE_TRIPS, 0, PROBE_NS, &tick_ns);
	qsort(sample, n, sizeof *sample, bench_compare_u32);
	v = bench_percentile(sample, n, 50, tick_ns);
	_exit(write(fd, &v, sizeof v) == (ssize_t)sizeof v ? 0 : 1);
}

/* One line's round trip now, median, ns. */
static double
probe(void)
{
	int fd[2], status;
	double v = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(fd) != 0)
		bench_die("bench: cannot make a pipe");
	pid = placement_fork();
	if (pid == 0)
		probe_child(fd[1]);
	close(fd[1]);
	n = read(fd[0], &v, sizeof v);
	close(fd[0]);
	if (waitpid(pid, &status, 0) != pid || status != 0 ||
	    n != (ssize_t)sizeof v)
		bench_die("bench: the probe failed");
	return v;
}

static int
placement_near(struct placement *placement, double v)
{
	placement->nearer += v < placement->low_ns;
	return v >= placement->low_ns && v <= placement->near_ns;
}

static void
placement_give_up(struct placement *placement, const char *why)
{
	placement->any = 1;
	placement->why = why;
	fprintf(stderr, "bench: placement not held: %s\n", why);
}

/* End the keeper, let the host move us, start another. */
static void
placement_shake(struct placement *placement, unsigned try)
{
	keeper_stop(placement);
	bench_sleep(30000000 + 20000000 * (int64_t)(try % 7));
	keeper_start(placement);
	bench_sleep(2000000);
}

static int
placement_compare(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

/*
 * The round trip that near is measured by: the third smallest, if it is of the
 * same kind as the smallest, else the second, else the smallest itself.  Not
 * always the smallest: odd placements that come up once or twice in forty
 * times, with half the usual round trip, could not be had for every run.
 */
static double
placement_reference(double *stable, unsigned n)
{
	unsigned i = 0;

	qsort(stable, n, sizeof *stable, placement_compare);
	while (i < 2 && i + 1 < n && stable[i + 1] < 2 * stable[0])
		i++;
	return stable[i];
}

/*
 * Learn what near is on this machine: probe twice under each of SURVEY
 * keepers and take the pairs that agree.
 */
static void
placement_survey(struct placement *placement)
{
	double a, b, high, stable[SURVEY];
	unsigned i, n = 0;

	fprintf(stderr, "bench: line round trip under %u keepers, ns "
	    "(?: two probes differ):", SURVEY);
	for (i = 0; i < SURVEY; i++) {
		placement_shake(placement, i);
		a = probe();
		b = probe();
		high = a > b ? a : b;
		fprintf(stderr, "%s%.0f", i % 16 == 0 ? "\n   " : " ", high);
		if (high > STABLE * (a < b ? a : b))
			fprintf(stderr, "?");
		else
			stable[n++] = high;
	}
	fprintf(stderr, "\n");
	if (n == 0) {
		placement_give_up(placement, "no two probes agreed");
		return;
	}
	a = placement_reference(stable, n);
	placement->low_ns = NEAR_LOW * a;
	placement->near_ns = NEAR_HIGH * a;
}

static void
placement_open(struct placement *placement, double near_ns, int any,
    int64_t patience_ns)
{
	size_t cpu[2];

	memset(placement, 0, sizeof *placement);
	placement->patience_ns = patience_ns;
	if (bench_cpus(cpu) < 2)
		placement_give_up(placement, "there is one processor only");
	else if (any)
		placement_give_up(placement, "as asked");
	else if (near_ns > 0)
		placement->near_ns = near_ns;
	else
		placement_survey(placement);
	if (!placement->any)
		fprintf(stderr, "bench: near is %.0f to %.0f ns\n",
		    placement->low_ns, placement->near_ns);
	if (placement->keeper == 0)
		keeper_start(placement);
}

/* Make it near, or find that patience has run out. */
static void
placement_hold(struct placement *placement)
{
	int64_t start = bench_now_ns();
	unsigned try;

	for (try = 0; !placement->any; try++) {
		if (placement_near(placement, probe()))
			break;
		placement->restarts++;
		if (bench_now_ns() - start > placement->patience_ns)
			placement_give_up(placement, "near was not to be had "
			    "in the time allowed");
		else
			placement_shake(placement, try);
	}
	if (try > 0)
		placement->patience_ns -= bench_now_ns() - start;
}

/* After a measurement: does the placement still stand? */
static int
placement_held(struct placement *placement)
{
	double v = probe();

	if (placement->smallest <= 0 || v < placement->smallest)
		placement->smallest = v;
	if (v > placement->largest)
		placement->largest = v;
	return placement->any || placement_near(placement, v);
}

#endif /* BENCH_PLACEMENT_H */
