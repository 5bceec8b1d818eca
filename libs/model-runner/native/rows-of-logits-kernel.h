// Loops over rows of logits, out of any instructions: mostly plain C that the compiler makes vectors of.
#include <math.h>

// Index of the largest logit, the first of equals. −1 when one is NaN or +Infinity, or all are −Infinity.
TARGET static int32_t largest_logit(const float* logits, int32_t count) {
  float best = -INFINITY;
  int32_t best_at = -1;
  for (int32_t first = 0; first < count; first += GROUP) {
    const int32_t end = first + GROUP <= count ? first + GROUP : count;
    if (end == first + GROUP) {
      // NaN is not below anything either.
      int raises = 0;
      for (int i = 0; i < GROUP; i++) raises |= !(logits[first + i] <= best);
      if (!raises) continue;
    }
    for (int32_t i = first; i < end; i++) {
      if (logits[i] <= best) continue;
      if (!(logits[i] < INFINITY)) return -1;
      best = logits[i];
      best_at = i;
    }
  }
  return best_at;
}

// to = the logits of tokens whose bits are set, −Infinity for all others.
TARGET static void mask_logits(float* to, const float* logits, const uint32_t* allowed, int32_t count) {
  for (int32_t first = 0; first < count; first += 32) {
    const uint32_t bits = allowed[first / 32];
    const int32_t end = first + 32 <= count ? first + 32 : count;
    if (bits == 0) {
      for (int32_t i = first; i < end; i++) to[i] = -INFINITY;
    } else if (bits == UINT32_MAX) {
      memcpy(to + first, logits + first, (size_t)(end - first) * sizeof(float));
    } else if (end == first + 32) {
      for (int i = 0; i < 32; i++) to[first + i] = (bits >> i) & 1 ? logits[first + i] : -INFINITY;
    } else {
      for (int32_t i = first; i < end; i++) to[i] = (bits >> (i - first)) & 1 ? logits[i] : -INFINITY;
    }
  }
}

// Weighs the tokens `maybe` [many], of which those that are near become the next ones behind `found`. Returns how many they are.
TARGET static int32_t weigh_batch(const float* logits, const Nearness* near, const int32_t* maybe, int32_t many, const NearTokens* to, int32_t found) {
  const double range = -(double)near->buckets / BUCKETS_OF_NAT;
  int32_t bucket_of[BATCH];
  double x_of[BATCH], weight_of[BATCH];
  int all_near = 1;
  for (int32_t i = 0; i < many; i++) {
    const double x = ((double)logits[maybe[i]] - near->largest) * near->inverse;
    const int32_t exact = (int32_t)(-x * BUCKETS_OF_NAT);
    const int32_t bucket = exact < near->buckets ? exact : near->buckets - 1;
    const double rest = x + (double)bucket / BUCKETS_OF_NAT;
    x_of[i] = x;
    bucket_of[i] = bucket;
    weight_of[i] = near->exps[bucket] * (1.0 + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0))));
    all_near &= x > range;
  }
  int32_t* const tokens = to->tokens + found;
  uint16_t* const buckets = to->buckets + found;
  int32_t kept = many;
  if (all_near) {
    memcpy(tokens, maybe, (size_t)many * sizeof(int32_t));
  } else {
    kept = 0;
    for (int32_t i = 0; i < many; i++) {
      if (!(x_of[i] > range)) continue;
      tokens[kept] = maybe[i];
      bucket_of[kept] = bucket_of[i];
      weight_of[kept++] = weight_of[i];
    }
  }
  for (int32_t i = 0; i < kept; i++) buckets[i] = (uint16_t)bucket_of[i];
  for (int32_t i = 0; i < kept; i++) {
    to->mass[bucket_of[i]] += weight_of[i];
    to->counts[bucket_of[i]] += 1;
  }
  return kept;
}

// Finds the tokens that are near, and weighs them. Returns how many there are.
TARGET static int32_t weigh_logits(const float* logits, int32_t count, const Nearness* near, const NearTokens* to) {
  const float rounded = (float)near->lowest;
  const float lowest = rounded > near->lowest ? nextafterf(rounded, -INFINITY) : rounded;
  int32_t maybe[BATCH + LANES];
  int32_t found = 0, many = 0;
  for (int32_t first = 0; first < count; first += GROUP) {
    if (many > BATCH - GROUP) {
      found += weigh_batch(logits, near, maybe, many, to, found);
      many = 0;
    }
    if (first + GROUP <= count) {
      int any = 0;
      for (int i = 0; i < GROUP; i++) any |= logits[first + i] >= lowest;
      if (any) many += places_at_least(logits + first, lowest, first, maybe + many);
    } else {
      for (int32_t i = first; i < count; i++)
        if (logits[i] >= lowest) maybe[many++] = i;
    }
  }
  return found + weigh_batch(logits, near, maybe, many, to, found);
}

// The tokens of a bucket in ascending order, of which there are `wanted`, out of `count` that are near.
TARGET static void tokens_of_bucket(const NearTokens* near, int32_t count, int32_t bucket, int32_t wanted, int32_t* to) {
  int32_t found = 0;
  for (int32_t first = 0; first < count && found < wanted; first += GROUP) {
    const int32_t size = first + GROUP <= count ? GROUP : count - first;
    if (size == GROUP) {
      int any = 0;
      for (int i = 0; i < GROUP; i++) any |= near->buckets[first + i] == bucket;
      if (!any) continue;
    }
    for (int32_t i = first; i < first + size && found < wanted; i++)
      if (near->buckets[i] == bucket) to[found++] = near->tokens[i];
  }
}
