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

// The output of one query [head_size].
static void reference(const AttentionForm* f, const AttentionRun* r, int64_t sequence, int64_t token, int64_t head, float* output) {
  const int64_t size = f->head_size, end = r->past[sequence] + token + 1;
  const int64_t cache = (sequence * f->kv_heads + head / (f->heads / f->kv_heads)) * r->capacity * size;
  float query[MOST_HEAD_SIZE], sums[16] = {0}, largest = -FLT_MAX;
  turned(f, r, r->query + (sequence * r->tokens + token) * r->query_stride + head * size, end - 1, query);
  for (int64_t d = 0; d < size; d++) query[d] *= f->scale, output[d] = 0;
  if (r->sinks != NULL) largest = r->sinks[head], sums[0] = 1;
  const int64_t first = f->window == 0 || end < f->window ? 0 : end - f->window;
  for (int64_t begin = first / KEY_BLOCK * KEY_BLOCK; begin < end; begin += KEY_BLOCK) {
    float scores[KEY_BLOCK], most = largest;
    for (int64_t key = begin; key < begin + KEY_BLOCK; key++) {
      float score = 0;
      for (int64_t d = 0; d < size && key < end; d++) score = fmaf(query[d], r->keys[cache + key * size + d], score);
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
      for (int64_t d = 0; d < size; d++) output[d] = fmaf(weight, r->values[cache + (begin + key) * size + d], output[d]);
    }
    largest = most;
  }
  for (int width = 8; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) sums[lane] += sums[lane + width];
  for (int64_t d = 0; d < size; d++) output[d] /= sums[0];
}

static int check_one(const char* name, int number) {
  state = (uint32_t)number * 2654435761u + 1;
  below(2);
  const int64_t kv_heads = 1 + below(2), heads = kv_heads * (1 + below(9)), size = 16 * (1 + below(number % 5 == 0 ? 16 : 5));
  AttentionForm f = {heads, kv_heads, size, below(3) == 0 ? 1 + below(100) : 0, 0.3f, below(3) == 0 ? 5.0f : 0.0f};
  int64_t past[2] = {below(150), below(150)};
  AttentionRun r = {.batch = 1 + below(2), .tokens = below(2) ? 1 : 1 + below(40), .capacity = 200, .past = past};
  r.turned = below(3) == 0 ? 0 : 2 * (1 + below((uint32_t)size / 2));
  r.query_stride = (heads + 2 * kv_heads) * size, r.kv_stride = r.query_stride;
  const int64_t rows = r.batch * r.tokens, held = r.batch * kv_heads * r.capacity * size;
  float *packed = numbers(rows * r.query_stride, 1), *sinks = numbers(heads, 2), *cosines = numbers(200 * size, 1), *sines = numbers(200 * size, 1);
  r.query = packed, r.key = packed + heads * size, r.value = r.key + kv_heads * size, r.cosines = cosines, r.sines = sines;
  r.sinks = below(3) == 0 ? sinks : NULL;
  r.keys = numbers(held, 1), r.values = numbers(held, 1), r.output = numbers(rows * heads * size, 0);
  for (int64_t token = 0; token < rows; token++) kernels_here()->append_to_cache(&f, &r, token);
  for (int64_t task = 0; task < attention_tasks(&f, &r); task++) kernels_here()->attend(&f, &r, task);
  int wrong = 0;
  for (int64_t row = 0; row < rows * heads && !wrong; row++) {
    float expected[MOST_HEAD_SIZE];
    reference(&f, &r, row / heads / r.tokens, row / heads % r.tokens, row % heads, expected);
    for (int64_t d = 0; d < size && !wrong; d++) {
      const float value = r.output[row * size + d];
      wrong = memcmp(&expected[d], &value, 4) != 0 && (expected[d] != 0 || value != 0);
      if (wrong) printf("%s: attention %d, row %d, value %d is %a in the place of %a\n", name, number, (int)row, (int)d, (double)value, (double)expected[d]);
    }
  }
  free(packed), free(sinks), free(cosines), free(sines), free(r.keys), free(r.values), free(r.output);
  return wrong;
}

int check_attention(const char* name, int cases) {
  for (int i = 0; i < cases; i++)
    if (check_one(name, i)) return 1;
  printf("%s: attention, %d cases, all bits as defined\n", name, cases);
  return 0;
}
