// Attention of float32 queries over a cache of keys and values, in the arithmetic that README.md defines: what comes out for a token hangs on that
// token and those before it alone, not on how many are computed together.
#ifndef MILLRACE_ATTENTION_H
#define MILLRACE_ATTENTION_H

#include <stdint.h>

enum {
  KEY_BLOCK = 64,        // keys whose scores are computed together; blocks begin at multiples of it
  SPAN = 256,            // keys that are summed up apart from all others, whole blocks; spans begin at multiples of it
  TASK_ROWS = 48,        // queries of one key-value head that are computed together
  HEAD_STEP = 16,        // head sizes are multiples of it
  MOST_HEAD_SIZE = 256,
  CACHE_TILE = 16,       // tokens whose keys lie beside each other in the cache
  SUM_LANES = 16,        // sums of weights, by key
};

// What keys and values are kept as.
typedef enum {
  FLOAT32_CACHE,
  FLOAT16_CACHE,
  INT8_CACHE,  // quanta of 8 bits, and for each head of a token the float32 by which they are multiplied
} CacheType;

// What is the same for all runs of a layer.
typedef struct {
  int64_t heads;      // of queries
  int64_t kv_heads;   // divides heads
  int64_t head_size;
  int64_t window;     // keys that a query sees, its own among them; 0 for all
  float scale;
  float softcap;      // 0 for none
  CacheType cache;
} AttentionForm;

// The cache of one head: tiles of CACHE_TILE tokens behind each other, of keys [head_size, CACHE_TILE], of values [CACHE_TILE, head_size], and behind the
// quanta of each tile their scales [CACHE_TILE]. So whole tiles can be copied as they are.

// One run. New tokens are `tokens` for each of `batch` sequences.
typedef struct {
  int64_t batch;
  int64_t tokens;
  int64_t capacity;        // tokens that a head of the cache has room for, whole tiles
  const float* query;      // [batch, tokens, heads × head_size], rows query_stride apart
  const float* key;        // [batch, tokens, kv_heads × head_size], rows kv_stride apart
  const float* value;      // as key
  int64_t query_stride;
  int64_t kv_stride;
  uint8_t* keys;           // [batch, kv_heads, capacity ÷ CACHE_TILE] tiles, as values
  uint8_t* values;
  const int64_t* past;     // [batch] tokens that the cache has before this run
  int64_t turned;          // values at the beginning of a head that are turned, in two halves; 0 for none
  const float* cosines;    // [positions, turned ÷ 2], as sines
  const float* sines;
  const float* sinks;      // [heads] a score that is weighed without a value, or null
  float* output;           // [batch, tokens, heads × head_size]
} AttentionRun;

static inline int64_t value_bytes(const AttentionForm* form) {
  return form->cache == FLOAT32_CACHE ? 4 : form->cache == FLOAT16_CACHE ? 2 : 1;
}
// One head of one token in the cache.
static inline int64_t cached_bytes(const AttentionForm* form) {
  return form->head_size * value_bytes(form) + (form->cache == INT8_CACHE ? (int64_t)sizeof(float) : 0);
}

static inline int64_t rows_of_head(const AttentionForm* form, const AttentionRun* run) { return run->tokens * (form->heads / form->kv_heads); }
static inline int64_t tasks_of_head(const AttentionForm* form, const AttentionRun* run) {
  return (rows_of_head(form, run) + TASK_ROWS - 1) / TASK_ROWS;
}
// What can be computed at the same time when the cache has all tokens of the run.
static inline int64_t attention_tasks(const AttentionForm* form, const AttentionRun* run) {
  return run->batch * form->kv_heads * tasks_of_head(form, run);
}

// Spans that the keys of the run's longest sequence take: each task can be computed span by span, which is joined afterwards.
static inline int64_t attention_spans(const AttentionRun* run) {
  int64_t longest = 0;
  for (int64_t i = 0; i < run->batch; i++) longest = run->past[i] > longest ? run->past[i] : longest;
  return (longest + run->tokens + SPAN - 1) / SPAN;
}

// float32 that one span of a task leaves behind.
static inline int64_t span_floats(const AttentionForm* form, const AttentionRun* run) {
  const int64_t rows = rows_of_head(form, run) < TASK_ROWS ? rows_of_head(form, run) : TASK_ROWS;
  return (rows * (form->head_size + SUM_LANES + 1) + 15) / 16 * 16;
}

#endif
