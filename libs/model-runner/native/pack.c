// Brings weights from MatMulNBits' order into panels.
#include <string.h>

#include "block-product.h"

// Quantum `i` of a block of 4 bits: neighbours lie in one byte, or (halves) i and 16 + i do.
static inline uint8_t nibble(const uint8_t* block, int i, int halves) {
  if (halves) return (uint8_t)(i < 16 ? block[i] & 15 : block[i - 16] >> 4);
  return (uint8_t)((block[i / 2] >> (4 * (i % 2))) & 15);
}

// Packs the outputs `first` to `first` + `count` (a multiple of PANEL unless they are the last ones) of a matrix.
// quanta [count, blocks, BLOCK × bits ÷ 8], as many as the matrix has blocks; scales [count, scale_blocks] float16 or float32, each for
// `scale_every` blocks; zeros [count, scale_blocks] bytes or NULL; packed: the whole matrix.
EXPORT void millrace_pack(const Matrix* m, int halves, int64_t first, int64_t count, int64_t scale_every, const uint8_t* quanta,
                   const uint8_t* scales, const uint8_t* zeros, uint8_t* packed) {
  const int64_t blocks = blocks_of(m), scale_blocks = (blocks + scale_every - 1) / scale_every;
  const int64_t source_bytes = BLOCK * m->bits / 8, scale_size = m->half_scales ? 2 : 4;
  for (int64_t panel = first / PANEL; panel * PANEL < first + count; panel++) {
    uint8_t* at = packed + panel * panel_bytes(m);
    for (int64_t block = 0; block < blocks; block++, at += block_bytes(m)) {
      memset(at, 0, (size_t)block_bytes(m));
      uint8_t* scales_at = at + quanta_bytes(m);
      for (int output = 0; output < PANEL; output++) {
        const int64_t row = panel * PANEL + output - first;
        if (row >= count) break;
        const uint8_t* source = quanta + (row * blocks + block) * source_bytes;
        const int64_t group = row * scale_blocks + block / scale_every;
        memcpy(scales_at + output * scale_size, scales + group * scale_size, (size_t)scale_size);
        if (m->zero_points) scales_at[scale_bytes(m) + output] = zeros[group];
        // Sixteen outputs lie together, four inputs of each; two such groups share bytes where quanta have 4 bits.
        uint8_t* half = at + (output / 16) * 64;
        for (int i = 0; i < BLOCK; i++) {
          const int lane = (output % 16) * 4 + i % 4;
          if (m->bits == 8) half[(i / 4) * 128 + lane] = source[i];
          else half[(i / 8) * 128 + lane] |= (uint8_t)(nibble(source, i, halves) << (i % 8 < 4 ? 0 : 4));
        }
      }
    }
  }
}
