/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.h - layer 0: the codes that calls return.
 *
 * One list makes the enum, the name and the text.  Results are >= 0 or one of
 * these negative codes.  The control plane leaves a sentence beside the code,
 * with the value seen and the limit: evbus_errmsg().  errno is never touched
 * on purpose; where the system refused, its reason is part of the sentence.
 */
#ifndef EVBUS_ERROR_H
#define EVBUS_ERROR_H

#include <evbus/base.h>

#define EVBUS_ERRORS(E) \
	E(EINVAL, 1, "an argument is not valid") \
	E(ENOMEM, 2, "no memory") \
	E(EFULL, 3, "the stream is full") \
	E(ETIMEDOUT, 4, "the time limit has passed") \
	E(EDEADLK, 5, "only the caller could end this wait") \
	E(ECLOSED, 6, "closed") \
	E(EFORKED, 7, "the bus belongs to the parent process") \
	E(EBUSY, 8, "in use") \
	E(EVERSION, 9, "header and library have different layouts") \
	E(ENAME, 10, "not a topic name") \
	E(EPATTERN, 11, "not a topic pattern") \
	E(EMSGSIZE, 12, "the payload is larger than the stream allows") \
	E(EGONE, 13, "no longer held") \
	E(ENOENT, 14, "no such thing") \
	E(EEXIST, 15, "exists already") \
	E(ELIMIT, 16, "a limit set at open is used up") \
	E(EOWNER, 17, "belongs to another thread, to a worker or to the bus") \
	E(ENOTSUP, 18, "not supported by this version") \
	E(ESYSTEM, 19, "the operating system refused") \
	E(EVERDICT, 20, "a handler returned a verdict that cannot be acted on") \
	E(EREJECTED, 21, "the topic's validator rejected the payload")

enum evbus_error {
	EVBUS_OK = 0,
#define EVBUS__E(name, number, text) EVBUS_##name = -(number),
	EVBUS_ERRORS(EVBUS__E)
#undef EVBUS__E
	EVBUS__ERROR_LAST = -22
};

EVBUS_BEGIN_DECLS

/*
 * evbus_strerror() - the text of a code; "unknown error" for any other number.
 * The string is constant.  Any thread; wait-free.  evbus_strerror(3)
 */
EVBUS_API const char *evbus_strerror(int code);

/*
 * evbus_errname() - the name of a code, "EVBUS_EFULL"; "EVBUS_OK" for 0 and
 * more, "EVBUS_?" for an unknown number.  Constant.  evbus_strerror(3)
 */
EVBUS_API const char *evbus_errname(int code);

/*
 * evbus_errmsg() - the calling thread's last refusal, in a sentence.  The
 * string belongs to the library and holds until this thread's next refusal.
 * Never NULL; empty before the first refusal.  Calls that succeed leave it as
 * it is, and so does the plain result EVBUS_EFULL.  Wait-free.
 * evbus_strerror(3)
 */
EVBUS_API const char *evbus_errmsg(void);

EVBUS_END_DECLS

#endif /* EVBUS_ERROR_H */
