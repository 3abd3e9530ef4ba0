/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - what an analyser of one file at a time cannot see, for
 * tests/lint/analyze: a refusal is the code that it was given, a negative one;
 * with MODEL_MEMORY, memory comes zeroed or not at all, and is to be given back
 * once.
 */
#include <stdlib.h>

#include "base/context.h"

#define evbus__fail(code, ...) \
	((void)evbus__fail((code), __VA_ARGS__), 0 + (code))
#define evbus__failed() ((void)evbus__failed(), 0 + EVBUS_ENOMEM)
#ifdef MODEL_MEMORY
#define evbus__alloc(context, size) ((void)(context), calloc(1, (size)))
#define evbus__free(context, p, size) \
	((void)(context), (void)(size), free(p))
#endif
