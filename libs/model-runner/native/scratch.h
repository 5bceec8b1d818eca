// Memory for the time of a run.
#ifndef MILLRACE_SCRATCH_H
#define MILLRACE_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

// At a multiple of 64 bytes; NULL where there is none.
uint8_t* take_memory(size_t bytes);
void give_back_memory(uint8_t* memory);

#endif
