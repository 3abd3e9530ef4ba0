/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.h - layer 5: publish at a time, after a time, every so often.
 *
 * A timer is a topic, a payload that the bus keeps, and a time on the bus's
 * clock (monotonic, or the options' own).  It is fired by the worker "evbus",
 * the one of evbus_subscribe(), which is started by the first timer.  Timers
 * and their payloads lie in memory of the options' size (max_timers,
 * timer_payload): to arm and to fire allocates nothing.
 */
#ifndef EVBUS_TIMER_H
#define EVBUS_TIMER_H

#include <evbus/publish.h>

/* What the bus's timers have counted since it was opened. */
struct evbus_timer_stats {
	uint64_t armed;			/* now */
	uint64_t fired;			/* events published */
	uint64_t late;			/* had to wait for a full stream */
	uint64_t missed;		/* periods without an event of their own */
	uint64_t failed;		/* not published: refused, not for want
					 * of room */
	uint64_t cancelled;
};

EVBUS_BEGIN_DECLS

/*
 * evbus_publish_at() - publish `size` bytes, copied now, when the bus's clock
 * shows at_ns; what has passed is due at once.
 * evbus_publish_after() - the same, delay_ns from now.
 * evbus_publish_every() - a period from now, and then again every period_ns;
 * where periods were missed there is one event for all of them.
 *
 * The timer's id, above 0, or a negative code: EVBUS_ELIMIT (max_timers),
 * EVBUS_EMSGSIZE (timer_payload, max_payload), EVBUS_EREJECTED, EVBUS_EINVAL,
 * EVBUS_ECLOSED, and where the worker could not be started its reason.  Any
 * thread, also inside handlers.  Takes a lock.  evbus_publish_at(3)
 */
EVBUS_API int64_t evbus_publish_at(struct evbus_topic *, const void *, size_t,
    int64_t at_ns);
EVBUS_API int64_t evbus_publish_after(struct evbus_topic *, const void *,
    size_t, int64_t delay_ns);
EVBUS_API int64_t evbus_publish_every(struct evbus_topic *, const void *,
    size_t, int64_t period_ns);

/*
 * evbus_timer_cancel() - end a timer.  0: it publishes nothing any more.
 * EVBUS_EBUSY: it is just being fired: that event may still come, none after
 * it.  EVBUS_ENOENT: it is over.  An id is safe to use twice.  Any thread, also
 * inside handlers; never waits.  evbus_publish_at(3)
 */
EVBUS_API int evbus_timer_cancel(struct evbus *, int64_t id);

/* evbus_timer_stats() - read the counters, as of one moment. */
EVBUS_API int evbus_timer_stats(struct evbus *, struct evbus_timer_stats *);

/*
 * evbus_clock_now() - what the bus's clock shows.
 * evbus_clock_changed() - the options' clock has moved: look at the timers now.
 * Without it they are looked at every 10 ms at the latest.
 */
EVBUS_API int64_t evbus_clock_now(struct evbus *);
EVBUS_API int evbus_clock_changed(struct evbus *);

EVBUS_END_DECLS

#endif /* EVBUS_TIMER_H */
