// What 256 bits do: operations that AVX2's kernel and AVX-VNNI's have in common. The file that includes this defines TARGET before.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define OPERATION TARGET static inline __attribute__((always_inline))
#define SUMS_IN_REGISTERS 0
#define LESS(bits) 0

enum { LANES = 8 };
typedef __m256 Floats;
typedef __m256i Ints;

#include "quanta.h"

OPERATION Floats all_floats(float value) { return _mm256_set1_ps(value); }
OPERATION Floats floats_of(const float* at) { return _mm256_loadu_ps(at); }
OPERATION Floats halves_of(const uint8_t* at) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)at)); }
OPERATION Floats to_floats(Ints a) { return _mm256_cvtepi32_ps(a); }
OPERATION Floats plus(Floats a, Floats b) { return _mm256_add_ps(a, b); }
OPERATION Floats times(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
OPERATION Floats times_and_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
OPERATION void put_floats(float* to, Floats a) { _mm256_storeu_ps(to, a); }
OPERATION float most_of(Floats a) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
OPERATION void put_halves(uint8_t* to, Floats a) { _mm_storeu_si128((__m128i*)to, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }
OPERATION Floats quanta_of(const uint8_t* at) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)at))); }
OPERATION Ints all_ints(int32_t value) { return _mm256_set1_epi32(value); }
OPERATION Ints bytes_of(const uint8_t* at, int less) {
  (void)less;
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)at));
}
// a × b of 16 bits each.
OPERATION Ints products_16(Ints a, int32_t b) { return _mm256_madd_epi16(a, _mm256_set1_epi32((uint16_t)b)); }
OPERATION float largest_of(const float* x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 most = _mm256_setzero_ps();
#pragma GCC unroll 4
  for (int i = 0; i < BLOCK; i += 8) most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
  return most_of(most);
}

// q = x × inverse as bytes. Returns their sum.
OPERATION int32_t round_block(const float* x, float inverse, int8_t* q) {
  __m256i quanta[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) quanta[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i * 8), _mm256_set1_ps(inverse)));
  // Packing takes turns between the halves of its arguments.
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(quanta[0], quanta[1]), _mm256_packs_epi32(quanta[2], quanta[3]));
  _mm256_storeu_si256((__m256i*)q, _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(quanta[0], quanta[1]), _mm256_add_epi32(quanta[2], quanta[3]));
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 1)));
}

OPERATION Ints four_of(const int8_t* x) {
  int32_t four;
  memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}

// Of a group of logits, the places, counted from `first`, of those that are at least `lowest`.
OPERATION int32_t places_at_least(const float* group, float lowest, int32_t first, int32_t* to) {
  int32_t many = 0;
  for (int i = 0; i < GROUP; i += LANES) {
    const __m256 found = _mm256_cmp_ps(_mm256_loadu_ps(group + i), _mm256_set1_ps(lowest), _CMP_GE_OQ);
    for (uint32_t lanes = (uint32_t)_mm256_movemask_ps(found); lanes != 0; lanes &= lanes - 1) to[many++] = first + i + __builtin_ctz(lanes);
  }
  return many;
}
