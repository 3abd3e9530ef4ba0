/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_lossy.c - lossy readers only: nobody is ever held.
 */
#include "stress/body.h"

int
main(void)
{
	static const struct stress_mode mode = {
		.name = "lossy",
		.stream = { .capacity = 64, .max_payload = 1024,
		    .pool_blocks = 8, .max_references = 8,
		    .timeout_ns = EVBUS_FOREVER },
		.producers = 2, .lossy = 4, .churners = 1, .mixed = 1
	};

	return stress_main(&mode);
}
