// Products out of the operations of one set of instructions. The file that includes this defines before:
//   TARGET          the attribute of functions that use these instructions
//   Floats, Ints    LANES float32 or int32
//   together(bits, rows)   vectors of outputs whose sums of a block fit into registers beside each other
//   SUMS_IN_REGISTERS      1 where the sums of all blocks fit too, else they stay in the first cache
//   LESS(bits)      what add_products takes off each quantum
//   add_products    adds Σ q × (quantum − LESS) of a block to dot [rows, vectors]
//   largest_of, round_block, and what is used of them below
#include <string.h>

#include "block-product.h"


enum { VECTORS = PANEL / LANES };

// The values of a block of which `left` are there.
INLINE const float* whole_block(const float* x, int64_t left, float* padded) {
  if (left >= BLOCK) return x;
  memset(padded, 0, BLOCK * sizeof *padded);
  memcpy(padded, x, (size_t)left * sizeof *padded);
  return padded;
}

TARGET static void quantize_row(const Rows* to, int64_t row, const float* x, int64_t inputs) {
  int8_t* quanta = to->quanta + row * to->blocks * BLOCK;
  float* scales = to->scales + row * to->blocks;
  int32_t* sums = to->sums + row * to->blocks;
  float padded[BLOCK];
  for (int64_t block = 0; block < to->blocks; block++) {
    const float* values = whole_block(x + block * BLOCK, inputs - block * BLOCK, padded);
    const float largest = largest_of(values);
    // Below it the inverse may be no number; such a block adds nothing.
    scales[block] = largest < 0x1p-100f ? 0.0f : largest / 127.0f;
    sums[block] = round_block(values, scales[block] != 0.0f ? 127.0f / largest : 0.0f, quanta + block * BLOCK);
  }
}

// The compiler makes one function for each kind of matrix and each number of rows: all arguments but the pointers are constants.
TARGET INLINE void tile(int bits, int spread, int half_scales, int zero_points, int rows, const Matrix* m, const uint8_t* at,
                        const Rows* x, int64_t first, int64_t output, float* y) {
  const int64_t blocks = x->blocks;
  const int8_t* xq = x->quanta + first * blocks * BLOCK;
  const float* xs = x->scales + first * blocks;
  const int32_t* x_sums = x->sums + first * blocks;
  const int zero = (bits == 8 || spread ? 128 : 8) - LESS(bits);
  const int vectors = together(bits, rows);
  // Blocks of even and of odd numbers have sums of their own. In registers, where they have no address, they change places.
  Floats sums[2][MOST_ROWS][VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) sums[0][r][v] = sums[1][r][v] = all_floats(0.0f);
  for (int64_t block = 0; block < blocks; block++) {
    const uint8_t* scales_at = at + PANEL * BLOCK * bits / 8;
    const uint8_t* zeros_at = scales_at + PANEL * (half_scales ? 2 : 4);
    Floats(*const sum)[VECTORS] = sums[SUMS_IN_REGISTERS ? 0 : block % 2];
    for (int from = 0; from < VECTORS; from += vectors) {
      Ints dot[MOST_ROWS][VECTORS];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++) {
        const Ints zeros = zero_points ? bytes_of(zeros_at + (from + v) * LANES, LESS(bits)) : all_ints(0);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
          const int32_t x_sum = x_sums[r * blocks + block];
          dot[r][v] = zero_points ? products_16(zeros, -x_sum) : all_ints(-zero * x_sum);
        }
      }
      add_products(bits, spread, rows, vectors, at + from * LANES * 4, xq + block * BLOCK, blocks * BLOCK, dot);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; v++) {
        const uint8_t* scale_at = scales_at + (from + v) * LANES * (half_scales ? 2 : 4);
        const Floats scale = half_scales ? halves_of(scale_at) : floats_of((const float*)scale_at);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
          const Floats scaled = times(to_floats(dot[r][v]), all_floats(xs[r * blocks + block]));
          sum[r][from + v] = times_and_add(scaled, scale, sum[r][from + v]);
        }
      }
    }
    if (SUMS_IN_REGISTERS) {
      for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) {
          const Floats next = sums[0][r][v];
          sums[0][r][v] = sums[1][r][v];
          sums[1][r][v] = next;
        }
    }
    at = zeros_at + (zero_points ? 64 : 0);
  }
  const int64_t left = m->outputs - output;
  for (int r = 0; r < rows; r++) {
    float last[PANEL];
    float* to = y + (first + r) * m->outputs + output;
    float* whole = left >= PANEL ? to : last;
    for (int v = 0; v < VECTORS; v++) put_floats(whole + v * LANES, plus(sums[0][r][v], sums[1][r][v]));
    if (left < PANEL) memcpy(to, last, (size_t)left * sizeof *to);
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

static void multiply_panel(const Matrix* m, const uint8_t* packed, const Rows* x, int64_t panel, float* y) {
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
