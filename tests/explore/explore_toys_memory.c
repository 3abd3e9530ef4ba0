/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_toys_memory.c - toys of the memory model and the race detector.
 */
#include <string.h>

#include <evbus/atomic.h>

#include "base/os.h"
#include "explore_toys.h"

struct toy_state toy;

void
toy_setup(void)
{
	memset(&toy, 0, sizeof toy);
	evbus__mutex_init(&toy.mutex);
	explore_name(&toy.flag, sizeof toy.flag, "flag");
	explore_name(&toy.data, sizeof toy.data, "data");
	explore_name(&toy.left, sizeof toy.left, "left");
	explore_name(&toy.right, sizeof toy.right, "right");
	explore_name(&toy.plain, sizeof toy.plain, "plain");
	explore_name(&toy.stamp, sizeof toy.stamp, "stamp");
	explore_name(toy.word, sizeof toy.word, "word");
}

/* Message passing. */
static void
mp_send_relaxed(void)
{
	EVBUS_STORE(&toy.data, 1, RELAXED);
	EVBUS_STORE(&toy.flag, 1, RELAXED);
}

static void
mp_send(void)
{
	EVBUS_STORE(&toy.data, 1, RELAXED);
	EVBUS_STORE(&toy.flag, 1, RELEASE);
}

static void
mp_send_fence(void)
{
	EVBUS_STORE(&toy.data, 1, RELAXED);
	EVBUS_FENCE(RELEASE);
	EVBUS_STORE(&toy.flag, 1, RELAXED);
}

static void
mp_receive(void)
{
	if (EVBUS_LOAD(&toy.flag, ACQUIRE) == 1)
		EXPLORE_ASSERT(EVBUS_LOAD(&toy.data, RELAXED) == 1);
}

static void
mp_receive_relaxed(void)
{
	if (EVBUS_LOAD(&toy.flag, RELAXED) == 1)
		EXPLORE_ASSERT(EVBUS_LOAD(&toy.data, RELAXED) == 1);
}

static void
mp_receive_fence(void)
{
	if (EVBUS_LOAD(&toy.flag, RELAXED) == 0)
		return;
	EVBUS_FENCE(ACQUIRE);
	EXPLORE_ASSERT(EVBUS_LOAD(&toy.data, RELAXED) == 1);
}

static void
mp_receive_spin(void)
{
	while (EVBUS_LOAD(&toy.flag, ACQUIRE) == 0)
		EVBUS_SPIN();
	EXPLORE_ASSERT(EVBUS_LOAD(&toy.data, RELAXED) == 1);
}

static void
mp_receive_spin_relaxed(void)
{
	while (EVBUS_LOAD(&toy.flag, RELAXED) == 0)
		EVBUS_SPIN();
	EXPLORE_ASSERT(EVBUS_LOAD(&toy.data, RELAXED) == 1);
}

/* Plain data behind a flag. */
static void
race_send(void)
{
	EVBUS_PLAIN_STORE(&toy.plain, 7);
	EVBUS_STORE(&toy.flag, 1, RELEASE);
}

static void
race_send_relaxed(void)
{
	EVBUS_PLAIN_STORE(&toy.plain, 7);
	EVBUS_STORE(&toy.flag, 1, RELAXED);
}

static void
race_receive(void)
{
	if (EVBUS_LOAD(&toy.flag, ACQUIRE) == 1)
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&toy.plain) == 7);
}

static void
race_store_atomic(void)
{
	EVBUS_STORE(&toy.plain, 8, RELAXED);
}

/* Release sequences: a third thread continues what the first released. */
static void
sequence_modify(void)
{
	uint32_t one = 1;

	(void)EVBUS_CAS(&toy.flag, &one, 2, RELAXED, RELAXED);
}

static void
sequence_store(void)
{
	if (EVBUS_LOAD(&toy.flag, RELAXED) == 1)
		EVBUS_STORE(&toy.flag, 2, RELAXED);
}

static void
sequence_receive(void)
{
	if (EVBUS_LOAD(&toy.flag, ACQUIRE) == 2)
		EXPLORE_ASSERT(EVBUS_PLAIN_LOAD(&toy.plain) == 7);
}

/* Store buffering: two threads each raise a flag and look at the other's. */
static void
sb_finish(void)
{
	EXPLORE_ASSERT(toy.got[1] == 1 || toy.got[2] == 1);
}

static void
sb_left(void)
{
	EVBUS_STORE(&toy.left, 1, RELEASE);
	toy.got[1] = EVBUS_LOAD(&toy.right, ACQUIRE);
}

static void
sb_right(void)
{
	EVBUS_STORE(&toy.right, 1, RELEASE);
	toy.got[2] = EVBUS_LOAD(&toy.left, ACQUIRE);
}

static void
sb_left_fence(void)
{
	EVBUS_STORE(&toy.left, 1, RELAXED);
	EVBUS_FENCE(SEQ_CST);
	toy.got[1] = EVBUS_LOAD(&toy.right, RELAXED);
}

static void
sb_right_fence(void)
{
	EVBUS_STORE(&toy.right, 1, RELAXED);
	EVBUS_FENCE(SEQ_CST);
	toy.got[2] = EVBUS_LOAD(&toy.left, RELAXED);
}

static void
sb_left_light(void)
{
	EVBUS_STORE(&toy.left, 1, RELAXED);
	EVBUS_FENCE_LIGHT(evbus__fence_full());
	toy.got[1] = EVBUS_LOAD(&toy.right, RELAXED);
}

static void
sb_right_light(void)
{
	EVBUS_STORE(&toy.right, 1, RELAXED);
	EVBUS_FENCE_LIGHT(evbus__fence_full());
	toy.got[2] = EVBUS_LOAD(&toy.left, RELAXED);
}

static void
sb_right_heavy(void)
{
	EVBUS_STORE(&toy.right, 1, RELAXED);
	evbus__fence_heavy();
	toy.got[2] = EVBUS_LOAD(&toy.left, RELAXED);
}

static void
sb_left_sc(void)
{
	EVBUS_STORE(&toy.left, 1, SEQ_CST);
	toy.got[1] = EVBUS_LOAD(&toy.right, SEQ_CST);
}

static void
sb_right_sc(void)
{
	EVBUS_STORE(&toy.right, 1, SEQ_CST);
	toy.got[2] = EVBUS_LOAD(&toy.left, SEQ_CST);
}

static void
sb_left_modify(void)
{
	(void)EVBUS_FETCH_ADD(&toy.left, 1, SEQ_CST);
	toy.got[1] = EVBUS_LOAD(&toy.right, ACQUIRE);
}

static void
sb_right_modify(void)
{
	(void)EVBUS_FETCH_ADD(&toy.right, 1, SEQ_CST);
	toy.got[2] = EVBUS_LOAD(&toy.left, ACQUIRE);
}

/* R: the fence of one thread is not enough for the other. */
static void
r_left(void)
{
	EVBUS_STORE(&toy.left, 1, RELAXED);
	EVBUS_FENCE(SEQ_CST);
	EVBUS_STORE(&toy.right, 1, RELAXED);
}

static void
r_right(void)
{
	EVBUS_STORE(&toy.right, 2, RELAXED);
	toy.got[2] = EVBUS_LOAD(&toy.left, ACQUIRE);
}

static void
r_finish(void)
{
	EXPLORE_ASSERT(toy.right == 1 || toy.got[2] == 1);
}

/* Two writers, two readers that must agree on the order. */
static void
iriw_left(void)
{
	EVBUS_STORE(&toy.left, 1, RELEASE);
}

static void
iriw_right(void)
{
	EVBUS_STORE(&toy.right, 1, RELEASE);
}

static void
iriw_read(const uint32_t *first, const uint32_t *second, int fence)
{
	uint32_t a, b;

	a = EVBUS_LOAD(first, ACQUIRE);
	if (fence)
		EVBUS_FENCE(SEQ_CST);
	b = EVBUS_LOAD(second, ACQUIRE);
	toy.got[explore_self()] = a == 1 && b == 0;
}

static void
iriw_read_left(void)
{
	iriw_read(&toy.left, &toy.right, 0);
}

static void
iriw_read_right(void)
{
	iriw_read(&toy.right, &toy.left, 0);
}

static void
iriw_read_left_fence(void)
{
	iriw_read(&toy.left, &toy.right, 1);
}

static void
iriw_read_right_fence(void)
{
	iriw_read(&toy.right, &toy.left, 1);
}

static void
iriw_finish(void)
{
	EXPLORE_ASSERT(!(toy.got[3] == 1 && toy.got[4] == 1));
}

/* A value read is never older than one read before, by anyone in the past. */
static void
coherence_write(void)
{
	EVBUS_STORE(&toy.data, 1, RELAXED);
	EVBUS_STORE(&toy.data, 2, RELAXED);
}

static void
coherence_read(void)
{
	uint32_t a, b;

	a = EVBUS_LOAD(&toy.data, RELAXED);
	b = EVBUS_LOAD(&toy.data, RELAXED);
	EXPLORE_ASSERT(b >= a);
	toy.got[2] = b;
	EVBUS_STORE(&toy.flag, 1, RELEASE);
}

static void
coherence_read_after(void)
{
	if (EVBUS_LOAD(&toy.flag, ACQUIRE) == 1)
		EXPLORE_ASSERT(EVBUS_LOAD(&toy.data, RELAXED) >= toy.got[2]);
}

/* A sequence lock of two words. */
static void
seq_write(void)
{
	uint64_t in[2] = { 5, 5 };

	EVBUS_STORE(&toy.stamp, 1, RELAXED);
	EVBUS_FENCE(RELEASE);
	EVBUS_PLAIN_COPY_IN(toy.word, in, sizeof in);
	EVBUS_STORE(&toy.stamp, 2, RELEASE);
}

static void
seq_write_no_fence(void)
{
	uint64_t in[2] = { 5, 5 };

	EVBUS_STORE(&toy.stamp, 1, RELAXED);
	EVBUS_PLAIN_COPY_IN(toy.word, in, sizeof in);
	EVBUS_STORE(&toy.stamp, 2, RELEASE);
}

static void
seq_read_with(int fence, int again)
{
	uint64_t before, after, a, b;

	before = EVBUS_LOAD(&toy.stamp, ACQUIRE);
	a = EVBUS_LOAD(&toy.word[0], RELAXED);
	b = EVBUS_LOAD(&toy.word[1], RELAXED);
	if (fence)
		EVBUS_FENCE(ACQUIRE);
	after = again ? EVBUS_LOAD(&toy.stamp, RELAXED) : before;
	if (before == after && (before & 1) == 0)
		EXPLORE_ASSERT(a == b);
}

static void
seq_read(void)
{
	seq_read_with(1, 1);
}

static void
seq_read_no_fence(void)
{
	seq_read_with(0, 1);
}

static void
seq_read_once(void)
{
	seq_read_with(1, 0);
}

/* Two 32-bit fields in one word are two locations. */
static struct {
	EVBUS_ALIGNED(8) uint32_t low;
	uint32_t high;
} pair;

static void
pair_setup(void)
{
	toy_setup();
	pair.low = pair.high = 0;
}

static void
pair_write(void)
{
	EVBUS_STORE(&pair.low, 1, RELAXED);
	EVBUS_STORE(&pair.high, 1, RELAXED);
}

static void
pair_read(void)
{
	if (EVBUS_LOAD(&pair.high, ACQUIRE) == 1)
		EXPLORE_ASSERT(EVBUS_LOAD(&pair.low, RELAXED) == 1);
}

/* Fences order what is seen; alone they synchronise nothing. */
static void
fenced_store(void)
{
	EVBUS_PLAIN_STORE(&toy.plain, 7);
	EVBUS_FENCE(SEQ_CST);
}

static void
fenced_load(void)
{
	EVBUS_FENCE(SEQ_CST);
	(void)EVBUS_PLAIN_LOAD(&toy.plain);
}

TOY(mp_relaxed, "relaxed publish", toy_setup, NULL, mp_send_relaxed,
    mp_receive);
TOY(mp_relaxed_read, "relaxed look", toy_setup, NULL, mp_send,
    mp_receive_relaxed);
TOY(mp_ordered, "release, acquire", toy_setup, NULL, mp_send, mp_receive);
TOY(mp_fences, "release fence, acquire fence", toy_setup, NULL, mp_send_fence,
    mp_receive_fence);
TOY(mp_spin, "release, spin on acquire", toy_setup, NULL, mp_send,
    mp_receive_spin);
TOY(mp_spin_relaxed, "spin on relaxed", toy_setup, NULL, mp_send,
    mp_receive_spin_relaxed);
TOY(race_ordered, "plain data, release, acquire", toy_setup, NULL, race_send,
    race_receive);
TOY(race_relaxed, "plain data, relaxed publish", toy_setup, NULL,
    race_send_relaxed, race_receive);
TOY(race_atomic, "plain store, atomic store", toy_setup, NULL, race_send,
    race_store_atomic);
TOY(sequence_kept, "release sequence through a cas", toy_setup, NULL, race_send,
    sequence_modify, sequence_receive);
TOY(sequence_broken, "release sequence cut by a store", toy_setup, NULL,
    race_send, sequence_store, sequence_receive);
TOY(sb_plain, "store buffering, no fence", toy_setup, sb_finish, sb_left,
    sb_right);
TOY(sb_fences, "store buffering, SC fences", toy_setup, sb_finish,
    sb_left_fence, sb_right_fence);
TOY(sb_heavy, "store buffering, light and heavy", toy_setup, sb_finish,
    sb_left_light, sb_right_heavy);
TOY(sb_light, "store buffering, light twice", toy_setup, sb_finish,
    sb_left_light, sb_right_light);
TOY(sb_sc, "store buffering, SC accesses", toy_setup, sb_finish, sb_left_sc,
    sb_right_sc);
TOY(sb_modify, "an SC modify is no fence", toy_setup, sb_finish, sb_left_modify,
    sb_right_modify);
TOY(r_one_fence, "R, with one fence", toy_setup, r_finish, r_left, r_right);
TOY(iriw, "two readers, acquire", toy_setup, iriw_finish, iriw_left, iriw_right,
    iriw_read_left, iriw_read_right);
TOY(iriw_fences, "two readers, SC fences", toy_setup, iriw_finish, iriw_left,
    iriw_right, iriw_read_left_fence, iriw_read_right_fence);
TOY(coherence, "reads never go back", toy_setup, NULL, coherence_write,
    coherence_read, coherence_read_after);
TOY(seq_fences, "sequence lock", toy_setup, NULL, seq_write, seq_read);
TOY(seq_no_write_fence, "no fence after the stamp", toy_setup, NULL,
    seq_write_no_fence, seq_read);
TOY(seq_no_read_fence, "no fence before the stamp", toy_setup, NULL, seq_write,
    seq_read_no_fence);
TOY(seq_one_look, "stamp not read again", toy_setup, NULL, seq_write,
    seq_read_once);
TOY(pair_fields, "halves of a word are two places", pair_setup, NULL,
    pair_write, pair_read);
TOY(race_fences, "plain data, SC fences only", toy_setup, NULL, fenced_store,
    fenced_load);
