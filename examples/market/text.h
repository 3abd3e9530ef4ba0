/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - lines of a file, and the numbers in them.
 */
#ifndef MARKET_TEXT_H
#define MARKET_TEXT_H

#include "market.h"

#define LINES_BUFFER 65536u

/* Reads a descriptor line by line; start with fd set and the rest zero. */
struct lines {
	int fd;
	int at_end;
	int discard;			/* the rest of an over-long line */
	uint64_t number;		/* of the line given last, from 1 */
	uint64_t bytes;			/* given or passed so far */
	size_t begin;
	size_t end;
	char buffer[LINES_BUFFER];
};

/*
 * The next line, without its end ("\n" or "\r\n"); it holds until the next
 * call.  1, 0 at the end, -1 (see errno).  Of a line that does not fit the
 * buffer only the first part is given: its length is LINES_BUFFER.
 */
int lines_next(struct lines *, const char **text, size_t *length);

/* Why a line is not a message; 0 is a message. */
enum text_reason {
	TEXT_OK,
	TEXT_LONG,
	TEXT_NUL,
	TEXT_FIELDS,
	TEXT_TIME,
	TEXT_TYPE,
	TEXT_ID,
	TEXT_QUANTITY,
	TEXT_PRICE,
	TEXT_DIRECTION,
	TEXT_REASONS
};

const char *text_reason(enum text_reason);

/* A message of the file; order.row is left alone. */
struct text_message {
	enum market_type type;
	struct market_order order;
};

enum text_reason text_message(const char *text, size_t length,
    struct text_message *);

/* Six fields that begin with a letter are a header line. */
int text_is_header(const char *text, size_t length);

/*
 * Up to `limit` integers, separated by commas; how many there were, or -1 if
 * one of them is no integer.  Further fields are left alone.
 */
int text_integers(const char *text, size_t length, int64_t *value, int limit);

#endif /* MARKET_TEXT_H */
