// Attention out of the operations of one set of instructions. The file that includes this defines before:
//   TARGET, INLINE  attributes of functions that use these instructions
//   Floats          LANES float32, with all_floats, floats_of, halves_of, quanta_of, put_floats, put_halves, times_and_add and most_of
//   TILE_VECTORS    vectors of keys, or of a head's values, whose sums for six queries fit into registers
#include <float.h>
#include <string.h>

#include "attention.h"

enum { MOST_TILE_ROWS = 6, TILE_WIDTH = TILE_VECTORS * LANES };

// What compares and shifts. A comparison gives all ones where it is true.
typedef int32_t Words __attribute__((vector_size(LANES * 4)));

// Before any score was seen: less than all scores, and no infinity, whose distance to itself is no number.
#define LEAST (-FLT_MAX)

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE float larger_of(float a, float b) { return a > b ? a : b; }
TARGET INLINE Floats where(Words condition, Floats a, Floats b) { return (Floats)(((Words)a & condition) | ((Words)b & ~condition)); }

// e^x for x <= 0; 0 where that is near the smallest normal number or below.
TARGET INLINE Floats exponential(Floats x) {
  const Floats shift = all_floats(0x1.8p23f);
  const Floats shifted = times_and_add(x, all_floats(0x1.715476p+0f), shift);
  const Floats whole = shifted - shift;
  Floats rest = times_and_add(whole, all_floats(-0x1.62e4p-1f), x);
  rest = times_and_add(whole, all_floats(-0x1.7f7d1cp-20f), rest);
  Floats y = all_floats(0x1.6850e4p-10f);
  y = times_and_add(y, rest, all_floats(0x1.123bccp-7f));
  y = times_and_add(y, rest, all_floats(0x1.555b98p-5f));
  y = times_and_add(y, rest, all_floats(0x1.55548ep-3f));
  y = times_and_add(y, rest, all_floats(0x1.fffff8p-2f));
  y = times_and_add(y, rest, all_floats(1.0f));
  y = times_and_add(y, rest, all_floats(1.0f));
  y = (Floats)((Words)y + ((Words)shifted << 23));
  return where((Words)(x >= all_floats(-87.0f)), y, all_floats(0.0f));
}

// softcap × tanh(score ÷ softcap)
TARGET INLINE Floats capped(Floats score, float softcap) {
  const Words sign = (Words)all_floats(-0.0f);
  const Floats one = all_floats(1.0f), x = score / all_floats(softcap);
  const Floats small = exponential((Floats)((Words)x & ~sign) * all_floats(-2.0f));
  const Floats tanh = (one - small) / (one + small);
  return (Floats)((Words)tanh | ((Words)score & sign)) * all_floats(softcap);
}

// The first `turned` values in two halves, turned by the angles of a position; the others as they are.
TARGET INLINE void turn(const AttentionForm* form, const AttentionRun* run, const float* from, int64_t position, float* to) {
  const int64_t half = run->turned / 2;
  const float* cosines = run->cosines + position * half;
  const float* sines = run->sines + position * half;
  int64_t d = 0;
  for (; d + LANES <= half; d += LANES) {
    const Floats c = floats_of(cosines + d), s = floats_of(sines + d), a = floats_of(from + d), b = floats_of(from + half + d);
    put_floats(to + d, times_and_add(a, c, -(b * s)));
    put_floats(to + half + d, times_and_add(b, c, a * s));
  }
  for (; d < half; d++) {
    to[d] = __builtin_fmaf(from[d], cosines[d], -(from[half + d] * sines[d]));
    to[half + d] = __builtin_fmaf(from[half + d], cosines[d], from[d] * sines[d]);
  }
  memcpy(to + run->turned, from + run->turned, (size_t)(form->head_size - run->turned) * sizeof(float));
}

// Where token `position` of a head's keys or values begins: of keys its first value, the others are a tile's tokens apart.
INLINE int64_t key_at(const AttentionForm* form, int64_t position) {
  const int64_t tile = position / CACHE_TILE * CACHE_TILE * cached_bytes(form);
  return tile + position % CACHE_TILE * value_bytes(form);
}
INLINE int64_t value_at(const AttentionForm* form, int64_t position) {
  const int64_t tile = position / CACHE_TILE * CACHE_TILE * cached_bytes(form);
  return tile + position % CACHE_TILE * form->head_size * value_bytes(form);
}
// Where its scale is, in a tile of quanta.
INLINE int64_t scale_at(const AttentionForm* form, int64_t position) {
  return position / CACHE_TILE * CACHE_TILE * cached_bytes(form) + CACHE_TILE * form->head_size + position % CACHE_TILE * (int64_t)sizeof(float);
}

// Half precision as it is kept, its largest numbers in the place of infinities.
TARGET INLINE void put_as_halves(const float* from, int64_t count, uint8_t* to) {
  const Floats most = all_floats(65504.0f), least = all_floats(-65504.0f);
  for (int64_t d = 0; d < count; d += LANES) {
    Floats x = floats_of(from + d);
    x = where((Words)(x > most), most, x);
    put_halves(to + 2 * d, where((Words)(x < least), least, x));
  }
}

// Quanta of the largest value's 127th part, which is returned.
TARGET INLINE float put_as_quanta(const float* from, int64_t count, int8_t* to) {
  Floats largest = all_floats(0.0f);
  for (int64_t d = 0; d < count; d += LANES) {
    const Floats x = (Floats)((Words)floats_of(from + d) & ~(Words)all_floats(-0.0f));
    largest = where((Words)(x > largest), x, largest);
  }
  const float most = most_of(largest), inverse = most < 0x1p-100f ? 0.0f : 127.0f / most;
  for (int64_t d = 0; d < count; d++) to[d] = (int8_t)__builtin_rintf(from[d] * inverse);
  return most < 0x1p-100f ? 0.0f : most / 127.0f;
}

TARGET INLINE void put_key(const AttentionForm* form, const float* from, int64_t position, uint8_t* keys) {
  const int64_t width = value_bytes(form);
  uint8_t* to = keys + key_at(form, position);
  _Alignas(64) uint8_t narrow[MOST_HEAD_SIZE * sizeof(float)];
  if (form->cache == FLOAT32_CACHE) memcpy(narrow, from, (size_t)form->head_size * sizeof(float));
  if (form->cache == FLOAT16_CACHE) put_as_halves(from, form->head_size, narrow);
  if (form->cache == INT8_CACHE) {
    const float scale = put_as_quanta(from, form->head_size, (int8_t*)narrow);
    memcpy(keys + scale_at(form, position), &scale, sizeof scale);
  }
  for (int64_t d = 0; d < form->head_size; d++)
    switch (width) {
      case 4: memcpy(to + d * CACHE_TILE * 4, narrow + d * 4, 4); break;
      case 2: memcpy(to + d * CACHE_TILE * 2, narrow + d * 2, 2); break;
      default: to[d * CACHE_TILE] = narrow[d];
    }
}

TARGET INLINE void put_value(const AttentionForm* form, const float* from, int64_t position, uint8_t* values) {
  uint8_t* to = values + value_at(form, position);
  if (form->cache == FLOAT32_CACHE) memcpy(to, from, (size_t)form->head_size * sizeof(float));
  if (form->cache == FLOAT16_CACHE) put_as_halves(from, form->head_size, to);
  if (form->cache == INT8_CACHE) {
    const float scale = put_as_quanta(from, form->head_size, (int8_t*)to);
    memcpy(values + scale_at(form, position), &scale, sizeof scale);
  }
}

TARGET static void append_to_cache(const AttentionForm* form, const AttentionRun* run, int64_t token) {
  const int64_t sequence = token / run->tokens;
  const int64_t position = run->past[sequence] + token % run->tokens;
  for (int64_t head = 0; head < form->kv_heads; head++) {
    const int64_t from = token * run->kv_stride + head * form->head_size;
    const int64_t to = (sequence * form->kv_heads + head) * run->capacity * cached_bytes(form);
    _Alignas(64) float key[MOST_HEAD_SIZE];
    turn(form, run, run->key + from, position, key);
    put_key(form, key, position, run->keys + to);
    put_value(form, run->value + from, position, run->values + to);
  }
}

// `tiles` tiles of a head's keys or values as float32, in the same order.
TARGET INLINE const float* widened(const AttentionForm* form, const uint8_t* from, int64_t tiles, int are_keys, float* to) {
  if (form->cache == FLOAT32_CACHE) return (const float*)from;
  const int64_t count = CACHE_TILE * form->head_size;
  if (form->cache == FLOAT16_CACHE)
    for (int64_t i = 0; i < tiles * count; i += LANES) put_floats(to + i, halves_of(from + 2 * i));
  else
    for (int64_t tile = 0; tile < tiles; tile++) {
      const uint8_t* quanta = from + tile * CACHE_TILE * cached_bytes(form);
      const float* scales = (const float*)(quanta + count);
      float* wide = to + tile * count;
      if (are_keys)
        for (int64_t i = 0; i < count; i += LANES) put_floats(wide + i, quanta_of(quanta + i) * floats_of(scales + i % CACHE_TILE));
      else
        for (int64_t token = 0, i = 0; token < CACHE_TILE; token++)
          for (int64_t end = i + form->head_size; i < end; i += LANES) put_floats(wide + i, quanta_of(quanta + i) * all_floats(scales[token]));
    }
  return to;
}

// Σ over some keys that one query sees.
typedef struct {
  _Alignas(64) float output[MOST_HEAD_SIZE];  // [head_size] Σ weight × value, of weights whose largest is 1
  _Alignas(64) float sum[SUM_LANES];          // of weights, by key mod SUM_LANES
  float largest;                              // score so far
} Sums;

// What a task knows of its rows.
typedef struct {
  int64_t rows, sequence, kv_head, first_row, past;
  int64_t first_key, end_key;                            // that any row sees
  int64_t first[TASK_ROWS], end[TASK_ROWS];              // that each sees
  _Alignas(64) float query[TASK_ROWS * MOST_HEAD_SIZE];  // [rows, head_size] turned and scaled
  _Alignas(64) float weights[TASK_ROWS][KEY_BLOCK];      // scores, then weights of a block's keys
  float shrink[TASK_ROWS];                               // by which a block's larger score shrinks what was summed before
  Sums sums[TASK_ROWS];                                  // of a span
  _Alignas(64) float wide[KEY_BLOCK * MOST_HEAD_SIZE];   // a block's keys, then its values, where they are kept as something else
} Task;

// Bytes of the next block come into the first cache where two blocks fit there, else into the second: this block's would have to go.
INLINE void bring_nearer(const uint8_t* at, int64_t width) {
  if (width == 1) __builtin_prefetch(at, 0, 3);
  else __builtin_prefetch(at, 0, 2);
}

// Scores of `rows` queries and the block's keys from `first` on, a tile of them. The next block's keys come nearer meanwhile.
TARGET INLINE void score_tile(int rows, int vectors, Task* task, int64_t row, int64_t first, const float* keys, const uint8_t* next,
                              const AttentionForm* form) {
  const int64_t head_size = form->head_size, width = value_bytes(form);
  Floats sum[MOST_TILE_ROWS][TILE_VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) sum[r][v] = all_floats(0.0f);
  const float* at = keys + first * head_size;
  const uint8_t* ahead = next + first * head_size * width;
  for (int64_t d = 0; d < head_size; d++) {
    Floats key[TILE_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) key[v] = floats_of(at + v * LANES / CACHE_TILE * CACHE_TILE * head_size + d * CACHE_TILE + v * LANES % CACHE_TILE);
    for (int64_t byte = 0; byte < TILE_WIDTH * width; byte += 64) bring_nearer(ahead + d * TILE_WIDTH * width + byte, width);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      const Floats query = all_floats(task->query[(row + r) * head_size + d]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] = times_and_add(query, key[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) put_floats(task->weights[row + r] + first + v * LANES, sum[r][v]);
}

// Adds `keys` values, times the rows' weights, to a tile of the outputs' columns. The next block's values come nearer meanwhile.
TARGET INLINE void weigh_tile(int rows, int vectors, Task* task, int64_t row, int64_t column, const float* values, int64_t keys,
                              const uint8_t* next, const AttentionForm* form) {
  const int64_t head_size = form->head_size, width = value_bytes(form);
  Floats sum[MOST_TILE_ROWS][TILE_VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[r][v] = floats_of(task->sums[row + r].output + column + v * LANES) * all_floats(task->shrink[row + r]);
  for (int64_t key = 0; key < keys; key++) {
    const float* at = values + key * head_size + column;
    const uint8_t* ahead = next + (key * head_size + column) * width;
    Floats value[TILE_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) value[v] = floats_of(at + v * LANES);
    for (int64_t byte = 0; byte < vectors * LANES * width; byte += 64) bring_nearer(ahead + byte, width);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      const Floats weight = all_floats(task->weights[row + r][key]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] = times_and_add(weight, value[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) put_floats(task->sums[row + r].output + column + v * LANES, sum[r][v]);
}

// The compiler makes one function for each shape of a tile.
typedef void ScoreTile(Task*, int64_t, int64_t, const float*, const uint8_t*, const AttentionForm*);
typedef void WeighTile(Task*, int64_t, int64_t, const float*, int64_t, const uint8_t*, const AttentionForm*);
#define TILE_SHAPE(rows, vectors)                                                                                          \
  TARGET static void score_##rows##vectors(Task* task, int64_t row, int64_t first, const float* keys, const uint8_t* next, \
                                           const AttentionForm* form) {                                                    \
    score_tile(rows, vectors < TILE_VECTORS ? vectors : TILE_VECTORS, task, row, first, keys, next, form);                 \
  }                                                                                                                        \
  TARGET static void weigh_##rows##vectors(Task* task, int64_t row, int64_t column, const float* values, int64_t keys,     \
                                           const uint8_t* next, const AttentionForm* form) {                               \
    weigh_tile(rows, vectors < TILE_VECTORS ? vectors : TILE_VECTORS, task, row, column, values, keys, next, form);        \
  }
#define TILES(rows) TILE_SHAPE(rows, 1) TILE_SHAPE(rows, 2) TILE_SHAPE(rows, 3) TILE_SHAPE(rows, 4)
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#define SHAPES(name, rows) {name##_##rows##1, name##_##rows##2, name##_##rows##3, name##_##rows##4}
#define ALL_SHAPES(name) {SHAPES(name, 1), SHAPES(name, 2), SHAPES(name, 3), SHAPES(name, 4), SHAPES(name, 5), SHAPES(name, 6)}
static ScoreTile* const score_tiles[MOST_TILE_ROWS][4] = ALL_SHAPES(score);
static WeighTile* const weigh_tiles[MOST_TILE_ROWS][4] = ALL_SHAPES(weigh);

// From a row's scores of a block's first `keys` keys to weights; keys that the row does not see weigh nothing.
TARGET INLINE void weigh_scores(const AttentionForm* form, Task* task, int64_t row, int64_t begin, int64_t keys) {
  float* scores = task->weights[row];
  const int64_t first = larger(0, task->first[row] - begin), end = smaller(KEY_BLOCK, task->end[row] - begin);
  const int64_t all = (keys + SUM_LANES - 1) / SUM_LANES * SUM_LANES;
  for (int64_t key = 0; form->softcap != 0.0f && key < all; key += LANES)
    put_floats(scores + key, capped(floats_of(scores + key), form->softcap));
  for (int64_t key = 0; key < smaller(first, all); key++) scores[key] = -__builtin_inff();
  for (int64_t key = end; key < all; key++) scores[key] = -__builtin_inff();
  Sums* sums = &task->sums[row];
  Floats largest = all_floats(sums->largest);
  for (int64_t key = 0; key < all; key += LANES) {
    const Floats score = floats_of(scores + key);
    largest = where((Words)(score > largest), score, largest);
  }
  const float most = most_of(largest);
  const Floats shrink = exponential(all_floats(sums->largest - most));
  for (int lane = 0; lane < SUM_LANES; lane += LANES) {
    Floats sum = floats_of(sums->sum + lane) * shrink;
    for (int64_t key = lane; key < all; key += SUM_LANES) {
      const Floats weight = exponential(floats_of(scores + key) - all_floats(most));
      put_floats(scores + key, weight);
      sum = sum + weight;
    }
    put_floats(sums->sum + lane, sum);
  }
  sums->largest = most;
  task->shrink[row] = shrink[0];
}

static void rows_of_task(const AttentionForm* form, const AttentionRun* run, int64_t number, Task* task) {
  const int64_t group = form->heads / form->kv_heads, tasks = tasks_of_head(form, run);
  task->kv_head = number / tasks % form->kv_heads;
  task->sequence = number / tasks / form->kv_heads;
  task->first_row = number % tasks * TASK_ROWS;
  task->rows = smaller(TASK_ROWS, rows_of_head(form, run) - task->first_row);
  task->past = run->past[task->sequence];
  for (int64_t r = 0; r < task->rows; r++) {
    task->end[r] = task->past + (task->first_row + r) / group + 1;
    task->first[r] = form->window == 0 ? 0 : larger(0, task->end[r] - form->window);
  }
  // Rows are in the order of their tokens.
  task->first_key = task->first[0];
  task->end_key = task->end[task->rows - 1];
}

TARGET static void turn_queries(const AttentionForm* form, const AttentionRun* run, Task* task) {
  const int64_t group = form->heads / form->kv_heads, head_size = form->head_size;
  for (int64_t r = 0; r < task->rows; r++) {
    const int64_t token = (task->first_row + r) / group, head = task->kv_head * group + (task->first_row + r) % group;
    float* query = task->query + r * head_size;
    turn(form, run, run->query + (task->sequence * run->tokens + token) * run->query_stride + head * head_size, task->past + token, query);
    for (int64_t d = 0; d < head_size; d += LANES) put_floats(query + d, floats_of(query + d) * all_floats(form->scale));
  }
}

INLINE void empty(const AttentionForm* form, Sums* sums) {
  memset(sums->output, 0, (size_t)form->head_size * sizeof(float));
  memset(sums->sum, 0, sizeof sums->sum);
  sums->largest = LEAST;
}

// The sums of the task's rows over the keys of one span.
TARGET static void sum_up_span(const AttentionForm* form, const AttentionRun* run, int64_t span, Task* task) {
  const int64_t head_size = form->head_size, bytes = cached_bytes(form), head = task->sequence * form->kv_heads + task->kv_head;
  const int64_t first_key = larger(span * SPAN, task->first_key / KEY_BLOCK * KEY_BLOCK), end = smaller((span + 1) * SPAN, task->end_key);
  for (int64_t r = 0; r < task->rows; r++) empty(form, &task->sums[r]);
  for (int64_t begin = first_key; begin < end; begin += KEY_BLOCK) {
    const int64_t keys = smaller(KEY_BLOCK, end - begin), cache_tiles = (keys + CACHE_TILE - 1) / CACHE_TILE;
    const uint8_t* kept_keys = run->keys + (head * run->capacity + begin) * bytes;
    const uint8_t* kept_values = run->values + (head * run->capacity + begin) * bytes;
    // The first rows may see nothing of this block.
    int64_t from = 0;
    while (task->end[from] <= begin) from++;
    const int64_t tiles = (task->rows - from + MOST_TILE_ROWS - 1) / MOST_TILE_ROWS;
    const float* wide = widened(form, kept_keys, cache_tiles, 1, task->wide);
    for (int64_t tile = 0, row = from; tile < tiles; tile++) {
      const int64_t count = (task->rows - row + tiles - tile - 1) / (tiles - tile);
      const int64_t seen = smaller(keys, task->end[row + count - 1] - begin);
      for (int64_t first = 0; first < seen; first += TILE_WIDTH)
        score_tiles[count - 1][smaller(TILE_VECTORS, (seen - first + LANES - 1) / LANES) - 1](task, row, first, wide, kept_keys + KEY_BLOCK * bytes, form);
      for (int64_t r = row; r < row + count; r++) weigh_scores(form, task, r, begin, seen);
      row += count;
    }
    wide = widened(form, kept_values, cache_tiles, 0, task->wide);
    for (int64_t tile = 0, row = from; tile < tiles; tile++) {
      const int64_t count = (task->rows - row + tiles - tile - 1) / (tiles - tile);
      const int64_t seen = smaller(keys, task->end[row + count - 1] - begin);
      for (int64_t column = 0; column < head_size; column += TILE_WIDTH)
        weigh_tiles[count - 1][smaller(TILE_VECTORS, (head_size - column) / LANES) - 1](task, row, column, wide, seen, kept_values + KEY_BLOCK * bytes, form);
      row += count;
    }
  }
}

// Before any span.
TARGET INLINE void begin_total(const AttentionForm* form, const AttentionRun* run, const Task* task, int64_t row, Sums* total) {
  empty(form, total);
  if (run->sinks == NULL) return;
  const int64_t group = form->heads / form->kv_heads;
  total->largest = run->sinks[task->kv_head * group + (task->first_row + row) % group];
  total->sum[0] = 1.0f;
}

TARGET INLINE void add_span(const AttentionForm* form, const float* output, const float* sum, float largest, Sums* total) {
  const float most = larger_of(largest, total->largest);
  const Floats before = exponential(all_floats(total->largest - most)), now = exponential(all_floats(largest - most));
  for (int lane = 0; lane < SUM_LANES; lane += LANES)
    put_floats(total->sum + lane, times_and_add(floats_of(sum + lane), now, floats_of(total->sum + lane) * before));
  for (int64_t d = 0; d < form->head_size; d += LANES)
    put_floats(total->output + d, times_and_add(floats_of(output + d), now, floats_of(total->output + d) * before));
  total->largest = most;
}

TARGET INLINE void write_output(const AttentionForm* form, const AttentionRun* run, const Task* task, int64_t row, Sums* total) {
  const int64_t group = form->heads / form->kv_heads;
  const int64_t token = (task->first_row + row) / group, head = task->kv_head * group + (task->first_row + row) % group;
  float* output = run->output + ((task->sequence * run->tokens + token) * form->heads + head) * form->head_size;
  float* sum = total->sum;
  for (int width = SUM_LANES / 2; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) sum[lane] += sum[lane + width];
  for (int64_t d = 0; d < form->head_size; d += LANES) put_floats(output + d, floats_of(total->output + d) / all_floats(sum[0]));
}

TARGET static void attend(const AttentionForm* form, const AttentionRun* run, int64_t number) {
  Task task;
  Sums totals[TASK_ROWS];
  rows_of_task(form, run, number, &task);
  turn_queries(form, run, &task);
  for (int64_t r = 0; r < task.rows; r++) begin_total(form, run, &task, r, &totals[r]);
  for (int64_t span = task.first_key / SPAN; span * SPAN < task.end_key; span++) {
    sum_up_span(form, run, span, &task);
    for (int64_t r = 0; r < task.rows; r++) add_span(form, task.sums[r].output, task.sums[r].sum, task.sums[r].largest, &totals[r]);
  }
  for (int64_t r = 0; r < task.rows; r++) write_output(form, run, &task, r, &totals[r]);
}

// A row of what a span leaves behind: its output, its sums of weights, its largest score.
INLINE int64_t span_row(const AttentionForm* form, int64_t row) { return row * (form->head_size + SUM_LANES + 1); }

TARGET static void attend_span(const AttentionForm* form, const AttentionRun* run, int64_t number, int64_t span, float* to) {
  Task task;
  rows_of_task(form, run, number, &task);
  if (span < task.first_key / SPAN || span * SPAN >= task.end_key) return;
  turn_queries(form, run, &task);
  sum_up_span(form, run, span, &task);
  for (int64_t r = 0; r < task.rows; r++) {
    float* row = to + span_row(form, r);
    memcpy(row, task.sums[r].output, (size_t)form->head_size * sizeof(float));
    memcpy(row + form->head_size, task.sums[r].sum, sizeof task.sums[r].sum);
    row[form->head_size + SUM_LANES] = task.sums[r].largest;
  }
}

TARGET static void join_spans(const AttentionForm* form, const AttentionRun* run, int64_t number, const float* spans) {
  Task task;
  rows_of_task(form, run, number, &task);
  for (int64_t r = 0; r < task.rows; r++) {
    Sums total;
    begin_total(form, run, &task, r, &total);
    for (int64_t span = task.first_key / SPAN; span * SPAN < task.end_key; span++) {
      const float* row = spans + span * span_floats(form, run) + span_row(form, r);
      add_span(form, row, row + form->head_size, row[form->head_size + SUM_LANES], &total);
    }
    write_output(form, run, &task, r, &total);
  }
}
