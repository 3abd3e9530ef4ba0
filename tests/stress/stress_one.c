/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_one.c - a stream of one producer, with large slots.
 */
#include "stress/body.h"

int
main(void)
{
	static const struct stress_mode mode = {
		.name = "one",
		.stream = { .capacity = 64, .slot_size = 512,
		    .max_payload = 1024, .pool_blocks = 4,
		    .max_references = 4, .producers = EVBUS_PRODUCERS_ONE,
		    .timeout_ns = EVBUS_FOREVER },
		.producers = 1, .lossless = 2, .lossy = 2, .churners = 2,
		.mixed = 1
	};

	return stress_main(&mode);
}
