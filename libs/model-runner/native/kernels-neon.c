// Arm with dot products (asimddp, from Armv8.2 on): sums of four products of a byte each, both signed, against one of four such groups of a row.
#ifdef __aarch64__
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#include "kernels.h"

#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#define INLINE static inline __attribute__((always_inline))
#define OPERATION TARGET static inline __attribute__((always_inline))
#define SUMS_IN_REGISTERS 0
// Bytes of 0 to 255 as signed ones.
#define LESS(bits) ((bits) == 8 ? 128 : 0)

enum { LANES = 4 };
typedef float32x4_t Floats;
typedef int32x4_t Ints;

static int runs_here(void) { return (getauxval(AT_HWCAP) & (1UL << 20)) != 0; }

OPERATION Floats all_floats(float value) { return vdupq_n_f32(value); }
OPERATION Floats floats_of(const float* at) { return vld1q_f32(at); }
OPERATION Floats halves_of(const uint8_t* at) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(at))); }
OPERATION Floats to_floats(Ints a) { return vcvtq_f32_s32(a); }
OPERATION Floats plus(Floats a, Floats b) { return vaddq_f32(a, b); }
OPERATION Floats times(Floats a, Floats b) { return vmulq_f32(a, b); }
OPERATION Floats times_and_add(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
OPERATION void put_floats(float* to, Floats a) { vst1q_f32(to, a); }
OPERATION float most_of(Floats a) { return vmaxvq_f32(a); }
OPERATION void put_halves(uint8_t* to, Floats a) { vst1_u8(to, vreinterpret_u8_f16(vcvt_f16_f32(a))); }
OPERATION Floats quanta_of(const uint8_t* at) {
  uint32_t four;
  memcpy(&four, at, 4);
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four))))));
}
OPERATION Ints all_ints(int32_t value) { return vdupq_n_s32(value); }
OPERATION Ints bytes_of(const uint8_t* at, int less) {
  uint32_t four;
  memcpy(&four, at, 4);
  const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
  return vsubq_s32(vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes)))), vdupq_n_s32(less));
}
// a × b of 16 bits each.
OPERATION Ints products_16(Ints a, int32_t b) { return vmulq_n_s32(a, b); }
// Of 32 registers: sixteen sums, two for each row, and the quanta.
OPERATION int together(int bits, int rows) { return (void)bits, rows <= 2 ? 8 : 4; }

OPERATION float largest_of(const float* x) {
  float32x4_t most = vdupq_n_f32(0.0f);
#pragma GCC unroll 8
  for (int i = 0; i < BLOCK; i += 4) most = vmaxq_f32(most, vabsq_f32(vld1q_f32(x + i)));
  return vmaxvq_f32(most);
}

// q = x × inverse as bytes. Returns their sum.
OPERATION int32_t round_block(const float* x, float inverse, int8_t* q) {
  int32_t sum = 0;
#pragma GCC unroll 2
  for (int i = 0; i < BLOCK; i += 16) {
    int16x4_t quanta[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) quanta[j] = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + j * 4), inverse)));
    const int8x8_t a = vqmovn_s16(vcombine_s16(quanta[0], quanta[1])), b = vqmovn_s16(vcombine_s16(quanta[2], quanta[3]));
    vst1q_s8(q + i, vcombine_s8(a, b));
    sum += vaddlvq_s8(vcombine_s8(a, b));
  }
  return sum;
}

OPERATION Ints dot_lane(Ints sum, int8x16_t w, int8x16_t x, int lane) {
  switch (lane) {
    case 0: return vdotq_laneq_s32(sum, w, x, 0);
    case 1: return vdotq_laneq_s32(sum, w, x, 1);
    case 2: return vdotq_laneq_s32(sum, w, x, 2);
    default: return vdotq_laneq_s32(sum, w, x, 3);
  }
}

OPERATION void add_products(int bits, int spread, int rows, int vectors, const uint8_t* at, const int8_t* x, int64_t row_bytes,
                            Ints (*dot)[PANEL / LANES]) {
  int8x16_t q[MOST_ROWS][2];
  Ints sum[MOST_ROWS][PANEL / LANES];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    q[r][0] = vld1q_s8(x + r * row_bytes);
    q[r][1] = vld1q_s8(x + r * row_bytes + 16);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) sum[r][v] = spread ? vdupq_n_s32(0) : dot[r][v];
  }
#pragma GCC unroll 8
  for (int j = 0; j < bits; j++) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
      const uint8x16_t w = vld1q_u8(at + j * 128 + v * 16);
      const int8x16_t a = vreinterpretq_s8_u8(bits == 8 ? veorq_u8(w, vdupq_n_u8(0x80)) : vandq_u8(w, vdupq_n_u8(0x0f)));
      const int8x16_t b = vreinterpretq_s8_u8(vshrq_n_u8(w, 4));
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) {
        // The four values j × BLOCK ÷ bits of the row, and with 4 bits those behind them.
        const int four = j * 8 / bits;
        sum[r][v] = dot_lane(sum[r][v], a, q[r][four / 4], four % 4);
        if (bits == 4) sum[r][v] = dot_lane(sum[r][v], b, q[r][(four + 1) / 4], (four + 1) % 4);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) dot[r][v] = spread ? vmlaq_n_s32(dot[r][v], sum[r][v], 17) : sum[r][v];
}

// Of a group of logits, the places, counted from `first`, of those that are at least `lowest`. Writes one value more than it returns.
OPERATION int32_t places_at_least(const float* group, float lowest, int32_t first, int32_t* to) {
  int32_t many = 0;
  for (int i = 0; i < GROUP; i++) {
    to[many] = first + i;
    many += group[i] >= lowest;
  }
  return many;
}

#include "block-product-kernel.h"

#define TILE_VECTORS 4
#include "attention-kernel.h"
#include "rows-of-logits-kernel.h"

const Kernels neon_kernels = {"Neon dot products", runs_here, NULL, quantize_row, multiply_panel, append_to_cache, attend, attend_span, join_spans,
                               largest_logit, mask_logits, weigh_logits, tokens_of_bucket};
#else
typedef int None;
#endif
