// What computes: one set of functions for each set of instructions, all of them with the same bits (README.md).
#ifndef MILLRACE_KERNELS_H
#define MILLRACE_KERNELS_H

#include "attention.h"
#include "block-product.h"
#include "rows-of-logits.h"

typedef struct {
  const char* name;
  // 1 where the processor has its instructions.
  int (*runs_here)(void);
  // Whether they are quicker here than those behind them, measured, or NULL where nobody has to ask. It is asked where they run, before they compute.
  int (*pays)(void);
  // Rounds row `row` of x [rows, inputs] into 8 bits.
  void (*quantize_row)(const Rows* to, int64_t row, const float* x, int64_t inputs);
  // y [rows, outputs] = rows × matrix, for the outputs of one panel.
  void (*multiply_panel)(const Matrix* m, const uint8_t* packed, const Rows* rows, int64_t panel, float* y);
  // Writes the key and the value of token `token`, counted over all sequences, into the cache.
  void (*append_to_cache)(const AttentionForm* form, const AttentionRun* run, int64_t token);
  // The outputs of one task, when the cache has all tokens of the run.
  void (*attend)(const AttentionForm* form, const AttentionRun* run, int64_t task);
  // The same in pieces: what each span comes to [span_floats], in any order, and then the outputs out of all spans.
  void (*attend_span)(const AttentionForm* form, const AttentionRun* run, int64_t task, int64_t span, float* to);
  void (*join_spans)(const AttentionForm* form, const AttentionRun* run, int64_t task, const float* spans);
  // What rows-of-logits-kernel.h says of them.
  int32_t (*largest_logit)(const float* logits, int32_t count);
  void (*mask_logits)(float* to, const float* logits, const uint32_t* allowed, int32_t count);
  int32_t (*weigh_logits)(const float* logits, int32_t count, const Nearness* near, const NearTokens* to);
  void (*tokens_of_bucket)(const NearTokens* near, int32_t count, int32_t bucket, int32_t wanted, int32_t* to);
} Kernels;

extern const Kernels amx_kernels, avx512_kernels, avxvnni_kernels, avx2_kernels, neon_kernels;

// Those that compute everything in the process, or NULL where the processor has the instructions of none.
const Kernels* kernels_here(void);

#endif
