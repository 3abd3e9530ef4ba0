/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.c - one line of a LOBSTER message file:
 *
 *	time,type,order,quantity,price,direction
 *	34200.004241176,1,16113575,18,5853300,1
 *
 * time in seconds after midnight with decimals to the nanosecond, price in
 * dollars x 10,000, direction 1 for an order to buy and -1 for one to sell:
 * always that of the order that rests in the book.  The line is read digit by
 * digit, in integers: a double could not hold every price or time exactly, and
 * no C library function is safe on text that may hold anything.
 */
#include "text.h"

#include <string.h>

#define MESSAGE_FIELDS	6
#define MESSAGE_MAX	255u	/* bytes of a line */

/* What is left of a line. */
struct cursor {
	const char *at;
	const char *end;
};

const char *
text_reason(enum text_reason reason)
{
	static const char *const name[TEXT_REASONS] = {
		"a message",
		"longer than 255 bytes",
		"holds a NUL byte",
		"does not have six fields",
		"the time is not a number of seconds",
		"the type is not a number from 1 to 7",
		"the order is not a number",
		"the quantity is not a number of shares",
		"the price is not a number of ten thousandths of a dollar",
		"the direction is neither 1 nor -1"
	};

	return (unsigned)reason < TEXT_REASONS ? name[reason] : "?";
}

/* Digits up to the first other byte; their number, 0: none, or too many. */
static int
digits(struct cursor *cursor, uint64_t *value)
{
	int count = 0;
	uint64_t sum = 0;

	while (cursor->at < cursor->end &&
	    *cursor->at >= '0' && *cursor->at <= '9') {
		if (count == 18)
			return 0;
		sum = sum * 10 + (uint64_t)(*cursor->at - '0');
		count++;
		cursor->at++;
	}
	*value = sum;
	return count;
}

/* The end of a field: a comma, which is passed, or the end of the line. */
static int
field_end(struct cursor *cursor)
{
	if (cursor->at == cursor->end)
		return 1;
	if (*cursor->at != ',')
		return 0;
	cursor->at++;
	return 1;
}

static int
integer(struct cursor *cursor, int64_t *value)
{
	int minus = cursor->at < cursor->end && *cursor->at == '-';
	uint64_t number;

	if (minus)
		cursor->at++;
	if (digits(cursor, &number) == 0)
		return 0;
	*value = minus ? -(int64_t)number : (int64_t)number;
	return field_end(cursor);
}

/*
 * Seconds with a fraction, in ns.  Recordings that went through a double have
 * a line here and there with more than nine decimals; the rest is dropped.
 */
static int
seconds(struct cursor *cursor, int64_t *time_ns)
{
	uint64_t whole, part = 0;
	int places = 0;

	if (digits(cursor, &whole) == 0 || whole > 1000000)
		return 0;
	if (cursor->at < cursor->end && *cursor->at == '.') {
		cursor->at++;
		places = digits(cursor, &part);
		if (places == 0)
			return 0;
	}
	for (; places < 9; places++)
		part *= 10;
	for (; places > 9; places--)
		part /= 10;
	*time_ns = (int64_t)(whole * 1000000000u + part);
	return field_end(cursor);
}

static int
count_fields(const char *text, size_t length)
{
	const char *at = text, *end = text + length;
	int fields = 1;

	while ((at = memchr(at, ',', (size_t)(end - at))) != NULL) {
		fields++;
		at++;
	}
	return fields;
}

int
text_is_header(const char *text, size_t length)
{
	return length > 0 && count_fields(text, length) == MESSAGE_FIELDS &&
	    ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z'));
}

int
text_integers(const char *text, size_t length, int64_t *value, int limit)
{
	struct cursor cursor = { text, text + length };
	int count;

	for (count = 0; count < limit && cursor.at < cursor.end; count++)
		if (!integer(&cursor, &value[count]))
			return -1;
	return count;
}

/* Halts say in the price whether trade goes on; auctions name no order. */
static enum text_reason
check_values(enum market_type type, int64_t id, int64_t quantity,
    int64_t price, int64_t direction)
{
	if (id < 0 && type != MARKET_CROSS && type != MARKET_HALT)
		return TEXT_ID;
	if (quantity < 0 || quantity > MARKET_QUANTITY_MAX)
		return TEXT_QUANTITY;
	if ((price <= 0 && type != MARKET_HALT) || price > MARKET_PRICE_MAX)
		return TEXT_PRICE;
	if (direction != 1 && direction != -1)
		return TEXT_DIRECTION;
	return TEXT_OK;
}

enum text_reason
text_message(const char *text, size_t length, struct text_message *message)
{
	struct cursor cursor = { text, text + length };
	int64_t time, type, id, quantity, price, direction;
	enum text_reason reason;

	if (length > MESSAGE_MAX)
		return TEXT_LONG;
	if (memchr(text, '\0', length) != NULL)
		return TEXT_NUL;
	if (count_fields(text, length) != MESSAGE_FIELDS)
		return TEXT_FIELDS;
	if (!seconds(&cursor, &time))
		return TEXT_TIME;
	if (!integer(&cursor, &type) || type < 1 || type >= MARKET_TYPES)
		return TEXT_TYPE;
	if (!integer(&cursor, &id))
		return TEXT_ID;
	if (!integer(&cursor, &quantity))
		return TEXT_QUANTITY;
	if (!integer(&cursor, &price))
		return TEXT_PRICE;
	if (!integer(&cursor, &direction))
		return TEXT_DIRECTION;
	message->type = (enum market_type)type;
	reason = check_values(message->type, id, quantity, price, direction);
	if (reason != TEXT_OK)
		return reason;
	message->order.time = time;
	message->order.id = id < 0 ? 0 : (uint64_t)id;
	message->order.price = price;
	message->order.quantity = (uint32_t)quantity & 0x7fffffffu;
	message->order.buy = direction == 1;
	return TEXT_OK;
}
