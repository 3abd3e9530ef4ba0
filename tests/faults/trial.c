/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial.c - see trial.h.
 *
 * In the child nothing of cmocka is used: what is wrong is written to the
 * result, and the process ends.  Where a call is refused, the fault is taken
 * away and the call made again: it must succeed then.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus_fixture.h"
#include "trial.h"

#define EVENTS 20u	/* four more than there is room for */
#define WAIT_NS (2 * FIXTURE_MS)
#define HANG_S 60u

static const struct trial *trial;
static struct trial_result *result;

static void
wrong(const char *file, int line, const char *text)
{
	(void)snprintf(result->failure, sizeof result->failure,
	    "%s:%d: %s; the bus said: %s", strrchr(file, '/') + 1, line, text,
	    evbus_errmsg());
	_exit(1);
}

#define NEED(condition) do { \
	if (!(condition)) \
		wrong(__FILE__, __LINE__, #condition); \
} while (0)

/* A refusal is one that the row allows, and has its sentence. */
static int
again(int64_t rc, const char *file, int line, const char *call)
{
	if (rc >= 0)
		return 0;
	if ((rc != trial->row->refusal[0] && rc != trial->row->refusal[1]) ||
	    strlen(evbus_errmsg()) < 5 || result->refused > 0 ||
	    (sys_fault_fired() == 0 && trial->row->always == SYS_FAULT_NONE))
		wrong(file, line, call);
	result->refused++;
	sys_fault_disarm();
	return 1;
}

#define TRY(rc, call) do { \
	(rc) = (call); \
	if (again((int64_t)(rc), __FILE__, __LINE__, #call)) { \
		(rc) = (call); \
		(void)again((int64_t)(rc), __FILE__, __LINE__, #call); \
	} \
} while (0)

/* ---- One life ------------------------------------------------------------ */

struct life {
	struct evbus *bus;
	struct evbus_topic *plain;
	struct evbus_topic *narrow;	/* of a stream with 16 slots */
	struct evbus_stream *stream;
	struct evbus_reader *own;	/* of plain */
	struct evbus_reader *slow;	/* of narrow */
	struct evbus_reader *worker;
	int64_t subscription;
	atomic_uint counted;
	atomic_uint worked;
	atomic_uint looped;
	atomic_uint closed;
	unsigned next;			/* that slow must see */
};

static int64_t
clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * FIXTURE_SECOND + (int64_t)now.tv_nsec;
}

static void
count_closed(void *arg)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static enum evbus_verdict
in_order(const struct evbus_event *event, void *arg)
{
	struct life *life = arg;
	unsigned number;

	NEED(event->size == sizeof number);
	memcpy(&number, event->data, sizeof number);
	NEED(number == life->next);
	life->next++;
	return EVBUS_DONE;
}

static void
begin(struct life *life)
{
	struct evbus_options options = { .own_loop = 1, .max_topics = 64, .max_readers = 8,
	    .max_publishers = 8, .max_streams = 4, .ring_memory = 1 << 20,
	    .stream = { .capacity = 64, .max_payload = 500,
	    .pool_blocks = 8 } };
	struct evbus_stream_options narrow = { .capacity = 16,
	    .timeout_ns = FIXTURE_LONG };
	struct evbus_reader_options run = { .worker = "w" };
	struct evbus_worker_options spread = { .spread = 1 };
	int64_t rc;

	memset(life, 0, sizeof *life);
	TRY(rc, evbus_open(&life->bus, &options));
	TRY(rc, evbus_stream_open(life->bus, "narrow.>", &narrow,
	    &life->stream));
	TRY(rc, evbus_topic_open(life->bus, "plain", NULL, &life->plain));
	TRY(rc, evbus_topic_open(life->bus, "narrow.a", NULL, &life->narrow));
	TRY(rc, evbus_reader_open(life->bus, NULL, &life->own));
	TRY(rc, evbus_reader_open(life->bus, NULL, &life->slow));
	TRY(rc, evbus_worker_open(life->bus, "w", &spread));
	TRY(rc, evbus_reader_open(life->bus, &run, &life->worker));
	TRY(life->subscription, evbus_reader_subscribe(life->own, "plain",
	    fixture_count, &life->counted, NULL));
	TRY(rc, evbus_reader_subscribe(life->slow, "narrow.>", in_order, life,
	    NULL));
	TRY(rc, evbus_reader_subscribe(life->worker, "plain", fixture_count,
	    &life->worked, NULL));
}

static void
drain_into(struct evbus_reader *reader, const atomic_uint *count,
    unsigned until)
{
	int64_t rc;

	do {
		TRY(rc, evbus_poll(reader, 100));
	} while (rc > 0);
	NEED(atomic_load(count) == until);
}

/* The worker sleeps when it is asked to work, if it can sleep at all. */
static void
wake_worker(struct life *life)
{
	struct evbus_reader_stats stats;
	int64_t rc, end = clock_ns() + FIXTURE_LONG;

	do {
		TRY(rc, evbus_reader_stats(life->worker, &stats));
		NEED(clock_ns() < end);
	} while (stats.parks == 0);
	TRY(rc, evbus_publish(life->plain, "wake", 4));
	while (atomic_load(&life->worked) < 1)
		NEED(clock_ns() < end);
}

static void
run_loop(struct life *life)
{
	int64_t rc;

	do {
		TRY(rc, evbus_run_once(life->bus, 100));
	} while (rc > 0);
}

/* A loop sleeps when it is asked to work: it is called, if the system lets it
 * be called. */
static void
call_loop(struct life *life)
{
	int refused = trial->row->call == SYS_FAULT_WRITE && trial->k > 0;
	struct pollfd fd = { .events = POLLIN };
	struct evbus_reader *watched;
	int64_t rc;
	int i;

	TRY(fd.fd, evbus_fd(life->bus));
	TRY(rc, evbus_subscribe(life->bus, "looped", fixture_count,
	    &life->looped, NULL));
	for (i = 0; i < 3; i++)
		run_loop(life);
	TRY(rc, evbus_publish_name(life->bus, "looped", "x", 1));
	NEED(poll(&fd, 1, refused ? 1 : -1) == 1 || refused);
	run_loop(life);
	NEED(atomic_load(&life->looped) == 1);
	drain_into(life->own, &life->counted, 1);
	/* And one for a reader alone. */
	TRY(rc, evbus_reader_open(life->bus, NULL, &watched));
	TRY(rc, evbus_reader_fd(watched));
	TRY(rc, evbus_reader_close(watched, FIXTURE_LONG));
}

/* Nothing is there: the whole time passes, and not much more. */
static void
wait_for_nothing(struct life *life)
{
	int64_t rc, begin_ns = clock_ns(), took;

	TRY(rc, evbus_wait(life->own, WAIT_NS));
	took = clock_ns() - begin_ns;
	NEED(rc == 0);
	NEED(took >= WAIT_NS || trial->row->call == SYS_FAULT_CLOCK);
	NEED(took < 10 * FIXTURE_SECOND);
}

static void *
publish_and_end(void *arg)
{
	struct life *life = arg;
	struct evbus_claim claim;
	unsigned i;
	int64_t rc;

	for (i = 0; i < EVENTS; i++)
		TRY(rc, evbus_publish(life->narrow, &i, sizeof i));
	/* S5: it ends with an open claim. */
	TRY(rc, evbus_claim(life->plain, 8, FIXTURE_LONG, &claim));
	return NULL;
}

/* A publisher waits for a reader that is slow. */
static void
full(struct life *life)
{
	struct evbus_reader_stats stats;
	int64_t rc, end = clock_ns() + FIXTURE_LONG;
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, publish_and_end, life) == 0);
	while (!fixture_until_waiting(life->stream, 1))
		NEED(clock_ns() < end);
	while (life->next < EVENTS) {
		TRY(rc, evbus_wait(life->slow, WAIT_NS));
		TRY(rc, evbus_poll(life->slow, 2));
		NEED(clock_ns() < end);
	}
	NEED(pthread_join(thread, NULL) == 0);
	/* The hole that it left: passed, and counted. */
	TRY(rc, evbus_poll(life->own, 10));
	TRY(rc, evbus_reader_stats(life->own, &stats));
	NEED(stats.holes == 1);
}

/* The first timer maps memory; here the program's loop fires it. */
static void
timed(struct life *life)
{
	unsigned number = EVENTS;
	int64_t rc, id, end = clock_ns() + FIXTURE_LONG;

	TRY(rc, evbus_publish_after(life->narrow, &number, sizeof number,
	    WAIT_NS / 2));
	while (life->next <= EVENTS) {
		run_loop(life);
		TRY(rc, evbus_wait(life->slow, WAIT_NS));
		TRY(rc, evbus_poll(life->slow, 2));
		NEED(clock_ns() < end);
	}
	TRY(id, evbus_publish_every(life->plain, "no", 2, FIXTURE_LONG));
	TRY(rc, evbus_timer_cancel(life->bus, id));
}

/* S6: the child gets an answer, and its parent's bus no byte. */
static void
fork_off(struct life *life)
{
	int status, i;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		(void)alarm(HANG_S / 2);
		(void)signal(SIGSEGV, SIG_DFL);
		for (i = 0; i < 100; i++)
			if (evbus_publish(life->plain, "child", 5) !=
			    EVBUS_EFORKED ||
			    evbus_poll(life->own, 1) != EVBUS_EFORKED)
				_exit(2);
		_exit(0);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	/* Where no blank page could be had, a touch ends the child. */
	NEED(status == 0 || (trial->row->call == SYS_FAULT_MMAP &&
	    trial->k > 0 && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGSEGV));
	drain_into(life->own, &life->counted, 4);
}

static void
end(struct life *life)
{
	struct evbus_subscribe_options ends = { count_closed };
	struct evbus_report report;
	int64_t rc, limit = clock_ns() + FIXTURE_LONG;

	run_loop(life);
	TRY(rc, evbus_flush(life->bus, FIXTURE_LONG));
	NEED(atomic_load(&life->worked) == 4);
	TRY(rc, evbus_unsubscribe(life->bus, life->subscription,
	    FIXTURE_LONG));
	TRY(rc, evbus_reader_subscribe(life->own, "plain", fixture_count,
	    &life->counted, &ends));
	TRY(rc, evbus_reader_close(life->worker, FIXTURE_LONG));
	TRY(rc, evbus_close(life->bus, FIXTURE_LONG, &report));
	NEED(report.left == 0 && report.lost == 0);
	do {
		rc = evbus_free(life->bus);
		NEED(clock_ns() < limit);
	} while (rc == EVBUS_EBUSY);
	NEED(rc == 0);
}

static void
live(void)
{
	struct iovec batch[2] = { { NULL, 8 }, { NULL, 300 } };
	static char large[300];
	struct life life;
	int64_t rc;

	begin(&life);
	wake_worker(&life);
	call_loop(&life);
	batch[0].iov_base = batch[1].iov_base = large;
	TRY(rc, evbus_publish(life.plain, large, sizeof large));
	TRY(rc, evbus_publish_batch(life.plain, batch, 2));
	drain_into(life.own, &life.counted, 4);
	wait_for_nothing(&life);
	full(&life);
	timed(&life);
	fork_off(&life);
	end(&life);
}

/* ---- A trial ------------------------------------------------------------- */

static int
open_descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
nothing_is_held(int descriptors, unsigned mappings)
{
	struct sys_fault_held held = sys_fault_held();

	NEED(held.descriptors == 0);
	NEED(held.blocks == 0);
	NEED(held.threads == 0);
	NEED(held.mappings == (int)mappings);
	NEED(open_descriptors() == descriptors);
}

static void
child(void)
{
	int descriptors = open_descriptors();
	unsigned lost;

	(void)alarm(HANG_S);
	NEED(sys_fault_begin());
	if (trial->row->always != SYS_FAULT_NONE)
		sys_fault_always(trial->row->always, trial->row->spared);
	if (trial->k > 0)
		sys_fault_arm(trial->row->call, trial->error, trial->k,
		    trial->on);
	live();
	sys_fault_disarm();
	result->calls = sys_fault_calls(trial->row->call);
	result->fired = sys_fault_fired();
	/* What the system does not take back, nobody else can. */
	lost = trial->row->mappings ? result->fired : 0;
	nothing_is_held(descriptors, lost);
	if (result->fired == 0)
		_exit(0);
	/* And all is as before. */
	live();
	nothing_is_held(descriptors, lost);
	_exit(0);
}

int
trial_run(const struct trial *wanted, struct trial_result *shared)
{
	int status;
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	trial = wanted;
	result = shared;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		child();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 0;
	if (WIFSIGNALED(status) && shared->failure[0] == '\0')
		(void)snprintf(shared->failure, sizeof shared->failure,
		    "%s %d", WTERMSIG(status) == SIGALRM ? "hangs: signal" :
		    "ended by signal", WTERMSIG(status));
	else if (status != 0 && shared->failure[0] == '\0')
		(void)snprintf(shared->failure, sizeof shared->failure,
		    "exit status %d", WEXITSTATUS(status));
	return status == 0;
}
