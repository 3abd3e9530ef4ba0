/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_close.c - as mixed, and closed while all of it runs.
 */
#include "stress/body.h"

int
main(void)
{
	static const struct stress_mode mode = {
		.name = "close",
		.stream = { .capacity = 128, .max_payload = 1024,
		    .pool_blocks = 24, .max_references = 8,
		    .timeout_ns = EVBUS_FOREVER },
		.producers = 4, .lossless = 3, .lossy = 2, .churners = 2,
		.mixed = 1, .close_in_flow = 1
	};

	return stress_main(&mode);
}
