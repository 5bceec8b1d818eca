// x64 with AVX-512 VNNI: sums of four products of a byte each in one instruction, and room for all sums in registers.
#ifdef __x86_64__
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")))
#define INLINE static inline __attribute__((always_inline))
#define OPERATION TARGET static inline __attribute__((always_inline))
#define SUMS_IN_REGISTERS 1
#define LESS(bits) 0

enum { LANES = 16 };
typedef __m512 Floats;
typedef __m512i Ints;

#include "quanta.h"

static int runs_here(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}

OPERATION Floats all_floats(float value) { return _mm512_set1_ps(value); }
OPERATION Floats floats_of(const float* at) { return _mm512_loadu_ps(at); }
OPERATION Floats halves_of(const uint8_t* at) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)at)); }
OPERATION Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
OPERATION Floats plus(Floats a, Floats b) { return _mm512_add_ps(a, b); }
OPERATION Floats times(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
OPERATION Floats times_and_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
OPERATION void put_floats(float* to, Floats a) { _mm512_storeu_ps(to, a); }
OPERATION float most_of(Floats a) { return _mm512_reduce_max_ps(a); }
OPERATION void put_halves(uint8_t* to, Floats a) { _mm256_storeu_si256((__m256i*)to, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }
OPERATION Floats quanta_of(const uint8_t* at) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)at))); }
OPERATION Ints all_ints(int32_t value) { return _mm512_set1_epi32(value); }
OPERATION Ints bytes_of(const uint8_t* at, int less) {
  (void)less;
  return _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i*)at));
}
// a × b of 16 bits each.
OPERATION Ints products_16(Ints a, int32_t b) { return _mm512_madd_epi16(a, _mm512_set1_epi32((uint16_t)b)); }
OPERATION int together(int bits, int rows) { return (void)bits, (void)rows, PANEL / LANES; }

OPERATION float largest_of(const float* x) {
  return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(_mm512_loadu_ps(x)), _mm512_abs_ps(_mm512_loadu_ps(x + 16))));
}

// q = x × inverse as bytes. Returns their sum.
OPERATION int32_t round_block(const float* x, float inverse, int8_t* q) {
  const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), _mm512_set1_ps(inverse)));
  const __m512i b = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16), _mm512_set1_ps(inverse)));
  _mm_storeu_si128((__m128i*)q, _mm512_cvtsepi32_epi8(a));
  _mm_storeu_si128((__m128i*)(q + 16), _mm512_cvtsepi32_epi8(b));
  return _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
}

OPERATION Ints four_of(const int8_t* x) {
  int32_t four;
  memcpy(&four, x, 4);
  return _mm512_set1_epi32(four);
}

OPERATION void add_products(int bits, int spread, int rows, int vectors, const uint8_t* at, const int8_t* x, int64_t row_bytes,
                            Ints (*dot)[PANEL / LANES]) {
#pragma GCC unroll 8
  for (int j = 0; j < bits; j++) {
    __m512i a[PANEL / LANES], b[PANEL / LANES];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) {
      const __m512i w = _mm512_load_si512(at + j * 128 + v * 64);
      a[v] = bits == 8 ? w : low_quanta(spread, w);
      b[v] = high_quanta(spread, w);
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      const int8_t* q = x + r * row_bytes + j * BLOCK / bits;
      const __m512i x0 = four_of(q);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) dot[r][v] = _mm512_dpbusd_epi32(dot[r][v], a[v], x0);
      if (bits == 8) continue;
      const __m512i x1 = four_of(q + 4);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) dot[r][v] = _mm512_dpbusd_epi32(dot[r][v], b[v], x1);
    }
  }
}

// Of a group of logits, the places, counted from `first`, of those that are at least `lowest`. Writes up to LANES values more than it returns.
OPERATION int32_t places_at_least(const float* group, float lowest, int32_t first, int32_t* to) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  int32_t many = 0;
#pragma GCC unroll 4
  for (int i = 0; i < GROUP; i += LANES) {
    const __mmask16 found = _mm512_cmp_ps_mask(_mm512_loadu_ps(group + i), _mm512_set1_ps(lowest), _CMP_GE_OQ);
    _mm512_storeu_si512(to + many, _mm512_maskz_compress_epi32(found, _mm512_add_epi32(lanes, _mm512_set1_epi32(first + i))));
    many += __builtin_popcount(found);
  }
  return many;
}

#include "block-product-kernel.h"
#include "amx-product.h"

#define TILE_VECTORS 4
#include "attention-kernel.h"
#include "rows-of-logits-kernel.h"

const Kernels amx_kernels = {"AMX", amx_runs_here, amx_pays, quantize_row, multiply_panel_amx, append_to_cache, attend, attend_span, join_spans,
                               largest_logit, mask_logits, weigh_logits, tokens_of_bucket};
const Kernels avx512_kernels = {"AVX-512 VNNI", runs_here, NULL, quantize_row, multiply_panel, append_to_cache, attend, attend_span, join_spans,
                               largest_logit, mask_logits, weigh_logits, tokens_of_bucket};
#else
typedef int None;
#endif
