/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_tiny.c - a ring of two slots, refusing instead of waiting.
 */
#include "stress/body.h"

int
main(void)
{
	static const struct stress_mode mode = {
		.name = "tiny",
		.stream = { .capacity = 2, .max_payload = 1024,
		    .pool_blocks = 2, .max_references = 2,
		    .on_full = EVBUS_ON_FULL_FAIL,
		    .first_sequence = (UINT64_C(1) << 32) - 1000 },
		.producers = 3, .lossless = 1, .lossy = 1, .churners = 1,
		.mixed = 1
	};

	return stress_main(&mode);
}
