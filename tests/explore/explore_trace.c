/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_trace.c - what a failing execution looks like.
 *
 * Executions run silently; after a failure the same choices are followed once
 * more with the trace on.  Places are printed as a name that the scenario has
 * given and an offset, or relative to the heap, a thread record, a stack or
 * the executable, so that a trace is the same in each run.
 */
#include <stdio.h>
#include <string.h>

#include "explore_core.h"

const char *const explore_strategy_names[EXPLORE_STRATEGIES] = { "random",
    "dfs", "pct", "sleep" };
const char *const explore_model_names[EXPLORE_MODELS] = { "sc", "tso", "pso",
    "c11" };

#define NAMES_MAX	64
#define PLACE_TEXTS	4	/* texts that live at the same time */

extern const char __executable_start[] __attribute__((__weak__));

static struct {
	uintptr_t begin;
	size_t size;
	const char *name;
} names[NAMES_MAX];
static int nnames;

void
explore__names_reset(void)
{
	nnames = 0;
}

void
explore_name(const volatile void *p, size_t size_bytes, const char *name)
{
	if (nnames == NAMES_MAX)
		return;
	names[nnames].begin = (uintptr_t)p;
	names[nnames].size = size_bytes;
	names[nnames++].name = name;
}

const char *
explore__place(const volatile void *p)
{
	static char text[PLACE_TEXTS][96];
	static unsigned turn;
	char *s = text[turn++ % PLACE_TEXTS];
	uintptr_t at = (uintptr_t)p;
	size_t offset;
	int i;

	for (i = 0; i < nnames; i++) {
		if (at - names[i].begin >= names[i].size)
			continue;
		offset = at - names[i].begin;
		snprintf(s, sizeof text[0], offset != 0 ? "%s+%zu" : "%s",
		    names[i].name, offset);
		return s;
	}
	if (explore__heap_offset(p, &offset)) {
		snprintf(s, sizeof text[0], "heap+0x%zx", offset);
		return s;
	}
	i = explore__tls_offset(p, &offset);
	if (i >= 0) {
		snprintf(s, sizeof text[0], "tls%d+0x%zx", i, offset);
		return s;
	}
	for (i = 1; i < CONTEXTS; i++) {
		offset = at - (uintptr_t)ex.fiber[i].stack;
		if (ex.fiber[i].stack != NULL && offset < (1u << 18)) {
			snprintf(s, sizeof text[0], "stack%d+0x%zx", i,
			    offset);
			return s;
		}
	}
	snprintf(s, sizeof text[0], "static+0x%zx",
	    (size_t)(at - (uintptr_t)__executable_start));
	return s;
}

/* The last two components of a path are enough. */
const char *
explore__file(const char *file)
{
	const char *s, *last = file, *before = file;

	if (file == NULL)
		return "?";
	for (s = file; *s != '\0'; s++) {
		if (*s == '/') {
			before = last;
			last = s + 1;
		}
	}
	return before;
}

static const char *
order_name(int order)
{
	switch (order) {
	case __ATOMIC_RELAXED:
		return "relaxed";
	case __ATOMIC_CONSUME:
		return "consume";
	case __ATOMIC_ACQUIRE:
		return "acquire";
	case __ATOMIC_RELEASE:
		return "release";
	case __ATOMIC_ACQ_REL:
		return "acq_rel";
	case __ATOMIC_SEQ_CST:
		return "seq_cst";
	}
	return "";
}

void
explore__trace(const char *op, const volatile void *p, unsigned size,
    uint64_t value, int order, const char *note, const char *file, int line)
{
	char what[96] = "";

	if (ex.steps < ex.trace_from)
		return;
	if (p != NULL && size > 0)
		snprintf(what, sizeof what, "%s/%u = %s%llx",
		    explore__place(p), size, value > 9 ? "0x" : "",
		    (unsigned long long)value);
	else if (p != NULL)
		snprintf(what, sizeof what, "%s", explore__place(p));
	printf("  %5u  %*s%d  %-11s %-8s %s", ex.steps,
	    (ex.current - 1 > 0 ? ex.current - 1 : 0) * 2, "", ex.current, op,
	    order_name(order), what);
	if (note != NULL)
		printf("  [%s]", note);
	if (line != 0)
		printf("  (%s:%d)", explore__file(file), line);
	putchar('\n');
}
