/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_plain.c - four producers, three lossless and two lossy readers.
 */
#include "stress/body.h"

int
main(void)
{
	static const struct stress_mode mode = {
		.name = "plain",
		.stream = { .capacity = 256, .timeout_ns = EVBUS_FOREVER },
		.producers = 4, .lossless = 3, .lossy = 2
	};

	return stress_main(&mode);
}
