/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_worker.c - a worker, and who changes what it runs.
 *
 * Who: a thread of the bus that runs a reader and sleeps when there is nothing
 * to read, and a thread that closes the reader and opens another one in its
 * place, for which the worker has to have forgotten the first; then the bus.
 * Or it ends the worker, and nothing names it any more.
 *
 * Argument (NUDGE).  The change is made under the lock, then the worker is
 * nudged: who sees the nudge sees that there was a change, and copies its list
 * under the lock before it sleeps again; who does not see it is woken.
 *
 * Edges: NUDGE, GRACE.
 */
#include "bus/bus.h"
#include "scenario.h"

static void
setup(void)
{
	static const struct evbus_options one_reader = { .max_readers = 1 };
	static const struct evbus_reader_options by_worker = {
		.worker = "w",
	};

	scenario_open(&one_reader, 1);
	explore_thread(2);
	scenario_reader_open(0, &by_worker);
}

static void
change_and_close(void)
{
	struct evbus_reader_options options = { .spin_ns = -1 };
	int result;

	explore_assert(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0, "close: %s", evbus_errmsg());
	while ((result = evbus_reader_open(scenario.bus, &options,
	    &scenario.reader[0])) == EVBUS_ELIMIT)
		EVBUS_SPIN();
	explore_assert(result == 0, "open: %s", evbus_errmsg());
	explore_assert(evbus_close(scenario.bus, EVBUS_FOREVER, NULL) == 0,
	    "close: %s", evbus_errmsg());
}

static void
finish(void)
{
	scenario_close();
}

/* It runs nothing any more, and is ended while the bus goes on. */
static void
end_worker(void)
{
	explore_assert(evbus_reader_close(scenario.reader[0],
	    EVBUS_FOREVER) == 0, "close: %s", evbus_errmsg());
	explore_assert(evbus_worker_close(scenario.bus, "w",
	    EVBUS_FOREVER) == 0, "worker: %s", evbus_errmsg());
	EXPLORE_ASSERT(scenario.bus->worker[0] == NULL);
	explore_assert(evbus_worker_close(scenario.bus, "w", 0) ==
	    EVBUS_ENOENT, "there is one still");
}

const struct explore_test worker_x_close = {
	"worker_x_close", "a worker is ended while the bus goes on", 2,
	setup, { end_worker, explore_run_thread }, finish, "f"
};

const struct explore_test worker_x_change = {
	"worker_x_change", "a worker forgets the readers that left it", 2,
	setup, { change_and_close, explore_run_thread }, finish, "fL"
};
