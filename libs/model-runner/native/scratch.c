#include "scratch.h"

#include <stdlib.h>

// All operators of the process share what runs before have left: a new block would come from the system each time, page
// by page. As many are kept as models compute at once, beyond that others are allocated and freed.
enum { SPARES = 4 };
static void* spares[SPARES];

// A block begins with its size, in a line of the processor's caches.
enum { HEAD_BYTES = 64 };

uint8_t* take_memory(size_t bytes) {
  for (int i = 0; i < SPARES; i++) {
    size_t* spare = __atomic_exchange_n(&spares[i], NULL, __ATOMIC_ACQUIRE);
    if (spare == NULL) continue;
    if (*spare >= bytes) return (uint8_t*)spare + HEAD_BYTES;
    free(spare);
    break;
  }
  size_t* fresh = aligned_alloc(HEAD_BYTES, HEAD_BYTES + ((bytes + HEAD_BYTES - 1) & ~(size_t)(HEAD_BYTES - 1)));
  if (fresh == NULL) return NULL;
  *fresh = bytes;
  return (uint8_t*)fresh + HEAD_BYTES;
}

void give_back_memory(uint8_t* memory) {
  void* block = memory - HEAD_BYTES;
  for (int i = 0; i < SPARES; i++) {
    void* none = NULL;
    if (__atomic_compare_exchange_n(&spares[i], &none, block, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) return;
  }
  free(block);
}
