/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.c - the module that compares the rebuilt book with a true one.
 *
 * Row k of the true book tells how it stood after row k of the messages; its
 * first four numbers are the best ask, its size, the best bid, its size.  Row 1
 * has seeded the rebuild; every later one is compared with the state event of
 * its number.
 */
#include "module.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check {
	struct module module;
	struct market_check_result result;
	int64_t row[4];			/* of result.rows */
	int whole;			/* it was four numbers */
	int at_end;
	struct lines lines;
};

/* Read the next row of the true book; 0: there is none. */
static int
read_row(struct check *check)
{
	const char *text;
	size_t length;
	int result;

	do
		result = lines_next(&check->lines, &text, &length);
	while (result == 1 && length == 0);
	if (result < 0)
		module_fail(&check->module, strerror(errno), 0);
	if (result != 1) {
		check->at_end = 1;
		return 0;
	}
	check->result.rows++;
	check->whole = text_integers(text, length, check->row, 4) == 4;
	if (!check->whole)
		check->result.malformed++;
	return 1;
}

/* A level that is not there: its size is 0 and its price a dummy. */
static int
same(int64_t price, int64_t size, int64_t true_price, int64_t true_size)
{
	return size == true_size && (size == 0 || price == true_price);
}

static void
compare(struct check *check, const struct market_bbo *state)
{
	struct market_check_result *result = &check->result;
	const int64_t *row = check->row;

	result->compared++;
	if (check->whole &&
	    same(state->ask, state->ask_size, row[0], row[1]) &&
	    same(state->bid, state->bid_size, row[2], row[3])) {
		result->agree++;
		return;
	}
	result->differ++;
	if (result->first == 0)
		result->first = state->row;
	result->last = state->row;
}

static enum evbus_verdict
on_state(const struct evbus_event *event, void *arg)
{
	const struct market_bbo *state = event->data;
	struct check *check = arg;

	if (state->flags & MARKET_LAST) {
		check->module.to_end--;
		while (!check->at_end)
			read_row(check);
		return EVBUS_DONE;
	}
	while (!check->at_end && check->result.rows < state->row)
		read_row(check);
	if (check->result.rows == state->row)
		compare(check, state);
	return EVBUS_DONE;
}

void *
check_run(void *arg)
{
	struct check *check = module_new(sizeof *check);
	struct module *module = &check->module;
	void *result;

	module_open(module, arg, MARKET_CHECK, MODULE_LOSSLESS);
	check->lines.fd = open(module->config->book_path, O_RDONLY | O_CLOEXEC);
	if (check->lines.fd < 0)
		module_fail(module, "cannot open the true book", 0);
	module->to_end = 1;
	module_subscribe(module, "state", on_state, check);
	module_ready(module);
	module_loop(module);

	module->summary.of.check = check->result;
	result = module_finish(module);
	if (check->lines.fd >= 0)
		close(check->lines.fd);
	free(check);
	return result;
}
