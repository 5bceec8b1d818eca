// Products by Intel's AMX, for many rows: the sums of a block for 16 rows and 16 outputs by one instruction. It is included behind AVX-512's
// operations and multiply_panel, which takes what has too few rows, with the same bits.
#include <cpuid.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  TILE_ROWS = 16,      // rows of a tile, at most
  TILES = PANEL / 16,  // tiles of outputs in a panel
  TOGETHER = 8,        // blocks whose sums are kept until they are scaled: an even number, so that even blocks stay even
};

// What the processor holds in tiles 0 and 1 (sums), 2 (rows of x) and 3 and 4 (weights).
typedef struct __attribute__((packed)) {
  uint8_t palette, first_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} TileShapes;

// Written out, since the compiler's own do not say that they read memory.
#define SHAPE_TILES(shapes) __asm__ volatile("ldtilecfg %0" : : "m"(shapes) : "memory")
#define RELEASE_TILES() __asm__ volatile("tilerelease" : : : "memory")
#define ZERO_TILE(tile) __asm__ volatile("tilezero %%tmm" #tile : : :)
#define LOAD_TILE(tile, at, stride) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(at), "r"((int64_t)(stride)) : "memory")
#define STORE_TILE(tile, at) __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(at), "r"((int64_t)64) : "memory")
// Adds signed bytes of rows times unsigned bytes of weights.
#define MULTIPLY_TILES(sums, x, weights) __asm__ volatile("tdpbsud %%tmm" #weights ", %%tmm" #x ", %%tmm" #sums : : :)

// TileSums of quanta for each block, tile of outputs, row and output.
typedef int32_t Dots[TOGETHER][TILES][TILE_ROWS][16];
// For each row the sums of even and of odd blocks.
typedef float TileSums[TILE_ROWS][2][PANEL];

// Quanta of a byte each, as a tile wants them: [TILES, BLOCK ÷ 4, 16 outputs, 4 inputs].
TARGET INLINE void unpack_block(int spread, const uint8_t* at, uint8_t* to) {
  for (int tile = 0; tile < TILES; tile++)
    for (int j = 0; j < 4; j++) {
      const __m512i w = _mm512_load_si512(at + j * 128 + tile * 64);
      _mm512_store_si512(to + tile * 512 + j * 128, low_quanta(spread, w));
      _mm512_store_si512(to + tile * 512 + j * 128 + 64, high_quanta(spread, w));
    }
}

// Scales the sums of a block's quanta for `rows` rows, and adds them to `sum`.
TARGET INLINE void add_block(int half_scales, int zero_points, int rows, const Matrix* m, const uint8_t* at,
                             const int32_t (*dots)[TILE_ROWS][16], int from, const float* scales, const int32_t* x_sums, int64_t blocks,
                             Floats (*sum)[TILES]) {
  const uint8_t* scales_at = at + quanta_bytes(m);
  const uint8_t* zeros_at = scales_at + PANEL * (half_scales ? 2 : 4);
  const int zero = m->bits == 8 || m->spread ? 128 : 8;
#pragma GCC unroll 2
  for (int tile = 0; tile < TILES; tile++) {
    const uint8_t* scale_at = scales_at + tile * 16 * (half_scales ? 2 : 4);
    const Floats scale = half_scales ? halves_of(scale_at) : floats_of((const float*)scale_at);
    const Ints zeros = zero_points ? bytes_of(zeros_at + tile * 16, 0) : all_ints(0);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      const int32_t x_sum = x_sums[r * blocks];
      const Ints less = zero_points ? products_16(zeros, -x_sum) : all_ints(-zero * x_sum);
      const Ints dot = _mm512_add_epi32(_mm512_load_si512(dots[tile][from + r]), less);
      sum[r][tile] = times_and_add(times(to_floats(dot), all_floats(scales[r * blocks])), scale, sum[r][tile]);
    }
  }
}

// The same for `count` blocks, and rows `from` to `from` + `rows` of a tile whose first row is `first`.
TARGET INLINE void add_rows(int half_scales, int zero_points, int rows, const Matrix* m, const uint8_t* at, const Rows* x, int64_t first,
                            int from, int64_t block, int64_t count, const Dots dots, TileSums sums) {
  const int64_t start = (first + from) * x->blocks + block;
  Floats sum[2][4][TILES];
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int i = 0; i < 2 * TILES; i++) sum[i / TILES][r][i % TILES] = floats_of(&sums[from + r][i / TILES][i % TILES * 16]);
  for (int64_t b = 0; b < count; b += 2) {
    add_block(half_scales, zero_points, rows, m, at + b * block_bytes(m), dots[b], from, x->scales + start + b, x->sums + start + b, x->blocks, sum[0]);
    if (b + 1 == count) break;
    add_block(half_scales, zero_points, rows, m, at + (b + 1) * block_bytes(m), dots[b + 1], from, x->scales + start + b + 1,
              x->sums + start + b + 1, x->blocks, sum[1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int i = 0; i < 2 * TILES; i++) put_floats(&sums[from + r][i / TILES][i % TILES * 16], sum[i / TILES][r][i % TILES]);
}

typedef void AddTile(const Matrix*, const uint8_t*, const Rows*, int64_t, int, int64_t, int64_t, const Dots, TileSums);
#define ADD_TILE(half, zeros)                                                                                                          \
  TARGET static void add_tile_##half##zeros(const Matrix* m, const uint8_t* at, const Rows* x, int64_t first, int rows, int64_t block, \
                                            int64_t count, const Dots dots, TileSums sums) {                                               \
    int from = 0;                                                                                                                      \
    for (; from + 4 <= rows; from += 4) add_rows(half, zeros, 4, m, at, x, first, from, block, count, dots, sums);                     \
    for (; from < rows; from++) add_rows(half, zeros, 1, m, at, x, first, from, block, count, dots, sums);                             \
  }
ADD_TILE(0, 0)
ADD_TILE(0, 1)
ADD_TILE(1, 0)
ADD_TILE(1, 1)
static AddTile* const add_tiles[2][2] = {{add_tile_00, add_tile_01}, {add_tile_10, add_tile_11}};

// The outputs of a panel for `rows` rows from `first` on.
TARGET static void multiply_tile(const Matrix* m, const uint8_t* packed, const Rows* x, int64_t first, int rows, int64_t output, float* y) {
  const int64_t blocks = x->blocks, row_bytes = blocks * BLOCK;
  _Alignas(64) uint8_t unpacked[PANEL * BLOCK];
  _Alignas(64) Dots dots;
  _Alignas(64) TileSums sums;
  memset(sums, 0, sizeof sums);
  for (int64_t block = 0; block < blocks; block += TOGETHER) {
    const int64_t count = blocks - block < TOGETHER ? blocks - block : TOGETHER;
    const uint8_t* at = packed + block * block_bytes(m);
    for (int64_t b = 0; b < count; b++) {
      // Quanta of 8 bits lie in the file's order as a tile wants them, lines of both tiles in turns.
      const uint8_t* weights = at + b * block_bytes(m);
      int64_t stride = 128, next = 64;
      if (m->bits == 4) {
        if (m->spread) unpack_block(1, weights, unpacked);
        else unpack_block(0, weights, unpacked);
        weights = unpacked;
        stride = 64;
        next = 512;
      }
      ZERO_TILE(0);
      ZERO_TILE(1);
      LOAD_TILE(2, x->quanta + first * row_bytes + (block + b) * BLOCK, row_bytes);
      LOAD_TILE(3, weights, stride);
      MULTIPLY_TILES(0, 2, 3);
      LOAD_TILE(4, weights + next, stride);
      MULTIPLY_TILES(1, 2, 4);
      STORE_TILE(0, dots[b][0]);
      STORE_TILE(1, dots[b][1]);
    }
    add_tiles[m->half_scales][m->zero_points](m, at, x, first, rows, block, count, dots, sums);
  }
  const int64_t left = m->outputs - output < PANEL ? m->outputs - output : PANEL;
  for (int r = 0; r < rows; r++) {
    float whole[PANEL];
    for (int i = 0; i < PANEL; i += 16) put_floats(whole + i, plus(floats_of(sums[r][0] + i), floats_of(sums[r][1] + i)));
    memcpy(y + (first + r) * m->outputs + output, whole, (size_t)left * sizeof *whole);
  }
}

// Fewer rows are AVX-512's.
static int64_t least_rows = TILE_ROWS / 2;

TARGET static void multiply_panel_amx(const Matrix* m, const uint8_t* packed, const Rows* x, int64_t panel, float* y) {
  if (x->rows < least_rows) {
    multiply_panel(m, packed, x, panel, y);
    return;
  }
  const int rows = x->rows < TILE_ROWS ? (int)x->rows : TILE_ROWS;
  TileShapes shapes = {.palette = 1};
  for (int tile = 0; tile < 5; tile++) {
    shapes.rows[tile] = (uint8_t)(tile < 3 ? rows : BLOCK / 4);
    shapes.row_bytes[tile] = tile == 2 ? BLOCK : 64;
  }
  SHAPE_TILES(shapes);
  // The last tile may begin before the one before it ends: rows that are computed twice have the same bits both times.
  for (int64_t first = 0; first < x->rows; first += rows)
    multiply_tile(m, packed + panel * panel_bytes(m), x, first + rows <= x->rows ? first : x->rows - rows, rows, panel * PANEL, y);
  RELEASE_TILES();
}

static int amx_runs_here(void) {
#ifdef AMX_BY_TRAP
  return runs_here();
#endif
  unsigned int a, b, c, d, low, high;
  if (!runs_here() || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d >> 24 & 3) != 3) return 0;
  // The system keeps tiles (bits 17 and 18), and lets a process have them that asks: ARCH_REQ_XCOMP_PERM.
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low >> 17 & 3) == 3 && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

static double thread_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Whether AMX is quicker here than AVX-512 alone, and for how many rows, measured on a small matrix for about half a millisecond. Nor is it taken where
// it has other bits, as under an emulator that is wrong.
static int amx_pays(void) {
  const Matrix m = {.inputs = 1024, .outputs = 8 * PANEL, .bits = 4, .zero_points = 1};
  const int64_t most = TILE_ROWS, groups = most * blocks_of(&m), values = most * m.outputs;
  uint8_t* packed = aligned_alloc(64, (size_t)packed_bytes(&m));
  uint8_t* rows = aligned_alloc(64, (size_t)(groups * (BLOCK + 8)));
  float* y = malloc((size_t)values * 2 * sizeof *y);
  int pays = 0;
  if (packed != NULL && rows != NULL && y != NULL) {
    uint32_t state = 1;
    Rows x = {.blocks = blocks_of(&m), .quanta = (int8_t*)rows, .scales = (float*)(rows + groups * BLOCK), .sums = (int32_t*)(rows + groups * (BLOCK + 4))};
    for (int64_t i = 0; i < packed_bytes(&m); i++) packed[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    for (int64_t block = 0; block < panels_of(&m) * x.blocks; block++)
      for (int i = 0; i < PANEL; i++) ((float*)(packed + block * block_bytes(&m) + quanta_bytes(&m)))[i] = 0.001f * (float)(i + 1);
    for (int64_t group = 0; group < groups; group++) {
      x.scales[group] = 0.01f * (float)(group % 7 + 1);
      x.sums[group] = 0;
      for (int i = 0; i < BLOCK; i++)
        x.sums[group] += x.quanta[group * BLOCK + i] = (int8_t)(((state = state * 1664525u + 1013904223u) >> 24) % 255 - 127);
    }
    for (x.rows = most; x.rows >= TILE_ROWS / 2; x.rows /= 2) {
      double best[2] = {1e9, 1e9};
      least_rows = x.rows;
      for (int turn = 0; turn < 12; turn++) {
        const double start = thread_seconds();
        for (int64_t panel = 0; panel < panels_of(&m); panel++)
          (turn % 2 ? multiply_panel_amx : multiply_panel)(&m, packed, &x, panel, y + turn % 2 * values);
        const double took = thread_seconds() - start;
        if (took < best[turn % 2]) best[turn % 2] = took;
      }
      if (best[1] >= best[0] || memcmp(y, y + values, (size_t)(x.rows * m.outputs) * sizeof *y) != 0) break;
      pays = 1;
    }
    // Where it does not pay, only tests take it.
    least_rows = pays ? 2 * x.rows : TILE_ROWS / 2;
  }
  free(packed), free(rows), free(y);
  return pays;
}
