// Which kernel computes the products here.
#include "block-product.h"

#include <string.h>

// Best first.
static const ProductKernel* const kernels[] = {
#ifdef __x86_64__
    &avx512_kernel,
    &avx2_kernel,
#elif defined(__aarch64__)
    &neon_kernel,
#endif
    NULL,
};

static const ProductKernel* chosen;

// As the library is loaded, before any thread can ask.
__attribute__((constructor)) static void choose(void) {
  for (int i = 0; kernels[i] != NULL && chosen == NULL; i++)
    if (kernels[i]->runs_here()) chosen = kernels[i];
}

const ProductKernel* product_kernel(void) { return chosen; }

// The kernel's name, or NULL where the processor has the instructions of none.
EXPORT const char* millrace_kernel(void) { return chosen == NULL ? NULL : chosen->name; }

// The name of kernel `index`, whether it runs here or not, or NULL behind the last.
EXPORT const char* millrace_kernel_name(int index) { return kernels[index] == NULL ? NULL : kernels[index]->name; }

// For tests: takes another kernel for all products from now on. Returns 0 where it does not run here. Nothing may be computed meanwhile.
EXPORT int millrace_use_kernel(const char* name) {
  for (int i = 0; kernels[i] != NULL; i++) {
    if (strcmp(kernels[i]->name, name) != 0 || !kernels[i]->runs_here()) continue;
    chosen = kernels[i];
    return 1;
  }
  return 0;
}
