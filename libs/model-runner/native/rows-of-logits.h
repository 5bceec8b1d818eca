// Loops over a row of logits, with which the engine draws tokens. README.md says what they compute, bit by bit.
#ifndef MILLRACE_ROWS_OF_LOGITS_H
#define MILLRACE_ROWS_OF_LOGITS_H

#include <stdint.h>

enum {
  BUCKETS_OF_NAT = 64,
  GROUP = 64,   // logits that are looked at together
  BATCH = 512,  // tokens that are weighed together
};

// What is within a range of the likeliest token. The caller's memory.
typedef struct {
  int32_t* tokens;    // [vocabulary] in ascending order
  uint16_t* buckets;  // [vocabulary] of each of them
  double* mass;       // [range in buckets] what a bucket's tokens weigh together; cleared by the caller
  int32_t* counts;    // [range in buckets] how many there are; cleared by the caller
} NearTokens;

// How near, and how weights are made.
typedef struct {
  double largest;      // the row's largest logit
  double inverse;      // of the temperature
  double lowest;       // no logit below this is within the range; what is above may be out of it
  int32_t buckets;     // the range
  const double* exps;  // [buckets] e^(−bucket ÷ BUCKETS_OF_NAT)
} Nearness;

#endif
