/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * os_linux_event.c - layer 0: descriptors for the loops of programs (os.h), by
 * eventfd(2).
 */
#include <sys/eventfd.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/context.h"
#include "base/os.h"

#define TRIES 3

int
evbus__os_event_open(int *fd)
{
	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*fd >= 0)
		return 0;
	return evbus__fail(EVBUS_ESYSTEM, "no descriptor for a loop: eventfd: "
	    "%s", strerror(errno));
}

void
evbus__os_event_close(int fd)
{
	close(fd);
}

void
evbus__os_event_signal(int fd)
{
	const uint64_t one = 1;
	int saved = errno, i;

	for (i = 0; i < TRIES; i++)
		if (write(fd, &one, sizeof one) == (ssize_t)sizeof one)
			break;
	errno = saved;
}

uint64_t
evbus__os_event_clear(int fd)
{
	uint64_t count = 0;
	int saved = errno;

	if (read(fd, &count, sizeof count) != (ssize_t)sizeof count)
		count = 0;
	errno = saved;
	return count;
}
