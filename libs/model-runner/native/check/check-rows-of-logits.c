// Compares what every kernel makes of rows of logits with README.md's arithmetic, written plainly, bit by bit.
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels.h"

int check_rows_of_logits(const char* name, int cases);
void millrace_sort_tokens(int32_t*, int32_t, const float*);

enum { MOST = 3000, MOST_BUCKETS = 32 * BUCKETS_OF_NAT };

static uint32_t state;
static uint32_t below(uint32_t limit) { return state = state * 1664525u + 1013904223u, (uint32_t)(((uint64_t)state * limit) >> 32); }

typedef struct {
  int32_t tokens[MOST], counts[MOST_BUCKETS], found;
  uint16_t buckets[MOST];
  double mass[MOST_BUCKETS];
} Found;

static void weigh(const float* logits, int32_t count, const Nearness* near, Found* to) {
  memset(to, 0, sizeof *to);
  for (int32_t token = 0; token < count; token++) {
    const double x = ((double)logits[token] - near->largest) * near->inverse;
    if (!(x * BUCKETS_OF_NAT > -near->buckets)) continue;
    const int32_t bucket = (int32_t)(-x * BUCKETS_OF_NAT);
    const double r = x + (double)bucket / BUCKETS_OF_NAT;
    to->tokens[to->found] = token;
    to->buckets[to->found++] = (uint16_t)bucket;
    to->mass[bucket] += near->exps[bucket] * (1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0))));
    to->counts[bucket] += 1;
  }
}

static int32_t largest(const float* logits, int32_t count) {
  int32_t best = -1;
  for (int32_t i = 0; i < count; i++) {
    if (isnan(logits[i]) || logits[i] == INFINITY) return -1;
    if (logits[i] > (best < 0 ? -INFINITY : logits[best])) best = i;
  }
  return best;
}

static int differs(const char* name, int i, const char* what) {
  printf("%s: rows of logits, case %d: %s differ\n", name, i, what);
  return 1;
}

int check_rows_of_logits(const char* name, int cases) {
  static double exps[MOST_BUCKETS];
  for (int i = 0; i < MOST_BUCKETS; i++) exps[i] = exp(-(double)i / BUCKETS_OF_NAT);
  static float logits[MOST], masked[MOST];
  static uint32_t allowed[MOST / 32 + 1];
  static Found expected, found;
  static int32_t tokens[MOST];
  const Kernels* kernel = kernels_here();
  for (int i = 0; i < cases; i++) {
    state = (uint32_t)i * 2654435761u + 1;
    below(2);
    const int32_t count = 1 + (int32_t)below(MOST);
    // Steps between logits: many equal ones, or hardly any. A share of them is −Infinity.
    const float step = below(2) ? 0.25f : 1e-4f, spread = 1.0f + (float)below(40);
    for (int32_t t = 0; t < count; t++) {
      const float value = roundf(((float)below(1 << 20) / (1 << 20)) * spread / step) * step;
      logits[t] = below(9) == 0 ? -INFINITY : value;
    }
    if (i % 5 == 0) logits[below((uint32_t)count)] = below(2) ? NAN : INFINITY;
    const int32_t best = largest(logits, count);
    if (kernel->largest_logit(logits, count) != best) return differs(name, i, "the largest logits");
    for (int32_t word = 0; word <= count / 32; word++) allowed[word] = below(3) == 0 ? 0 : below(3) == 0 ? UINT32_MAX : below(UINT32_MAX);
    kernel->mask_logits(masked, logits, allowed, count);
    for (int32_t t = 0; t < count; t++) {
      const float value = allowed[t / 32] >> (t % 32) & 1 ? logits[t] : -INFINITY;
      if (memcmp(&masked[t], &value, 4) != 0) return differs(name, i, "masked logits");
    }
    if (best < 0) continue;
    const double temperature = 0.05 + (double)below(200) / 100, range = below(2) ? 16 : 32, top = logits[best];
    const Nearness near = {top, 1 / temperature, top - range * temperature * 1.000001, (int32_t)range * BUCKETS_OF_NAT, exps};
    weigh(logits, count, &near, &expected);
    memset(&found, 0, sizeof found);
    const NearTokens to = {found.tokens, found.buckets, found.mass, found.counts};
    found.found = kernel->weigh_logits(logits, count, &near, &to);
    if (memcmp(&found, &expected, sizeof found) != 0) return differs(name, i, "near tokens, or what they weigh,");
    for (int32_t bucket = 0; bucket < near.buckets; bucket++) {
      const int32_t wanted = expected.counts[bucket];
      if (wanted == 0) continue;
      kernel->tokens_of_bucket(&to, found.found, bucket, wanted, tokens);
      for (int32_t place = 0, t = 0; t < expected.found; t++)
        if (expected.buckets[t] == bucket && tokens[place++] != expected.tokens[t]) return differs(name, i, "a bucket's tokens");
      millrace_sort_tokens(tokens, wanted, logits);
      for (int32_t t = 1; t < wanted; t++) {
        const float before = logits[tokens[t - 1]], here = logits[tokens[t]];
        if (before < here || (before == here && tokens[t - 1] >= tokens[t])) return differs(name, i, "sorted tokens");
      }
    }
  }
  printf("%s: %d rows of logits, all bits as defined\n", name, cases);
  return 0;
}
