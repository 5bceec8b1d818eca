// x64 with AVX2. Products of bytes are added in pairs to 16 bits, which saturates: but with quanta of 4 bits a pair is at most 2 × 15 × 127, and
// the eight pairs of a block at most 30,480, so that a block is summed up in 16 bits, exactly. Quanta of 8 bits are taken as two of 4.
#ifdef __x86_64__
#define TARGET __attribute__((target("avx2,f16c,fma")))
#include "avx2-operations.h"

static int runs_here(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

// Sixteen registers: eight sums of 16 bits (two for each sum of quanta of 8 bits), the quanta, and one vector of rows.
OPERATION int together(int bits, int rows) {
  const int vectors = 8 / rows / (bits / 4);
  return vectors >= 4 ? 4 : vectors >= 2 ? 2 : 1;
}

OPERATION void add_products(int bits, int spread, int rows, int vectors, const uint8_t* at, const int8_t* x, int64_t row_bytes,
                            Ints (*dot)[PANEL / LANES]) {
  // Else the compiler keeps what all vectors of outputs need of the rows, for which there are no registers.
  __asm__("" : "+r"(x));
  // Sums of 16 bits: of low and, apart where quanta have 8 bits, of high nibbles.
  __m256i low[MOST_ROWS][PANEL / LANES], high[MOST_ROWS][PANEL / LANES];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) low[r][v] = high[r][v] = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int j = 0; j < bits; j++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      const __m256i w = _mm256_load_si256((const __m256i*)(at + j * 128 + v * 32));
      const __m256i a = low_quanta(0, w), b = high_quanta(0, w);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        const int8_t* q = x + r * row_bytes + j * BLOCK / bits;
        low[r][v] = _mm256_add_epi16(low[r][v], _mm256_maddubs_epi16(a, four_of(q)));
        if (bits == 8) high[r][v] = _mm256_add_epi16(high[r][v], _mm256_maddubs_epi16(b, four_of(q)));
        else low[r][v] = _mm256_add_epi16(low[r][v], _mm256_maddubs_epi16(b, four_of(q + 4)));
        // Else the compiler keeps all products of a block and adds them at its end, for which there are no registers either.
        __asm__ volatile("" : "+x"(low[r][v]));
        if (bits == 8) __asm__ volatile("" : "+x"(high[r][v]));
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      dot[r][v] = _mm256_add_epi32(dot[r][v], _mm256_madd_epi16(low[r][v], _mm256_set1_epi16(spread ? 17 : 1)));
      if (bits == 8) dot[r][v] = _mm256_add_epi32(dot[r][v], _mm256_madd_epi16(high[r][v], _mm256_set1_epi16(16)));
    }
  }
}

#include "block-product-kernel.h"

#define TILE_VECTORS 2
#include "attention-kernel.h"
#include "rows-of-logits-kernel.h"

const Kernels avx2_kernels = {"AVX2", runs_here, NULL, quantize_row, multiply_panel, append_to_cache, attend, attend_span, join_spans,
                               largest_logit, mask_logits, weigh_logits, tokens_of_bucket};
#else
typedef int None;
#endif
