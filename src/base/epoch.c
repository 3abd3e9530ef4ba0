/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoch.c - layer 0: epoch.h on ck_epoch(3).
 *
 * The thread sanitizer does not see Concurrency Kit's instructions; the two
 * hints tell it the one edge that a grace period gives: what a section did
 * happens before the return from synchronize.
 */
#include "base/epoch.h"

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif

#ifdef TSAN
void __tsan_acquire(void *);
void __tsan_release(void *);
#define HINT_RELEASE(p)	__tsan_release(p)
#define HINT_ACQUIRE(p)	__tsan_acquire(p)
#else
#define HINT_RELEASE(p)	((void)(p))
#define HINT_ACQUIRE(p)	((void)(p))
#endif

void
evbus__epoch_init(struct evbus__epoch *epoch)
{
	ck_epoch_init(&epoch->epoch);
}

void
evbus__epoch_register(struct evbus__epoch *epoch,
    struct evbus__epoch_record *record)
{
	ck_epoch_register(&epoch->epoch, &record->record, NULL);
}

void
evbus__epoch_unregister(struct evbus__epoch *epoch,
    struct evbus__epoch_record *record)
{
	(void)epoch;
	ck_epoch_unregister(&record->record);
}

void
evbus__epoch_begin(struct evbus__epoch *epoch,
    struct evbus__epoch_record *record)
{
	(void)epoch;
	ck_epoch_begin(&record->record, NULL);
	EVBUS__DELAY(epoch);
}

void
evbus__epoch_end(struct evbus__epoch *epoch, struct evbus__epoch_record *record)
{
	HINT_RELEASE(epoch);
	(void)ck_epoch_end(&record->record, NULL);
}

void
evbus__epoch_synchronize(struct evbus__epoch *epoch,
    struct evbus__epoch_record *own)
{
	EVBUS__DELAY(epoch_wait);
	ck_epoch_synchronize(&own->record);
	HINT_ACQUIRE(epoch);
}
