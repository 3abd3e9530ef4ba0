/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_memory.h - what the memory models share: the stores of
 * explore_memory.c, and the buffers of explore_buffer.c that hide some.
 */
#ifndef EVBUS_EXPLORE_MEMORY_H
#define EVBUS_EXPLORE_MEMORY_H

#include "explore_core.h"

/* A store, by its index, is seen by everybody from now on. */
void explore__store_show(uint32_t store);

/* 1: the model has store buffers.  Otherwise the others are not called. */
int explore__buffered(void);
void explore__buffer_reset(void);
void explore__buffer_add(uint32_t store, uintptr_t word, uint8_t bytes,
    int order);
void explore__buffer_drain(int fiber);
void explore__buffer_show(uint32_t store);
void explore__buffer_show_word(const volatile void *);
void explore__buffer_fence(void);
void explore__buffer_section_end(void);
void explore__buffer_show_ended(void);

#endif /* EVBUS_EXPLORE_MEMORY_H */
