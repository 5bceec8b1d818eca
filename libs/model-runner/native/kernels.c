// Which kernels compute here.
#include "kernels.h"

#include <string.h>

// Best first.
static const Kernels* const all[] = {
#ifdef __x86_64__
    &amx_kernels,
    &avx512_kernels,
    &avxvnni_kernels,
    &avx2_kernels,
#elif defined(__aarch64__)
    &neon_kernels,
#endif
    NULL,
};

static const Kernels* chosen;

// As the library is loaded, before any thread can ask.
__attribute__((constructor)) static void choose(void) {
  for (int i = 0; all[i] != NULL && chosen == NULL; i++)
    if (all[i]->runs_here() && (all[i]->pays == NULL || all[i]->pays())) chosen = all[i];
}

const Kernels* kernels_here(void) { return chosen; }

// The kernel's name, or NULL where the processor has the instructions of none.
EXPORT const char* millrace_kernel(void) { return chosen == NULL ? NULL : chosen->name; }

// The name of kernel `index`, whether it runs here or not, or NULL behind the last.
EXPORT const char* millrace_kernel_name(int index) { return all[index] == NULL ? NULL : all[index]->name; }

// For tests: takes another kernel for all products from now on. Returns 0 where it does not run here. Nothing may be computed meanwhile.
EXPORT int millrace_use_kernel(const char* name) {
  for (int i = 0; all[i] != NULL; i++) {
    if (strcmp(all[i]->name, name) != 0 || !all[i]->runs_here()) continue;
    chosen = all[i];
    return 1;
  }
  return 0;
}
