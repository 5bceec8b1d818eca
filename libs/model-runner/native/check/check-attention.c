// Compares attention with the arithmetic of README.md, written plainly, bit by bit.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels.h"

int check_attention(const char* name, int cases);

static uint32_t state;
static uint32_t below(uint32_t limit) { return state = state * 1664525u + 1013904223u, (uint32_t)(((uint64_t)state * limit) >> 32); }

static float* numbers(int64_t count, float largest) {
  float* to = aligned_alloc(64, ((size_t)count * 4 + 63) & ~(size_t)63);
  for (int64_t i = 0; i < count; i++) to[i] = ((float)below(20001) - 10000.0f) / 10000.0f * largest;
  return to;
}

static float exponential(float x) {
  if (!(x >= -87.0f)) return 0.0f;
  const float shifted = fmaf(x, 0x1.715476p+0f, 0x1.8p23f), whole = shifted - 0x1.8p23f;
  const float rest = fmaf(whole, -0x1.7f7d1cp-20f, fmaf(whole, -0x1.62e4p-1f, x));
  const float terms[] = {0x1.123bccp-7f, 0x1.555b98p-5f, 0x1.55548ep-3f, 0x1.fffff8p-2f, 1.0f, 1.0f};
  float y = 0x1.6850e4p-10f;
  for (int i = 0; i < 6; i++) y = fmaf(y, rest, terms[i]);
  return ldexpf(y, (int)whole);
}

static float capped(float score, float softcap) {
  const float x = score / softcap, small = exponential(fabsf(x) * -2.0f);
  return copysignf((1.0f - small) / (1.0f + small), score) * softcap;
}

static void turned(const AttentionForm* f, const AttentionRun* r, const float* from, int64_t position, float* to) {
  const int64_t half = r->turned / 2;
  memcpy(to, from, (size_t)f->head_size * 4);
  for (int64_t d = 0; d < half; d++) {
    const float c = r->cosines[position * half + d], s = r->sines[position * half + d];
    to[d] = fmaf(from[d], c, -(from[half + d] * s));
    to[half + d] = fmaf(from[half + d], c, from[d] * s);
  }
}

// The nearest half, the even one of two: 11 bits, of which the last is 2⁻²⁴ or more.
static float as_half(float x) {
  int exponent;
  frexpf(x, &exponent);
  const float step = ldexpf(1.0f, exponent - 11 > -24 ? exponent - 11 : -24);
  return nearbyintf(x / step) * step;
}

// What is read of one head of a token [head_size] where it was `from`.
static void kept(const AttentionForm* f, const float* from, float* to) {
  float most = 0;
  for (int64_t d = 0; d < f->head_size; d++) most = fabsf(from[d]) > most ? fabsf(from[d]) : most;
  const float inverse = 127.0f / most, scale = most / 127.0f;
  for (int64_t d = 0; d < f->head_size; d++)
    to[d] = f->cache == FLOAT32_CACHE   ? from[d]
            : f->cache == FLOAT16_CACHE ? as_half(from[d])
            : most < 0x1p-100f          ? 0.0f
                                        : nearbyintf(from[d] * inverse) * scale;
}

// The output of one query [head_size]. The keys and values of all positions, as they are kept: [batch, kv_heads, capacity, head_size].
static void reference(const AttentionForm* f, const AttentionRun* r, const float* all_keys, const float* all_values, int64_t sequence, int64_t token,
                      int64_t head, float* output) {
  const int64_t size = f->head_size, end = r->past[sequence] + token + 1;
  const int64_t cache = (sequence * f->kv_heads + head / (f->heads / f->kv_heads)) * r->capacity * size;
  float query[MOST_HEAD_SIZE], total[MOST_HEAD_SIZE], total_sums[16] = {0}, total_largest = -FLT_MAX;
  turned(f, r, r->query + (sequence * r->tokens + token) * r->query_stride + head * size, end - 1, query);
  for (int64_t d = 0; d < size; d++) query[d] *= f->scale, total[d] = 0;
  if (r->sinks != NULL) total_largest = r->sinks[head], total_sums[0] = 1;
  const int64_t first = f->window == 0 || end < f->window ? 0 : end - f->window;
  for (int64_t span = first / SPAN * SPAN; span < end; span += SPAN) {
    float sums[16] = {0}, largest = -FLT_MAX, largest_of_both;
    for (int64_t d = 0; d < size; d++) output[d] = 0;
    for (int64_t begin = span; begin < end && begin < span + SPAN; begin += KEY_BLOCK) {
      float scores[KEY_BLOCK], most = largest;
      for (int64_t key = begin; key < begin + KEY_BLOCK; key++) {
        float score = 0;
        for (int64_t d = 0; d < size && key < end; d++) score = fmaf(query[d], all_keys[cache + key * size + d], score);
        if (f->softcap != 0) score = capped(score, f->softcap);
        scores[key - begin] = key < first || key >= end ? -INFINITY : score;
        most = scores[key - begin] > most ? scores[key - begin] : most;
      }
      const float shrink = exponential(largest - most);
      for (int lane = 0; lane < 16; lane++) sums[lane] *= shrink;
      for (int64_t d = 0; d < size; d++) output[d] *= shrink;
      for (int64_t key = 0; key < KEY_BLOCK && begin + key < end; key++) {
        const float weight = exponential(scores[key] - most);
        sums[key % 16] += weight;
        for (int64_t d = 0; d < size; d++) output[d] = fmaf(weight, all_values[cache + (begin + key) * size + d], output[d]);
      }
      largest = most;
    }
    largest_of_both = largest > total_largest ? largest : total_largest;
    const float now = exponential(largest - largest_of_both), before = exponential(total_largest - largest_of_both);
    for (int lane = 0; lane < 16; lane++) total_sums[lane] = fmaf(sums[lane], now, total_sums[lane] * before);
    for (int64_t d = 0; d < size; d++) total[d] = fmaf(output[d], now, total[d] * before);
    total_largest = largest_of_both;
  }
  for (int width = 8; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) total_sums[lane] += total_sums[lane + width];
  for (int64_t d = 0; d < size; d++) output[d] = total[d] / total_sums[0];
}

// Compares what came out with the reference, whose cache got the same tokens.
static int compare(const char* name, int number, const AttentionForm* f, const AttentionRun* r, const float* keys, const float* values) {
  for (int64_t row = 0; row < r->batch * r->tokens * f->heads; row++) {
    float expected[MOST_HEAD_SIZE];
    reference(f, r, keys, values, row / f->heads / r->tokens, row / f->heads % r->tokens, row % f->heads, expected);
    for (int64_t d = 0; d < f->head_size; d++) {
      const float value = r->output[row * f->head_size + d];
      if (memcmp(&expected[d], &value, 4) == 0 || (expected[d] == 0 && value == 0)) continue;
      printf("%s: attention %d, row %d, value %d is %a in the place of %a\n", name, number, (int)row, (int)d, (double)value, (double)expected[d]);
      return 1;
    }
  }
  return 0;
}

// Appends `tokens` tokens to both caches.
static void append(const AttentionForm* f, const AttentionRun* r, float* keys, float* values) {
  for (int64_t token = 0; token < r->batch * r->tokens; token++) {
    kernels_here()->append_to_cache(f, r, token);
    for (int64_t head = 0; head < f->kv_heads; head++) {
      const int64_t sequence = token / r->tokens, position = r->past[sequence] + token % r->tokens, size = f->head_size;
      const int64_t to = ((sequence * f->kv_heads + head) * r->capacity + position) * size;
      float key[MOST_HEAD_SIZE];
      turned(f, r, r->key + token * r->kv_stride + head * size, position, key);
      kept(f, key, keys + to);
      kept(f, r->value + token * r->kv_stride + head * size, values + to);
    }
  }
}

static int check_one(const char* name, int number) {
  state = (uint32_t)number * 2654435761u + 1;
  below(2);
  const int64_t kv_heads = 1 + below(2), heads = kv_heads * (1 + below(9)), size = 16 * (1 + below(number % 5 == 0 ? 16 : 5));
  const AttentionForm f = {heads, kv_heads, size, below(3) == 0 ? 1 + below(300) : 0, 0.3f, below(3) == 0 ? 5.0f : 0.0f, (CacheType)below(3)};
  int64_t past[2] = {0, 0};
  const int64_t longest = below(3) == 0 ? 700 : 150, capacity = (longest + 50) / CACHE_TILE * CACHE_TILE + CACHE_TILE;
  AttentionRun r = {.batch = 1 + below(2), .tokens = 1 + below((uint32_t)longest), .capacity = capacity, .past = past};
  r.turned = below(3) == 0 ? 0 : 2 * (1 + below((uint32_t)size / 2));
  r.query_stride = (heads + 2 * kv_heads) * size, r.kv_stride = r.query_stride;
  const int64_t held = r.batch * kv_heads * capacity;
  float *packed = numbers(r.batch * capacity * r.query_stride, 1), *sinks = numbers(heads, 2), *cosines = numbers(capacity * size, 1), *sines = numbers(capacity * size, 1);
  r.query = packed, r.key = packed + heads * size, r.value = r.key + kv_heads * size, r.cosines = cosines, r.sines = sines;
  r.sinks = below(3) == 0 ? sinks : NULL;
  float *keys = numbers(held * size, 1), *values = numbers(held * size, 1);
  r.keys = (uint8_t*)numbers(held * cached_bytes(&f) / 4, 1), r.values = (uint8_t*)numbers(held * cached_bytes(&f) / 4, 1);
  r.output = numbers(r.batch * capacity * heads * size, 0);
  // What stands in the cache before comes first, the same for all sequences but for its length.
  append(&f, &r, keys, values);
  for (int i = 0; i < 2; i++) past[i] = 1 + below((uint32_t)r.tokens);
  r.tokens = below(2) ? 1 : 1 + below(40);
  append(&f, &r, keys, values);
  const int64_t tasks = attention_tasks(&f, &r), spans = attention_spans(&r);
  for (int64_t task = 0; task < tasks; task++) kernels_here()->attend(&f, &r, task);
  int wrong = compare(name, number, &f, &r, keys, values);
  float* pieces = numbers(tasks * spans * span_floats(&f, &r), 1);
  memset(r.output, 0, (size_t)(r.batch * r.tokens * heads * size) * 4);
  for (int64_t piece = tasks * spans - 1; piece >= 0; piece--)
    kernels_here()->attend_span(&f, &r, piece / spans, piece % spans, pieces + piece * span_floats(&f, &r));
  for (int64_t task = 0; task < tasks; task++) kernels_here()->join_spans(&f, &r, task, pieces + task * spans * span_floats(&f, &r));
  if (!wrong) wrong = compare(name, number, &f, &r, keys, values);
  free(packed), free(sinks), free(cosines), free(sines), free(keys), free(values), free(r.keys), free(r.values), free(r.output), free(pieces);
  return wrong;
}

int check_attention(const char* name, int cases) {
  for (int i = 0; i < cases; i++)
    if (check_one(name, i)) return 1;
  printf("%s: attention, %d cases, all bits as defined\n", name, cases);
  return 0;
}
