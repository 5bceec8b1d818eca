// What the library exports for rows of logits.
#define _GNU_SOURCE
#include "rows-of-logits.h"

#include <stdlib.h>

#include "kernels.h"

EXPORT int32_t millrace_largest_logit(const float* logits, int32_t count) { return kernels_here()->largest_logit(logits, count); }

EXPORT void millrace_mask_logits(float* to, const float* logits, const uint32_t* allowed, int32_t count) {
  kernels_here()->mask_logits(to, logits, allowed, count);
}

EXPORT int32_t millrace_weigh_logits(const float* logits, int32_t count, double largest, double inverse, double lowest, int32_t range_buckets,
                                     const double* exps, int32_t* tokens, uint16_t* buckets, double* mass, int32_t* counts) {
  const Nearness near = {largest, inverse, lowest, range_buckets, exps};
  const NearTokens to = {tokens, buckets, mass, counts};
  return kernels_here()->weigh_logits(logits, count, &near, &to);
}

EXPORT void millrace_tokens_of_bucket(int32_t* tokens, uint16_t* buckets, int32_t count, int32_t bucket, int32_t wanted, int32_t* to) {
  const NearTokens near = {tokens, buckets, NULL, NULL};
  kernels_here()->tokens_of_bucket(&near, count, bucket, wanted, to);
}

// The largest logit first, the lower token first among equals.
static int order(const void* a, const void* b, void* logits) {
  const int32_t first = *(const int32_t*)a, second = *(const int32_t*)b;
  const float one = ((const float*)logits)[first], other = ((const float*)logits)[second];
  return one != other ? (one < other) - (one > other) : (first > second) - (first < second);
}

EXPORT void millrace_sort_tokens(int32_t* tokens, int32_t count, const float* logits) {
  qsort_r(tokens, (size_t)count, sizeof(int32_t), order, (void*)logits);
}
