/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_main.c - the driver of `make bench`: holds the placement, runs every
 * system of every topology once per round in rotating order, each as a process
 * of its own, and prints medians, spreads, ratios and marks.
 *
 * Exit status: 0, also when a mark is missed (timed limits are no tests); 1 if
 * a run failed its verification or the bench itself failed; 2: usage.
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <sys/stat.h>

#include "placement.h"
#include "results.h"

#define REPEATS		3u	/* times a run is made again that was moved */
#define OVERTIME	10u	/* seconds until a run counts as hung */

static struct {
	const char *build;
	const char *topology;	/* NULL: all */
	unsigned rounds;
	unsigned ms;
	unsigned capacity;	/* of evbus streams */
	unsigned ck_capacity;	/* of all else */
	unsigned budget;
	unsigned patience;	/* seconds */
	double near_ns;
	int any;
	int extra;
} option = {
	.build = "build", .rounds = 9, .ms = 300, .capacity = 65536,
	.ck_capacity = 65536, .budget = 256, .patience = 120
};

static const char usage_text[] =
"usage: run [options]\n"
"  --topology NAME    one_to_one, ping_pong, one_to_three or three_to_one\n"
"                     (default: all)\n"
"  --rounds N         interleaved rounds, 1 to 99 (9)\n"
"  --seconds S        length of one run (0.3)\n"
"  --capacity N       slots of evbus streams, a power of two (65536)\n"
"  --budget N         events per evbus_poll() (256)\n"
"  --extra            also measure readers that use evbus_next()\n"
"  --near NS          near is up to NS (default: found out)\n"
"  --any              do not hold the placement of the processors\n"
"  --patience S       seconds to spend on holding it, at most (120)\n"
"  --build DIR        where bench/ is, and bench.tsv is put (build)\n"
"  --list             name topologies and systems\n";

static void
list(void)
{
	size_t i;

	for (i = 0; i < CELLS; i++)
		printf("%s\t%s%s\n", bench_topology_name[cells[i].topology],
		    cells[i].system, cells[i].extra ? "\t(--extra)" : "");
	exit(0);
}

__attribute__((__noreturn__)) static void
usage(const char *what, const char *value)
{
	if (what != NULL)
		fprintf(stderr, "bench: %s: \"%s\"\n", what, value);
	fputs(usage_text, what != NULL ? stderr : stdout);
	exit(what != NULL ? 2 : 0);
}

static double
number(const char *name, const char *text, double low, double high)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= low && v <= high)) {
		fprintf(stderr, "bench: %s is from %g to %g\n", name, low,
		    high);
		usage(name, text);
	}
	return v;
}

static unsigned
power_of_two(const char *name, const char *text)
{
	double v = number(name, text, 2, 1u << 28);
	unsigned n = (unsigned)v;

	if ((n & (n - 1)) != 0 || (double)n < v)
		usage("not a power of two", text);
	return n;
}

static void
set_topology(const char *text)
{
	unsigned t;

	if (*text == '\0' || strcmp(text, "all") == 0)
		return;
	for (t = 0; t < BENCH_TOPOLOGIES; t++) {
		if (strcmp(text, bench_topology_name[t]) == 0)
			break;
	}
	if (t == BENCH_TOPOLOGIES)
		usage("no such topology", text);
	option.topology = text;
}

static const struct option long_options[] = {
	{ "topology", required_argument, NULL, 't' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 's' },
	{ "capacity", required_argument, NULL, 'c' },
	{ "budget", required_argument, NULL, 'u' },
	{ "extra", no_argument, NULL, 'x' },
	{ "near", required_argument, NULL, 'n' },
	{ "any", no_argument, NULL, 'a' },
	{ "patience", required_argument, NULL, 'p' },
	{ "build", required_argument, NULL, 'b' },
	{ "list", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void
set_option(int c, const char *arg)
{
	switch (c) {
	case 't':
		set_topology(arg);
		break;
	case 'r':
		option.rounds = (unsigned)number("--rounds", arg, 1,
		    ROUNDS_MAX);
		break;
	case 's':
		option.ms = (unsigned)(1e3 * number("--seconds", arg, 0.01,
		    60) + 0.5);
		break;
	case 'c':
		option.capacity = power_of_two("--capacity", arg);
		break;
	case 'u':
		option.budget = (unsigned)number("--budget", arg, 1, 1 << 20);
		break;
	case 'x':
		option.extra = 1;
		break;
	case 'n':
		option.near_ns = number("--near", arg, 1, 1e6);
		break;
	case 'a':
		option.any = 1;
		break;
	case 'p':
		option.patience = (unsigned)number("--patience", arg, 0, 3600);
		break;
	case 'b':
		option.build = arg;
		break;
	case 'l':
		list();
		break;
	case 'h':
		usage(NULL, NULL);
	default:
		fputs(usage_text, stderr);
		exit(2);
	}
}

/* Which cells to measure: those asked for, and what they are divided by. */
static unsigned
choose(void)
{
	const struct cell *c;
	unsigned n = 0;
	size_t i;

	for (i = 0; i < CELLS; i++) {
		c = &cells[i];
		if ((c->extra && !option.extra) || (option.topology != NULL &&
		    strcmp(option.topology,
		    bench_topology_name[c->topology]) != 0))
			continue;
		cells[i].wanted = 1;
		cell_bare(c)->wanted = 1;
	}
	for (i = 0; i < MARKS; i++) {
		if (cell_find(marks[i].topology, marks[i].system)->wanted)
			cell_find(marks[i].base_topology,
			    marks[i].base)->wanted = 1;
	}
	for (i = 0; i < CELLS; i++)
		n += (unsigned)cells[i].wanted;
	return n;
}

__attribute__((__noreturn__)) static void
run_child(const struct cell *cell, int fd)
{
	char path[4096], ms[16], capacity[16], budget[16];
	int evbus = strncmp(cell->system, "evbus", 5) == 0;

	snprintf(path, sizeof path, "%s/bench/%s", option.build,
	    cell->program);
	snprintf(ms, sizeof ms, "%u", option.ms);
	snprintf(capacity, sizeof capacity, "%u", evbus ? option.capacity :
	    option.ck_capacity);
	snprintf(budget, sizeof budget, "%u", option.budget);
	if (dup2(fd, STDOUT_FILENO) < 0)
		_exit(1);
	close(fd);
	alarm(option.ms / 1000 + OVERTIME);	/* lives on over exec */
	execl(path, path, cell->system, bench_topology_name[cell->topology],
	    ms, capacity, budget, (char *)NULL);
	fprintf(stderr, "bench: cannot start %s: %s\n", path, strerror(errno));
	_exit(1);
}

static void
read_figures(struct cell *cell, unsigned round, FILE *f)
{
	char name[32];
	double v;
	unsigned m;

	while (fscanf(f, "%31s %lf", name, &v) == 2) {
		for (m = 0; m < METRICS; m++) {
			if (strcmp(name, metric_name[m]) == 0)
				cell->value[m][round] = v;
		}
	}
}

static void
clear_figures(struct cell *cell, unsigned round)
{
	unsigned m;

	for (m = 0; m < METRICS; m++)
		cell->value[m][round] = NAN;
}

static void
print_failure(const struct cell *cell, unsigned round, int status)
{
	printf("FAIL %s %s, round %u: ", bench_topology_name[cell->topology],
	    cell->system, round + 1);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("no end in %u s: events are missing, or it hangs\n",
		    option.ms / 1000 + OVERTIME);
	else if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("status %d\n", WEXITSTATUS(status));
}

/* One process, one measurement: 1, or 0: it failed. */
static int
run_once(struct cell *cell, unsigned round)
{
	enum metric first = cell->topology == PING_PONG ? P50 : THROUGHPUT;
	int fd[2], status;
	FILE *f;
	pid_t pid;

	clear_figures(cell, round);
	if (pipe(fd) != 0)
		bench_die("bench: cannot make a pipe");
	pid = placement_fork();
	if (pid == 0) {
		close(fd[0]);
		run_child(cell, fd[1]);
	}
	close(fd[1]);
	if ((f = fdopen(fd[0], "r")) == NULL)
		bench_die("bench: cannot read from a pipe");
	read_figures(cell, round, f);
	fclose(f);
	if (waitpid(pid, &status, 0) != pid)
		bench_die("bench: waitpid failed");
	if (status == 0 && !isnan(cell->value[first][round]))
		return 1;
	clear_figures(cell, round);
	print_failure(cell, round, status);
	return 0;
}

/* Measure, again while the placement moved meanwhile. */
static void
measure(struct placement *placement, struct cell *cell, unsigned round)
{
	unsigned again;

	for (again = 0;; again++) {
		placement_hold(placement);
		if (!run_once(cell, round)) {
			cell->failed++;
			return;
		}
		if (placement_held(placement))
			break;
		if (again == REPEATS) {
			placement->strays++;
			cell->strays++;
			return;
		}
		placement->repeats++;
	}
	if (placement->any)
		cell->strays++;
}

static void
measure_rounds(struct placement *placement, unsigned chosen)
{
	struct cell *plan[CELLS];
	unsigned n = 0, r, k;
	size_t i;

	for (i = 0; i < CELLS; i++) {
		if (cells[i].wanted)
			plan[n++] = &cells[i];
		for (r = 0; r < ROUNDS_MAX; r++)
			clear_figures(&cells[i], r);
	}
	for (r = 0; r < option.rounds; r++) {
		fprintf(stderr, "bench: round %u of %u, %u runs of %.2f s\n",
		    r + 1, option.rounds, chosen, option.ms / 1e3);
		for (k = 0; k < n; k++)
			measure(placement, plan[(r + k) % n], r);
	}
}

static void
print_machine(const struct placement *placement)
{
	char line[256], *name;
	double load[1] = { NAN };
	size_t cpu[2];
	FILE *f = fopen("/proc/cpuinfo", "r");

	printf("machine: %u processors used of %ld", bench_cpus(cpu),
	    sysconf(_SC_NPROCESSORS_ONLN));
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "model name", 10) != 0 ||
		    (name = strchr(line, ':')) == NULL)
			continue;
		name[strcspn(name, "\n")] = '\0';
		printf(", %s", name + 2);
		break;
	}
	if (f != NULL)
		fclose(f);
	if (getloadavg(load, 1) == 1)
		printf(", load %.1f", load[0]);
	printf("\nrounds %u, %.2f s a run, capacity %u (evbus %u), "
	    "event 32 bytes by value\n", option.rounds, option.ms / 1e3,
	    option.ck_capacity, option.capacity);
	if (placement->any)
		printf("placement: any (%s); runs marked any:N were not known "
		    "to be near\n", placement->why);
	else
		printf("placement: held, one line's round trip %.0f to %.0f ns"
		    " (%s)\n", placement->low_ns, placement->near_ns,
		    option.near_ns > 0 ? "as asked" :
		    "the nearest kind that was found");
	if (placement->nearer > 0)
		printf("note: %u probes were nearer than that; if they are "
		    "many, near was not found: run again\n",
		    placement->nearer);
	printf("probes after runs %.0f to %.0f ns; %u keeper restarts, %u runs "
	    "made again, %u kept though moved\n", placement->smallest,
	    placement->largest, placement->restarts, placement->repeats,
	    placement->strays);
}

static int
report(const struct placement *placement)
{
	char path[4000];
	unsigned failed = 0, t;
	size_t i;

	print_machine(placement);
	for (t = 0; t < BENCH_TOPOLOGIES; t++)
		print_topology((enum bench_topology)t, option.rounds);
	print_marks(option.rounds);
	snprintf(path, sizeof path, "%s/bench.tsv", option.build);
	write_tsv(path, option.rounds);
	printf("\nwritten: %s\n", path);
	for (i = 0; i < CELLS; i++)
		failed += cells[i].failed;
	if (failed > 0)
		printf("FAIL: %u runs did not verify\n", failed);
	return failed > 0;
}

int
main(int argc, char **argv)
{
	struct placement placement;
	unsigned chosen;
	int c, failed;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(c, optarg);
	if (optind != argc)
		usage("not an option", argv[optind]);
	chosen = choose();
	placement_open(&placement, option.near_ns, option.any,
	    (int64_t)option.patience * 1000000000);
	measure_rounds(&placement, chosen);
	keeper_stop(&placement);
	failed = report(&placement);
	return failed;
}
