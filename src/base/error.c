/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.c - layer 0: names and texts of the codes, and each thread's last
 * refusal in a sentence.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/context.h"

#define MESSAGE_MAX 320

static _Thread_local char message[MESSAGE_MAX];
static _Thread_local int last_code;

const char *
evbus_strerror(int code)
{
	if (code >= 0)
		return "success";
	switch (code) {
#define TEXT(name, number, text) case -(number): return text;
	EVBUS_ERRORS(TEXT)
#undef TEXT
	default:
		return "unknown error";
	}
}

const char *
evbus_errname(int code)
{
	if (code >= 0)
		return "EVBUS_OK";
	switch (code) {
#define NAME(name, number, text) case -(number): return "EVBUS_" #name;
	EVBUS_ERRORS(NAME)
#undef NAME
	default:
		return "EVBUS_?";
	}
}

const char *
evbus_errmsg(void)
{
	return message;
}

int
evbus__fail(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof message, format, args);
	va_end(args);
	last_code = code;
	return code;
}

int
evbus__failed(void)
{
	return last_code;
}

int
evbus__check_options(const char *what, size_t given, size_t expected)
{
	if (given == expected)
		return 0;
	return evbus__fail(EVBUS_EVERSION, "%s has %zu bytes in the program "
	    "and %zu in the library, version %s", what, given, expected,
	    EVBUS_VERSION);
}

int
evbus__check_layout(unsigned layout)
{
	if (layout == EVBUS_LAYOUT)
		return 0;
	return evbus__fail(EVBUS_EVERSION, "the program was built for layout "
	    "%u and the library, version %s, has %u", layout, EVBUS_VERSION,
	    EVBUS_LAYOUT);
}
