/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * results.h - what was measured: rounds of figures, medians, ratios, marks,
 * and the two tables, for people and tab-separated.
 *
 * A ratio is taken within a round, never across rounds; what is printed is the
 * median of these and their spread.  Called by bench_main.c.
 */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <math.h>

#include "bench.h"

#define ROUNDS_MAX	99u

enum metric { THROUGHPUT, P50, P99, METRICS };

static const char *const metric_name[METRICS] = { "throughput", "p50", "p99" };
static const char *const metric_unit[METRICS] = { "Mevents/s", "ns", "ns" };

/* One system in one topology. */
struct cell {
	enum bench_topology topology;
	const char *system;
	const char *program;
	int extra;		/* only with --extra */
	int wanted;		/* asked for, or a denominator of what is */
	unsigned failed;	/* runs that did not verify */
	unsigned strays;	/* runs whose placement was not near */
	double value[METRICS][ROUNDS_MAX];	/* NAN: not measured */
};

static struct cell cells[] = {
#define CELL(t, s, p)	{ .topology = t, .system = s, .program = p }
#define EXTRA(t, s, p)	{ .topology = t, .system = s, .program = p, .extra = 1 }
	CELL(ONE_TO_ONE, "bare", "bench_bare"),
	CELL(ONE_TO_ONE, "evbus-sp", "bench_evbus"),
	CELL(ONE_TO_ONE, "ck_ring-spsc", "bench_ck_spsc"),
	CELL(ONE_TO_ONE, "evbus-mp", "bench_evbus"),
	CELL(ONE_TO_ONE, "ck_ring-mpmc", "bench_ck_mpmc"),
	EXTRA(ONE_TO_ONE, "evbus-sp-next", "bench_evbus"),
	EXTRA(ONE_TO_ONE, "evbus-mp-next", "bench_evbus"),
	CELL(PING_PONG, "bare", "bench_bare"),
	CELL(PING_PONG, "evbus-sp", "bench_evbus"),
	CELL(PING_PONG, "evbus-mp", "bench_evbus"),
	CELL(PING_PONG, "ck_ring-spsc", "bench_ck_spsc"),
	CELL(PING_PONG, "ck_ring-mpmc", "bench_ck_mpmc"),
	EXTRA(PING_PONG, "evbus-sp-next", "bench_evbus"),
	CELL(ONE_TO_THREE, "bare", "bench_bare"),
	CELL(ONE_TO_THREE, "evbus-sp", "bench_evbus"),
	CELL(ONE_TO_THREE, "ck_ring-spsc", "bench_ck_spsc"),
	CELL(ONE_TO_THREE, "evbus-mp", "bench_evbus"),
	CELL(THREE_TO_ONE, "evbus-mp", "bench_evbus"),
	CELL(THREE_TO_ONE, "ck_ring-mpmc", "bench_ck_mpmc"),
#undef CELL
#undef EXTRA
};
#define CELLS (sizeof cells / sizeof cells[0])

static const char *const topology_title[BENCH_TOPOLOGIES] = {
	"one producer, one consumer, one event at a time",
	"there and back, one event under way",
	"one producer, three consumers that each see every event "
	    "(ck_ring: three rings, fed in turn)",
	"three producers, one consumer, four threads on two processors; "
	    "bare is that of one_to_one"
};

/* The marks: `system` against `base`, the median of per-round ratios. */
struct mark {
	enum bench_topology topology;
	const char *system;
	enum metric metric;
	enum bench_topology base_topology;
	const char *base;
	double factor;
	int at_most;
};

static const struct mark marks[] = {
	{ ONE_TO_ONE, "evbus-sp", THROUGHPUT, ONE_TO_ONE, "ck_ring-spsc",
	    3, 0 },
	{ ONE_TO_ONE, "evbus-mp", THROUGHPUT, ONE_TO_ONE, "ck_ring-mpmc",
	    5, 0 },
	{ PING_PONG, "evbus-sp", P50, PING_PONG, "bare", 1.4, 1 },
	{ ONE_TO_THREE, "evbus-sp", THROUGHPUT, ONE_TO_THREE, "ck_ring-spsc",
	    3, 0 },
	{ THREE_TO_ONE, "evbus-mp", THROUGHPUT, ONE_TO_ONE, "evbus-mp",
	    0.5, 0 },
};
#define MARKS (sizeof marks / sizeof marks[0])

struct spread {
	unsigned n;
	double median, low, high;
};

static struct cell *
cell_find(enum bench_topology topology, const char *system)
{
	size_t i;

	for (i = 0; i < CELLS; i++) {
		if (cells[i].topology == topology &&
		    strcmp(cells[i].system, system) == 0)
			return &cells[i];
	}
	bench_die("bench: no %s in %s", system, bench_topology_name[topology]);
}

/* What a cell's ratio_to_bare is taken against. */
static struct cell *
cell_bare(const struct cell *cell)
{
	return cell_find(cell->topology == THREE_TO_ONE ? ONE_TO_ONE :
	    cell->topology, "bare");
}

static int
compare_double(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

/* Median and ends of what is there; the values may be NAN. */
static struct spread
spread_of(const double *value, unsigned rounds)
{
	struct spread s = { 0, NAN, NAN, NAN };
	double v[ROUNDS_MAX];
	unsigned i;

	for (i = 0; i < rounds; i++) {
		if (!isnan(value[i]))
			v[s.n++] = value[i];
	}
	if (s.n == 0)
		return s;
	qsort(v, s.n, sizeof *v, compare_double);
	s.low = v[0];
	s.high = v[s.n - 1];
	s.median = s.n % 2 ? v[s.n / 2] : (v[s.n / 2 - 1] + v[s.n / 2]) / 2;
	return s;
}

static struct spread
ratio_of(const struct cell *a, const struct cell *b, enum metric metric,
    unsigned rounds)
{
	double ratio[ROUNDS_MAX];
	unsigned i;

	for (i = 0; i < rounds; i++)
		ratio[i] = a->value[metric][i] / b->value[metric][i];
	return spread_of(ratio, rounds);
}

static void
print_figure(const struct cell *cell, enum metric metric, unsigned rounds)
{
	struct spread v = spread_of(cell->value[metric], rounds);
	struct spread r = ratio_of(cell, cell_bare(cell), metric, rounds);
	int digits = metric == THROUGHPUT ? 3 : 1;
	char flag[32] = "";

	if (v.n == 0)
		return;
	if (cell->strays > 0)
		snprintf(flag, sizeof flag, "  any:%u", cell->strays);
	printf("  %-14s %-10s %11.*f %11.*f %11.*f  %-9s %8.4f (%.4f .. %.4f)"
	    "%s\n", cell->system, metric_name[metric], digits, v.median,
	    digits, v.low, digits, v.high, metric_unit[metric], r.median,
	    r.low, r.high, flag);
}

static void
print_topology(enum bench_topology topology, unsigned rounds)
{
	unsigned m, shown = 0;
	size_t i;

	for (i = 0; i < CELLS; i++)
		shown += cells[i].topology == topology && cells[i].wanted;
	if (shown == 0)
		return;
	printf("\n%s: %s\n", bench_topology_name[topology],
	    topology_title[topology]);
	printf("  %-14s %-10s %11s %11s %11s  %-9s %s\n", "system", "metric",
	    "median", "min", "max", "unit", "ratio to bare (min .. max)");
	for (i = 0; i < CELLS; i++) {
		if (cells[i].topology != topology || !cells[i].wanted)
			continue;
		for (m = 0; m < METRICS; m++)
			print_figure(&cells[i], (enum metric)m, rounds);
		if (cells[i].failed > 0)
			printf("  %-14s FAIL in %u of %u runs\n",
			    cells[i].system, cells[i].failed, rounds);
	}
}

/* A mark's text, verdict and spread; nothing if it was not asked for. */
static void
print_mark(const struct mark *mark, unsigned rounds)
{
	const struct cell *a = cell_find(mark->topology, mark->system);
	const struct cell *b = cell_find(mark->base_topology, mark->base);
	struct spread r;
	char text[128], base[64];
	int met;

	if (!a->wanted || !b->wanted)
		return;
	r = ratio_of(a, b, mark->metric, rounds);
	snprintf(base, sizeof base, "%s%s%s", mark->base,
	    mark->base_topology == mark->topology ? "" : " of ",
	    mark->base_topology == mark->topology ? "" :
	    bench_topology_name[mark->base_topology]);
	snprintf(text, sizeof text, "%s %s %s %s %.1f x %s",
	    bench_topology_name[mark->topology], mark->system,
	    metric_name[mark->metric], mark->at_most ? "<=" : ">=",
	    mark->factor, base);
	if (r.n == 0) {
		printf("  %-64s  not measured  MISSED\n", text);
		return;
	}
	met = mark->at_most ? r.median <= mark->factor :
	    r.median >= mark->factor;
	printf("  %-64s %8.2f (%.2f .. %.2f)  %s\n", text, r.median, r.low,
	    r.high, met ? "pass" : "MISSED");
}

static void
print_marks(unsigned rounds)
{
	size_t i;

	printf("\nmarks: median of per-round ratios (min .. max), %u rounds\n",
	    rounds);
	for (i = 0; i < MARKS; i++)
		print_mark(&marks[i], rounds);
}

static void
write_tsv(const char *path, unsigned rounds)
{
	char part[4096];
	struct spread v, r;
	FILE *f;
	size_t i;
	unsigned m;

	snprintf(part, sizeof part, "%s.part", path);
	if ((f = fopen(part, "w")) == NULL)
		bench_die("bench: cannot write %s", part);
	fprintf(f, "topology\tsystem\tmetric\tunit\tmedian\tmin\tmax\t"
	    "ratio_to_bare\n");
	for (i = 0; i < CELLS; i++) {
		for (m = 0; m < METRICS; m++) {
			v = spread_of(cells[i].value[m], rounds);
			if (!cells[i].wanted || v.n == 0)
				continue;
			r = ratio_of(&cells[i], cell_bare(&cells[i]),
			    (enum metric)m, rounds);
			fprintf(f, "%s\t%s\t%s\t%s\t%.4f\t%.4f\t%.4f\t%.6f\n",
			    bench_topology_name[cells[i].topology],
			    cells[i].system, metric_name[m], metric_unit[m],
			    v.median, v.low, v.high, r.median);
		}
	}
	if (fclose(f) != 0 || rename(part, path) != 0)
		bench_die("bench: cannot write %s", path);
}

#endif /* BENCH_RESULTS_H */
