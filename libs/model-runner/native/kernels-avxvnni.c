// x64 with AVX-VNNI: sums of four products of a byte each in one instruction, in 256 bits.
#ifdef __x86_64__
#define TARGET __attribute__((target("avx2,f16c,fma,avxvnni")))
#include "avx2-operations.h"

static int runs_here(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avxvnni") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

// Sixteen registers: eight sums, two vectors of quanta for each vector of outputs, and one of rows.
OPERATION int together(int bits, int rows) {
  (void)bits;
  return rows == 1 ? 4 : 2;
}

OPERATION void add_products(int bits, int spread, int rows, int vectors, const uint8_t* at, const int8_t* x, int64_t row_bytes,
                            Ints (*dot)[PANEL / LANES]) {
  // Else the compiler keeps what all vectors of outputs need of the rows, for which there are no registers.
  __asm__("" : "+r"(x));
#pragma GCC unroll 8
  for (int j = 0; j < bits; j++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      const __m256i w = _mm256_load_si256((const __m256i*)(at + j * 128 + v * 32));
      const __m256i a = bits == 8 ? w : low_quanta(spread, w), b = high_quanta(spread, w);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        const int8_t* q = x + r * row_bytes + j * BLOCK / bits;
        dot[r][v] = _mm256_dpbusd_avx_epi32(dot[r][v], a, four_of(q));
        if (bits == 4) dot[r][v] = _mm256_dpbusd_avx_epi32(dot[r][v], b, four_of(q + 4));
      }
    }
  }
}

#include "block-product-kernel.h"

#define TILE_VECTORS 2
#include "attention-kernel.h"
#include "rows-of-logits-kernel.h"

const Kernels avxvnni_kernels = {"AVX-VNNI", runs_here, NULL, quantize_row, multiply_panel, append_to_cache, attend, attend_span, join_spans,
                               largest_logit, mask_logits, weigh_logits, tokens_of_bucket};
#else
typedef int None;
#endif
