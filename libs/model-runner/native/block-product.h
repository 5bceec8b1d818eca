// Products of float32 rows with weights of 4 or 8 bits in blocks of 32, in the arithmetic that README.md defines bit by bit.
#ifndef MILLRACE_BLOCK_PRODUCT_H
#define MILLRACE_BLOCK_PRODUCT_H

#include <stddef.h>
#include <stdint.h>

enum {
  BLOCK = 32,         // inputs that share a scale
  PANEL = 32,         // outputs that are computed together
  MOST_ROWS = 4,      // rows that are computed together
};

#define EXPORT __attribute__((visibility("default")))

// How a packed matrix lies in memory: panels of PANEL outputs, in each of them block by block quanta, scales, zero points. Each part begins at a
// multiple of 64 bytes. What lies beyond `outputs` or `inputs` is zero.
typedef struct {
  int64_t inputs;       // K
  int64_t outputs;      // N
  int32_t bits;         // 4 or 8
  int32_t spread;       // 1: quanta of 4 bits stand for 17 times their value, 8 bits that have the same 4 twice
  int32_t half_scales;  // 1: scales are float16, else float32
  int32_t zero_points;  // 1: each block has its own (a byte), else all have 8, or 128 where quanta have or stand for 8 bits
} Matrix;

static inline int64_t blocks_of(const Matrix* m) { return (m->inputs + BLOCK - 1) / BLOCK; }
static inline int64_t panels_of(const Matrix* m) { return (m->outputs + PANEL - 1) / PANEL; }
static inline int64_t quanta_bytes(const Matrix* m) { return (int64_t)PANEL * BLOCK * m->bits / 8; }
static inline int64_t scale_bytes(const Matrix* m) { return PANEL * (m->half_scales ? 2 : 4); }
static inline int64_t block_bytes(const Matrix* m) { return quanta_bytes(m) + scale_bytes(m) + (m->zero_points ? 64 : 0); }
static inline int64_t panel_bytes(const Matrix* m) { return blocks_of(m) * block_bytes(m); }
static inline int64_t packed_bytes(const Matrix* m) { return panels_of(m) * panel_bytes(m); }

// Rows in 8 bits: quanta [rows, blocks × BLOCK], scales and sums of quanta [rows, blocks].
typedef struct {
  int64_t rows;
  int64_t blocks;
  int8_t* quanta;
  float* scales;
  int32_t* sums;
} Rows;

#endif
