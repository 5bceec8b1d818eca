#include "block-product.h"

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")))
#define INLINE static inline __attribute__((always_inline))

int can_multiply(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}

TARGET void quantize_row(const Rows* to, int64_t row, const float* x, int64_t inputs) {
  int8_t* quanta = to->quanta + row * to->blocks * BLOCK;
  float* scales = to->scales + row * to->blocks;
  int32_t* sums = to->sums + row * to->blocks;
  for (int64_t block = 0; block < to->blocks; block++) {
    int64_t left = inputs - block * BLOCK;
    __mmask16 low = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
    __mmask16 high = left >= 32 ? 0xffff : left <= 16 ? 0 : (__mmask16)((1u << (left - 16)) - 1);
    __m512 a = _mm512_maskz_loadu_ps(low, x + block * BLOCK);
    __m512 b = _mm512_maskz_loadu_ps(high, x + block * BLOCK + 16);
    float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
    // Below it the inverse may be no number; such a block adds nothing.
    float scale = largest < 0x1p-100f ? 0.0f : largest / 127.0f;
    __m512 inverse = _mm512_set1_ps(scale != 0.0f ? 127.0f / largest : 0.0f);
    __m512i qa = _mm512_cvtps_epi32(_mm512_mul_ps(a, inverse));
    __m512i qb = _mm512_cvtps_epi32(_mm512_mul_ps(b, inverse));
    _mm_storeu_si128((__m128i*)(quanta + block * BLOCK), _mm512_cvtsepi32_epi8(qa));
    _mm_storeu_si128((__m128i*)(quanta + block * BLOCK + 16), _mm512_cvtsepi32_epi8(qb));
    scales[block] = scale;
    sums[block] = _mm512_reduce_add_epi32(_mm512_add_epi32(qa, qb));
  }
}

// The compiler makes one function for each kind of matrix and each number of rows: all arguments but the pointers are constants.
TARGET INLINE void tile(int bits, int spread, int half_scales, int zero_points, int rows, const Matrix* m, const uint8_t* at,
                        const Rows* x, int64_t first, int64_t output, float* y) {
  const int64_t blocks = x->blocks;
  const int8_t* xq = x->quanta + first * blocks * BLOCK;
  const float* xs = x->scales + first * blocks;
  const int32_t* sums = x->sums + first * blocks;
  const __m512i nibble = _mm512_set1_epi8(0x0f);
  const __m512i upper = _mm512_set1_epi8((char)0xf0);
  const int zero = bits == 8 || spread ? 128 : 8;
  // Blocks of even and of odd numbers have sums of their own, which take turns.
  __m512 sum[MOST_ROWS][2], other[MOST_ROWS][2];
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = other[r][0] = other[r][1] = _mm512_setzero_ps();
  for (int64_t block = 0; block < blocks; block++) {
    __m512i dot[MOST_ROWS][2];
    const uint8_t* scales_at = at + PANEL * BLOCK * bits / 8;
    const uint8_t* zeros_at = scales_at + PANEL * (half_scales ? 2 : 4);
    if (zero_points) {
      __m512i z0 = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i*)zeros_at));
      __m512i z1 = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i*)(zeros_at + 16)));
      for (int r = 0; r < rows; r++) {
        __m512i s = _mm512_set1_epi32((uint16_t)(int16_t)(-sums[r * blocks + block]));
        dot[r][0] = _mm512_dpwssd_epi32(_mm512_setzero_si512(), z0, s);
        dot[r][1] = _mm512_dpwssd_epi32(_mm512_setzero_si512(), z1, s);
      }
    } else {
      for (int r = 0; r < rows; r++) dot[r][0] = dot[r][1] = _mm512_set1_epi32(-zero * sums[r * blocks + block]);
    }
    if (bits == 4) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        __m512i w0 = _mm512_load_si512(at + j * 128);
        __m512i w1 = _mm512_load_si512(at + j * 128 + 64);
        __m512i a0 = _mm512_and_si512(w0, nibble), a1 = _mm512_and_si512(w1, nibble);
        __m512i b0 = _mm512_and_si512(_mm512_srli_epi16(w0, 4), nibble), b1 = _mm512_and_si512(_mm512_srli_epi16(w1, 4), nibble);
        if (spread) {
          a0 = _mm512_or_si512(a0, _mm512_and_si512(_mm512_slli_epi16(w0, 4), upper));
          a1 = _mm512_or_si512(a1, _mm512_and_si512(_mm512_slli_epi16(w1, 4), upper));
          b0 = _mm512_or_si512(b0, _mm512_and_si512(w0, upper));
          b1 = _mm512_or_si512(b1, _mm512_and_si512(w1, upper));
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
          const int8_t* q = xq + (r * blocks + block) * BLOCK + j * 8;
          int32_t q0, q1;
          memcpy(&q0, q, 4);
          memcpy(&q1, q + 4, 4);
          __m512i x0 = _mm512_set1_epi32(q0), x1 = _mm512_set1_epi32(q1);
          dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], a0, x0);
          dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], a1, x0);
          dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], b0, x1);
          dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], b1, x1);
        }
      }
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < 8; j++) {
        __m512i w0 = _mm512_load_si512(at + j * 128);
        __m512i w1 = _mm512_load_si512(at + j * 128 + 64);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
          int32_t q0;
          memcpy(&q0, xq + (r * blocks + block) * BLOCK + j * 4, 4);
          __m512i x0 = _mm512_set1_epi32(q0);
          dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], w0, x0);
          dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], w1, x0);
        }
      }
    }
    __m512 s0, s1;
    if (half_scales) {
      s0 = _mm512_cvtph_ps(_mm256_load_si256((const __m256i*)scales_at));
      s1 = _mm512_cvtph_ps(_mm256_load_si256((const __m256i*)(scales_at + 32)));
    } else {
      s0 = _mm512_load_ps(scales_at);
      s1 = _mm512_load_ps(scales_at + 64);
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      __m512 s = _mm512_set1_ps(xs[r * blocks + block]);
      __m512 next0 = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][0]), s), s0, sum[r][0]);
      __m512 next1 = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][1]), s), s1, sum[r][1]);
      sum[r][0] = other[r][0];
      sum[r][1] = other[r][1];
      other[r][0] = next0;
      other[r][1] = next1;
    }
    at = scales_at + PANEL * (half_scales ? 2 : 4) + (zero_points ? 64 : 0);
  }
  int64_t left = m->outputs - output;
  __mmask16 low = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
  __mmask16 high = left >= 32 ? 0xffff : left <= 16 ? 0 : (__mmask16)((1u << (left - 16)) - 1);
  for (int r = 0; r < rows; r++) {
    float* to = y + (first + r) * m->outputs + output;
    _mm512_mask_storeu_ps(to, low, _mm512_add_ps(sum[r][0], other[r][0]));
    _mm512_mask_storeu_ps(to + 16, high, _mm512_add_ps(sum[r][1], other[r][1]));
  }
}

typedef void Tile(const Matrix*, const uint8_t*, const Rows*, int64_t, int64_t, float*);
#define TILE(bits, spread, half, zeros, rows)                                                                                   \
  TARGET static void tile_##bits##spread##half##zeros##rows(const Matrix* m, const uint8_t* at, const Rows* x, int64_t first,   \
                                                            int64_t output, float* y) {                                         \
    tile(bits, spread, half, zeros, rows, m, at, x, first, output, y);                                                          \
  }
#define KIND(bits, spread, half, zeros)                                                                                          \
  TILE(bits, spread, half, zeros, 1) TILE(bits, spread, half, zeros, 2)                                                          \
  TILE(bits, spread, half, zeros, 3) TILE(bits, spread, half, zeros, 4)                                                          \
  static Tile* const kind_##bits##spread##half##zeros[MOST_ROWS] = {                                                             \
      tile_##bits##spread##half##zeros##1, tile_##bits##spread##half##zeros##2, tile_##bits##spread##half##zeros##3,             \
      tile_##bits##spread##half##zeros##4};
#define SPREADS(bits, spread) KIND(bits, spread, 0, 0) KIND(bits, spread, 0, 1) KIND(bits, spread, 1, 0) KIND(bits, spread, 1, 1)
SPREADS(4, 0)
SPREADS(4, 1)
SPREADS(8, 0)

static Tile* const* const kinds[3][2][2] = {
    {{kind_4000, kind_4001}, {kind_4010, kind_4011}},
    {{kind_4100, kind_4101}, {kind_4110, kind_4111}},
    {{kind_8000, kind_8001}, {kind_8010, kind_8011}},
};

void multiply_panel(const Matrix* m, const uint8_t* packed, const Rows* x, int64_t panel, float* y) {
  Tile* const* tiles = kinds[m->bits == 8 ? 2 : m->spread][m->half_scales][m->zero_points];
  const uint8_t* at = packed + panel * panel_bytes(m);
  // As even as they can be: 6 rows are 3 and 3.
  int64_t groups = (x->rows + MOST_ROWS - 1) / MOST_ROWS;
  for (int64_t group = 0, first = 0; group < groups; group++) {
    int64_t rows = (x->rows - first + (groups - group) - 1) / (groups - group);
    tiles[rows - 1](m, at, x, first, panel * PANEL, y);
    first += rows;
  }
}
