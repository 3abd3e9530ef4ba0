/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what all fuzz targets share: reading the input, a heap that counts,
 * a naive matcher, and the way to say that something is wrong.
 *
 * A target has one function, fuzz_one(); it does the same for the same input,
 * whatever came before.  common.c calls it, measures it and fails an input
 * that takes FUZZ_SLOW_NS of processor time.
 *
 * With -DFUZZ_CONTROL a target puts a defect between itself and the library.
 * Then fuzzing must fail; tests/fuzz/run sees to it that it does.
 */
#ifndef EVBUS_TESTS_FUZZ_H
#define EVBUS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FUZZ_SLOW_NS	INT64_C(10000000)
#define COUNT(a)	(sizeof(a) / sizeof *(a))

struct fuzz_input {
	const uint8_t *at;
	const uint8_t *end;
};

/* Bytes behind the end are 0. */
static inline unsigned
fuzz_byte(struct fuzz_input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static inline uint64_t
fuzz_word(struct fuzz_input *input, unsigned bytes)
{
	uint64_t word = 0;

	for (; bytes > 0; bytes--)
		word = word << 8 | fuzz_byte(input);
	return word;
}

/* The allocator of a bus or context; arg is a struct fuzz_heap. */
struct fuzz_heap {
	size_t bytes;		/* taken and not given back */
};
void *fuzz_alloc(size_t size, void *arg);
void fuzz_free(void *, size_t size, void *arg);

/* A C string of its own block: who reads behind its end is caught. */
char *fuzz_text(const uint8_t *, size_t size);

/* The grammar of topic.h once more, written as plainly as can be. */
int naive_valid(const char *text, int pattern);
int naive_match(const char *pattern, const char *name);
int naive_overlap(const char *a, const char *b);

_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
#define FUZZ_FAIL(...) fuzz_fail(__FILE__, __LINE__, __VA_ARGS__)
#define FUZZ_CHECK(c) do { \
	if (!(c)) \
		FUZZ_FAIL("not so: %s", #c); \
} while (0)
#define FUZZ_EQUAL(seen, wanted) do { \
	long long seen_ = (long long)(seen), wanted_ = (long long)(wanted); \
	if (seen_ != wanted_) \
		FUZZ_FAIL("%s is %lld; it should be %lld", #seen, seen_, \
		    wanted_); \
} while (0)

void fuzz_one(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* EVBUS_TESTS_FUZZ_H */
