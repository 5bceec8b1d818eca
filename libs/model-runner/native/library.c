// What the library exports.
#define _GNU_SOURCE
#include <sys/mman.h>

#include "block-product.h"
#include "operators.h"

// Makes the operators known to a session. Returns NULL, or an OrtStatus that the caller releases.
EXPORT OrtStatus* millrace_register(OrtSessionOptions* options, OrtApi api) {
  // One for the process, which lives as long as this library; losing a race leaves a few bytes.
  static OrtCustomOpDomain* domain = NULL;
  OrtCustomOpDomain* known = __atomic_load_n(&domain, __ATOMIC_ACQUIRE);
  if (known == NULL) {
    OrtStatus* failed = create_domain(api)("millrace", &known);
    if (failed == NULL) failed = add_to_domain(api)(known, &block_product_operator);
    for (int i = 0; failed == NULL && i < ATTENTION_OPERATORS; i++) failed = add_to_domain(api)(known, &attention_operators[i]);
    if (failed != NULL) return failed;
    __atomic_store_n(&domain, known, __ATOMIC_RELEASE);
  }
  return add_domain(api)(options, known);
}

// SHA-256 of the sources that this was compiled from, in hexadecimal digits (build.sh).
EXPORT const char* millrace_sources(void) { return SOURCES; }
EXPORT int64_t millrace_packed_bytes(const Matrix* matrix) { return packed_bytes(matrix); }

// Memory of zeros for packed matrices, from the system itself, so that huge pages fit in and all of it goes back. NULL where there is none.
EXPORT void* millrace_allocate(size_t bytes) {
  void* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

EXPORT void millrace_free(void* memory, size_t bytes) { munmap(memory, bytes); }
