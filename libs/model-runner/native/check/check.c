// Compares every kernel that the processor can run with the arithmetic of README.md, written plainly, bit by bit. Told `speed`, it tells instead
// how quick each of them is on one thread.
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kernels.h"

void millrace_pack(const Matrix*, int, int64_t, int64_t, int64_t, const uint8_t*, const uint8_t*, const uint8_t*, uint8_t*);
const char* millrace_kernel_name(int);
int millrace_use_kernel(const char*);
int check_attention(const char* name, int cases);
int check_rows_of_logits(const char* name, int cases);

static uint32_t state;
static uint32_t below(uint32_t limit) { return state = state * 1664525u + 1013904223u, (uint32_t)(((uint64_t)state * limit) >> 32); }
static void* zeros(size_t bytes) { return memset(aligned_alloc(64, (bytes + 63) & ~(size_t)63), 0, (bytes + 63) & ~(size_t)63); }

typedef struct {
  Matrix matrix;
  int64_t rows;
  float* x;         // [rows, inputs]
  uint8_t* quanta;  // [outputs, blocks × BLOCK], a byte each
  float* scales;    // [outputs, blocks]
  uint8_t* zeros;   // [outputs, blocks]
  uint8_t* packed;
} Case;

// A float16 of 1,024 to 2,047 times a power of two, or a subnormal one, as a float and as it is stored.
static float half(uint16_t* stored) {
  const uint32_t mantissa = below(1024), exponent = below(20), sign = below(2);
  *stored = (uint16_t)(sign << 15 | exponent << 10 | mantissa);
  return (sign ? -1.0f : 1.0f) * (exponent == 0 ? ldexpf((float)mantissa, -24) : ldexpf((float)(1024 + mantissa), (int)exponent - 25));
}

static Case any_case(int64_t inputs, int64_t outputs, int64_t rows, int bits, int spread, int half_scales, int zero_points) {
  Case c = {.matrix = {inputs, outputs, bits, spread, half_scales, zero_points}, .rows = rows};
  const int64_t blocks = blocks_of(&c.matrix), groups = outputs * blocks;
  c.x = zeros((size_t)(rows * inputs) * 4);
  c.quanta = zeros((size_t)(groups * BLOCK));
  c.scales = zeros((size_t)groups * 4);
  c.zeros = zeros((size_t)groups);
  uint8_t* stored = zeros((size_t)(groups * BLOCK * bits / 8));
  uint16_t* halves = zeros((size_t)groups * 2);
  for (int64_t i = 0; i < rows * inputs; i++) c.x[i] = ((float)below(20001) - 10000.0f) / 3000.0f;
  // All of one sign and one size, so that sums are as large as they can be; a block of zeros, and one too small to divide by.
  if (below(3) == 0)
    for (int64_t i = 0; i < rows * inputs; i++) c.x[i] = i / inputs % 2 ? -2.0f : 2.0f;
  const float first = below(2) ? 0.0f : 1e-38f;
  for (int64_t i = 0; i < BLOCK && i < inputs; i++) c.x[i] = first;
  const int largest = below(3) == 0;
  for (int64_t i = 0; i < groups * BLOCK; i++) {
    const uint8_t quantum = largest ? (1u << bits) - 1 : (uint8_t)below(1u << bits);
    c.quanta[i] = (uint8_t)(spread ? quantum * 17 : quantum);
    stored[bits == 4 ? i / 2 : i] |= (uint8_t)(quantum << (bits == 4 && i % 2 ? 4 : 0));
  }
  for (int64_t i = 0; i < groups; i++) {
    c.scales[i] = half_scales ? half(&halves[i]) : ((float)below(20001) - 10000.0f) / 77777.0f;
    c.zeros[i] = (uint8_t)(zero_points ? below(bits == 8 || spread ? 256 : 16) : bits == 8 || spread ? 128 : 8);
  }
  c.packed = zeros((size_t)packed_bytes(&c.matrix));
  millrace_pack(&c.matrix, 0, 0, outputs, 1, stored, half_scales ? (uint8_t*)halves : (uint8_t*)c.scales, zero_points ? c.zeros : NULL, c.packed);
  free(stored);
  free(halves);
  return c;
}

static void free_case(Case* c) {
  free(c->x), free(c->quanta), free(c->scales), free(c->zeros), free(c->packed);
}

static void reference(const Case* c, float* y) {
  const int64_t inputs = c->matrix.inputs, outputs = c->matrix.outputs, blocks = blocks_of(&c->matrix);
  for (int64_t row = 0; row < c->rows; row++)
    for (int64_t n = 0; n < outputs; n++) {
      float sums[2] = {0, 0};
      for (int64_t b = 0; b < blocks; b++) {
        const float* x = c->x + row * inputs + b * BLOCK;
        const int64_t count = inputs - b * BLOCK < BLOCK ? inputs - b * BLOCK : BLOCK;
        float m = 0;
        for (int64_t k = 0; k < count; k++) m = fabsf(x[k]) > m ? fabsf(x[k]) : m;
        const float d = m < 0x1p-100f ? 0 : m / 127, i = m < 0x1p-100f ? 0 : 127 / m;
        int32_t s = 0;
        for (int64_t k = 0; k < count; k++)
          s += (int32_t)nearbyintf(x[k] * i) * (c->quanta[(n * blocks + b) * BLOCK + k] - c->zeros[n * blocks + b]);
        sums[b % 2] = fmaf((float)s * d, c->scales[n * blocks + b], sums[b % 2]);
      }
      y[row * outputs + n] = sums[0] + sums[1];
    }
}

static Rows rounded(const Case* c) {
  const int64_t blocks = blocks_of(&c->matrix), count = c->rows * blocks;
  return (Rows){c->rows, blocks, zeros((size_t)(count * BLOCK)), zeros((size_t)count * 4), zeros((size_t)count * 4)};
}

static void free_rows(Rows* rows) { free(rows->quanta), free(rows->scales), free(rows->sums); }

static void compute(const Case* c, const Rows* rows, float* y) {
  const Kernels* kernel = kernels_here();
  for (int64_t row = 0; row < c->rows; row++) kernel->quantize_row(rows, row, c->x + row * c->matrix.inputs, c->matrix.inputs);
  for (int64_t panel = 0; panel < panels_of(&c->matrix); panel++) kernel->multiply_panel(&c->matrix, c->packed, rows, panel, y);
}

static int check(const char* name, int cases) {
  for (int i = 0; i < cases; i++) {
    state = (uint32_t)i * 2654435761u + 1;
    below(2);
    const int bits = i % 3 == 2 ? 8 : 4, spread = i % 3 == 1;
    Case c = any_case(1 + below(200), 1 + below(100), 1 + below(i % 4 == 3 ? 90 : 11), bits, spread, i / 3 % 2, i / 6 % 2);
    const size_t count = (size_t)(c.rows * c.matrix.outputs);
    float *expected = zeros(count * 4), *y = zeros(count * 4);
    Rows rows = rounded(&c);
    reference(&c, expected);
    compute(&c, &rows, y);
    for (size_t at = 0; at < count; at++) {
      if (memcmp(&expected[at], &y[at], 4) == 0 || (expected[at] == 0 && y[at] == 0)) continue;
      printf("%s: case %d (%d bits, spread %d, halves %d, zero points %d), value %zu is %a in the place of %a\n", name, i, bits, spread,
             c.matrix.half_scales, c.matrix.zero_points, at, (double)y[at], (double)expected[at]);
      return 1;
    }
    free_case(&c), free_rows(&rows), free(expected), free(y);
  }
  printf("%s: %d cases, all bits as defined\n", name, cases);
  return 0;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void speed(const char* name) {
  const struct {
    int bits, spread, half_scales, zero_points;
  } kinds[] = {{4, 0, 1, 0}, {4, 1, 0, 1}, {8, 0, 1, 0}};
  for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
    for (int64_t rows_count = 1; rows_count <= 256; rows_count *= 16) {
      state = 1;
      Case c = any_case(896, 32 * 1024, rows_count, kinds[kind].bits, kinds[kind].spread, kinds[kind].half_scales, kinds[kind].zero_points);
      Rows rows = rounded(&c);
      float* y = zeros((size_t)(rows_count * c.matrix.outputs) * 4);
      double best = 1e9;
      for (int i = 0; i < (rows_count > 16 ? 3 : 9); i++) {
        const double start = seconds();
        compute(&c, &rows, y);
        const double took = seconds() - start;
        if (took < best) best = took;
      }
      printf("%s, %d bits, spread %d, zero points %d, %3d rows: %7.2f ms, %5.1f GB/s, %4.0f GFLOP/s\n", name, kinds[kind].bits,
             kinds[kind].spread, kinds[kind].zero_points, (int)rows_count, best * 1e3, (double)packed_bytes(&c.matrix) / best / 1e9,
             2.0 * (double)(rows_count * c.matrix.inputs * c.matrix.outputs) / best / 1e9);
      free_case(&c), free_rows(&rows), free(y);
    }
}

int main(int count, char** arguments) {
  int failures = 0, ran = 0;
  for (int i = 0; millrace_kernel_name(i) != NULL; i++) {
    const char* name = millrace_kernel_name(i);
    if (!millrace_use_kernel(name)) {
      printf("%s: not on this processor\n", name);
      continue;
    }
    ran += 1;
    if (count > 1 && strcmp(arguments[1], "speed") == 0) speed(name);
    else failures += check(name, 1200) + check_attention(name, 300) + check_rows_of_logits(name, 600);
  }
  return failures > 0 || ran == 0;
}
