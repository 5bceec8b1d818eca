// Attention of float32 queries over a cache of keys and values, in the arithmetic that README.md defines: what comes out for a token hangs on that
// token and those before it alone, not on how many are computed together.
#ifndef MILLRACE_ATTENTION_H
#define MILLRACE_ATTENTION_H

#include <stdint.h>

enum {
  KEY_BLOCK = 64,        // keys whose scores are computed together; blocks begin at multiples of it
  TASK_ROWS = 48,        // queries of one key-value head that are computed together
  HEAD_STEP = 16,        // head sizes are multiples of it
  MOST_HEAD_SIZE = 256,
};

// What is the same for all runs of a layer.
typedef struct {
  int64_t heads;      // of queries
  int64_t kv_heads;   // divides heads
  int64_t head_size;
  int64_t window;     // keys that a query sees, its own among them; 0 for all
  float scale;
  float softcap;      // 0 for none
} AttentionForm;

// One run. New tokens are `tokens` for each of `batch` sequences.
typedef struct {
  int64_t batch;
  int64_t tokens;
  int64_t capacity;        // tokens that a head of the cache has room for
  const float* query;      // [batch, tokens, heads × head_size], rows query_stride apart
  const float* key;        // [batch, tokens, kv_heads × head_size], rows kv_stride apart
  const float* value;      // as key
  int64_t query_stride;
  int64_t kv_stride;
  float* keys;             // [batch, kv_heads, capacity, head_size], as values
  float* values;
  const int64_t* past;     // [batch] tokens that the cache has before this run
  int64_t turned;          // values at the beginning of a head that are turned, in two halves; 0 for none
  const float* cosines;    // [positions, turned ÷ 2], as sines
  const float* sines;
  const float* sinks;      // [heads] a score that is weighed without a value, or null
  float* output;           // [batch, tokens, heads × head_size]
} AttentionRun;

static inline int64_t rows_of_head(const AttentionForm* form, const AttentionRun* run) { return run->tokens * (form->heads / form->kv_heads); }
static inline int64_t tasks_of_head(const AttentionForm* form, const AttentionRun* run) {
  return (rows_of_head(form, run) + TASK_ROWS - 1) / TASK_ROWS;
}
// What can be computed at the same time when the cache has all tokens of the run.
static inline int64_t attention_tasks(const AttentionForm* form, const AttentionRun* run) {
  return run->batch * form->kv_heads * tasks_of_head(form, run);
}

#endif
