/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - layer 1: a park whose sleeper is the loop of a program, which
 * watches a descriptor.
 *
 * Who may run with whom: the watch belongs to the one thread at a time that
 * runs the readers, as the word's arming does; any thread wakes (ring/park.h).
 *
 * Argument (FD).  The descriptor counts (eventfd).  It is readable while its
 * count is not 0, so the count is cleared before the loop may sleep, and then:
 *
 *	loop					producer
 *	clear the count				commit (stamp)
 *	word = descriptor + 2			light fence
 *	attention |= 1 on each stream		attention != 0?
 *	heavy fence				  attention := 0
 *	look at the stamps once more		  word n -> 0: add 1 to the count
 *	  there: word -> 0, add 1 to the count
 *	wait until the count is not 0
 *
 *  1. From the word on this is WAKE: of the producer's look at attention and
 *     the loop's second look one sees the other.  So whatever is committed is
 *     seen by the second look, or finds the word and adds to the count, after
 *     the clear.  Nothing is asked of the descriptor's own ordering: a count
 *     that the clear eats was for something older than the second look.
 *  2. The word is taken by an exchange, by a waker or by the loop itself, so
 *     there is one addition for each time that it was armed (F5), and none
 *     while it is not.
 *  3. A waker that has taken the word may be slow to add.  The loop counts the
 *     additions that are owed: one for each time that it finds the word taken,
 *     one for each of its own, less what it has cleared.  While the word stands
 *     and nothing is owed, the count is 0 and stays so until the word is taken:
 *     there is nothing to do again, and no system call is made.  If something
 *     is owed, the count may rise although nothing is there, and is cleared
 *     once more; else a loop would be called for ever.
 *  4. The loop arms only when nothing is there, as the second look says.  So
 *     what is there later came after that, and who committed it has added, or
 *     is about to: who runs a part of it, as far as a budget goes, leaves the
 *     descriptor as it is, and it is readable, or about to be.
 *  5. Under an edge trigger the loop goes on until nothing is there.  Then the
 *     word was armed after the loop had been told, so each addition to come is
 *     a new edge.  That the word stands is therefore asked of the word's last
 *     value, by a read-modify-write.
 */
#ifndef EVBUS_SRC_WATCH_H
#define EVBUS_SRC_WATCH_H

#include "ring/park.h"

struct evbus__watch {
	int fd;
	int open;
	int armed;		/* the word was set, and not yet found taken */
	uint64_t owed;		/* additions, made or to come, not cleared;
				 * above 0 where it is not armed */
};

/* Make the descriptor; 0 or EVBUS_ESYSTEM.  It is readable at once. */
int evbus__watch_open(struct evbus__watch *);
void evbus__watch_close(struct evbus__watch *);

/* Is it armed, with nothing owed? */
int evbus__watch_stands(struct evbus__watch *, struct evbus__park *);
/* Clear the count and set the word; then mark each stream, and so on. */
void evbus__watch_arm(struct evbus__watch *, struct evbus__park *);
/* Something is to be told: disarmed and readable. */
void evbus__watch_show(struct evbus__watch *, struct evbus__park *);

#endif /* EVBUS_SRC_WATCH_H */
