/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - the command line of the market example.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SECONDS	3.0
#define DEFAULT_SEED	20120621u
#define SPEED_LOW	0.001
#define SPEED_HIGH	1e6
#define SECONDS_LOW	0.001
#define SECONDS_HIGH	86400.0

static void
print_help(void)
{
	printf(
	    "usage: market [option value]...\n"
	    "\n"
	    "  --data FILE     read this LOBSTER message file; without it a\n"
	    "                  feed in the same format is made up\n"
	    "  --book FILE     compare with this order-book file: its first\n"
	    "                  row seeds the rebuilt book, the rest checks it\n"
	    "  --speed Nx|max  N times as fast as recorded; max (the default)\n"
	    "                  without a pause\n"
	    "  --symbol NAME   for the topics; by default what stands before\n"
	    "                  the first '_' of the file's name, or DEMO\n"
	    "  --seconds S     length of a made-up feed (%.0f)\n"
	    "  --messages N    and at most as many messages\n"
	    "  --seed N        of a made-up feed (%u)\n"
	    "  --help          this text\n", DEFAULT_SECONDS, DEFAULT_SEED);
}

static int
wrong(const char *what, const char *value)
{
	fprintf(stderr, "market: %s: %s (try --help)\n", what, value);
	return -1;
}

static int
parse_number(const char *text, double low, double high, double *value)
{
	char *end;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return 0;
	*value = strtod(text, &end);
	return end != text && *end == '\0' && *value >= low && *value <= high;
}

static int
parse_count(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return 0;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* "max", "10x", "0.5x" */
static int
parse_speed(const char *text, double *speed)
{
	char number[32];
	size_t length = strlen(text);

	*speed = 0;
	if (strcmp(text, "max") == 0)
		return 1;
	if (length < 2 || length > sizeof number || text[length - 1] != 'x')
		return 0;
	memcpy(number, text, length - 1);
	number[length - 1] = '\0';
	return parse_number(number, SPEED_LOW, SPEED_HIGH, speed);
}

/* One token of a topic: letters and digits, here. */
static int
copy_symbol(char *symbol, const char *text, size_t length)
{
	size_t i;

	if (length == 0 || length > MARKET_SYMBOL_MAX)
		return 0;
	for (i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]))
			return 0;
		symbol[i] = (char)toupper((unsigned char)text[i]);
	}
	symbol[length] = '\0';
	return 1;
}

static void
default_symbol(struct options *options)
{
	const char *name = options->data, *slash, *end;

	if (name != NULL) {
		slash = strrchr(name, '/');
		name = slash == NULL ? name : slash + 1;
		end = strchr(name, '_');
		if (end != NULL && copy_symbol(options->symbol, name,
		    (size_t)(end - name)))
			return;
	}
	copy_symbol(options->symbol, "DEMO", 4);
}

static int
parse_one(struct options *options, const char *name, const char *value)
{
	if (strcmp(name, "--data") == 0) {
		options->data = value;
	} else if (strcmp(name, "--book") == 0) {
		options->book = value;
	} else if (strcmp(name, "--symbol") == 0) {
		if (!copy_symbol(options->symbol, value, strlen(value)))
			return wrong("not a symbol of 1 to 16 letters and "
			    "digits", value);
	} else if (strcmp(name, "--speed") == 0) {
		if (!parse_speed(value, &options->speed))
			return wrong("not a speed like 1x, 0.5x or max",
			    value);
	} else if (strcmp(name, "--seconds") == 0) {
		if (!parse_number(value, SECONDS_LOW, SECONDS_HIGH,
		    &options->seconds))
			return wrong("not a number of seconds", value);
	} else if (strcmp(name, "--messages") == 0) {
		if (!parse_count(value, &options->messages))
			return wrong("not a number of messages", value);
	} else if (!parse_count(value, &options->seed)) {
		return wrong("not a seed", value);
	}
	return 1;
}

static int
is_option(const char *name)
{
	static const char *const known[] = { "--data", "--book", "--symbol",
	    "--speed", "--seconds", "--messages", "--seed" };
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i]) == 0)
			return 1;
	return 0;
}

int
options_parse(struct options *options, int argc, char **argv)
{
	int i;

	memset(options, 0, sizeof *options);
	options->seconds = DEFAULT_SECONDS;
	options->seed = DEFAULT_SEED;
	for (i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--help") == 0) {
			print_help();
			return 0;
		}
		if (!is_option(argv[i]))
			return wrong("no such option", argv[i]);
		if (i + 1 == argc)
			return wrong("a value is missing", argv[i]);
		if (parse_one(options, argv[i], argv[i + 1]) < 0)
			return -1;
	}
	if (options->book != NULL && options->data == NULL)
		return wrong("a true book needs its messages, --data",
		    options->book);
	if (options->symbol[0] == '\0')
		default_symbol(options);
	return 1;
}
