// Attention out of the operations of one set of instructions. The file that includes this defines before:
//   TARGET, INLINE  attributes of functions that use these instructions
//   Floats          LANES float32, with all_floats, floats_of, put_floats and times_and_add
//   TILE_VECTORS    vectors of keys, or of a head's values, whose sums for six queries fit into registers
#include <float.h>
#include <string.h>

#include "attention.h"

enum { MOST_TILE_ROWS = 6, SUM_LANES = 16, TILE_WIDTH = TILE_VECTORS * LANES };

// What compares and shifts. A comparison gives all ones where it is true.
typedef int32_t Words __attribute__((vector_size(LANES * 4)));
typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourWords __attribute__((vector_size(16)));
typedef float LooseFour __attribute__((vector_size(16), aligned(4)));

// Before any score was seen: less than all scores, and no infinity, whose distance to itself is no number.
#define LEAST (-FLT_MAX)

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
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

TARGET static void append_to_cache(const AttentionForm* form, const AttentionRun* run, int64_t token) {
  const int64_t sequence = token / run->tokens;
  const int64_t position = run->past[sequence] + token % run->tokens;
  for (int64_t head = 0; head < form->kv_heads; head++) {
    const int64_t from = token * run->kv_stride + head * form->head_size;
    const int64_t to = ((sequence * form->kv_heads + head) * run->capacity + position) * form->head_size;
    turn(form, run, run->key + from, position, run->keys + to);
    memcpy(run->values + to, run->value + from, (size_t)form->head_size * sizeof(float));
  }
}

// `count` keys of head_size values into [head_size, KEY_BLOCK], with zeros up to a multiple of four.
TARGET INLINE void transpose(const float* keys, int64_t count, int64_t head_size, float* to) {
  for (int64_t key = 0; key < count; key += 4)
    for (int64_t d = 0; d < head_size; d += 4) {
      Four rows[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) rows[i] = key + i < count ? (Four) * (const LooseFour*)(keys + (key + i) * head_size + d) : (Four){0};
      const Four a = __builtin_shuffle(rows[0], rows[1], (FourWords){0, 4, 1, 5});
      const Four b = __builtin_shuffle(rows[0], rows[1], (FourWords){2, 6, 3, 7});
      const Four c = __builtin_shuffle(rows[2], rows[3], (FourWords){0, 4, 1, 5});
      const Four e = __builtin_shuffle(rows[2], rows[3], (FourWords){2, 6, 3, 7});
      *(Four*)(to + d * KEY_BLOCK + key) = __builtin_shuffle(a, c, (FourWords){0, 1, 4, 5});
      *(Four*)(to + (d + 1) * KEY_BLOCK + key) = __builtin_shuffle(a, c, (FourWords){2, 3, 6, 7});
      *(Four*)(to + (d + 2) * KEY_BLOCK + key) = __builtin_shuffle(b, e, (FourWords){0, 1, 4, 5});
      *(Four*)(to + (d + 3) * KEY_BLOCK + key) = __builtin_shuffle(b, e, (FourWords){2, 3, 6, 7});
    }
}

// What a task knows of its rows.
typedef struct {
  _Alignas(64) float query[TASK_ROWS * MOST_HEAD_SIZE];   // [rows, head_size] turned and scaled
  _Alignas(64) float output[TASK_ROWS * MOST_HEAD_SIZE];  // [rows, head_size] Σ weight × value, of weights whose largest is 1
  _Alignas(64) float weights[TASK_ROWS][KEY_BLOCK];       // scores, then weights of a block's keys
  _Alignas(64) float sum[TASK_ROWS][SUM_LANES];           // of weights, by key mod SUM_LANES
  float largest[TASK_ROWS];                               // score so far
  float shrink[TASK_ROWS];                                // by which a block's larger score shrinks what was summed before
  int64_t first[TASK_ROWS], end[TASK_ROWS];               // keys that each sees
  _Alignas(64) float keys[MOST_HEAD_SIZE * KEY_BLOCK];    // [head_size, KEY_BLOCK]
} Task;

// Scores of `rows` queries and the block's keys from `first` on, a tile of them. The next block's keys come into the caches meanwhile.
TARGET INLINE void score_tile(int rows, int vectors, Task* task, int64_t row, int64_t first, const float* next, int64_t head_size) {
  Floats sum[MOST_TILE_ROWS][TILE_VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) sum[r][v] = all_floats(0.0f);
  for (int64_t d = 0; d < head_size; d++) {
    Floats keys[TILE_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) keys[v] = floats_of(task->keys + d * KEY_BLOCK + first + v * LANES);
    for (int at = 0; at < TILE_WIDTH; at += 16) __builtin_prefetch(next + first * head_size + d * TILE_WIDTH + at);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      const Floats query = all_floats(task->query[(row + r) * head_size + d]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] = times_and_add(query, keys[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) put_floats(task->weights[row + r] + first + v * LANES, sum[r][v]);
}

// Adds `keys` values, times the rows' weights, to a tile of the outputs' columns. The next block's values come into the caches meanwhile.
TARGET INLINE void weigh_tile(int rows, int vectors, Task* task, int64_t row, int64_t column, const float* values, int64_t keys,
                              int64_t head_size) {
  Floats sum[MOST_TILE_ROWS][TILE_VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[r][v] = floats_of(task->output + (row + r) * head_size + column + v * LANES) * all_floats(task->shrink[row + r]);
  for (int64_t key = 0; key < keys; key++) {
    const float* at = values + key * head_size + column;
    Floats value[TILE_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) value[v] = floats_of(at + v * LANES);
    for (int v = 0; v < vectors * LANES; v += 16) __builtin_prefetch(at + KEY_BLOCK * head_size + v);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      const Floats weight = all_floats(task->weights[row + r][key]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] = times_and_add(weight, value[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) put_floats(task->output + (row + r) * head_size + column + v * LANES, sum[r][v]);
}

// The compiler makes one function for each shape of a tile.
typedef void ScoreTile(Task*, int64_t, int64_t, const float*, int64_t);
typedef void WeighTile(Task*, int64_t, int64_t, const float*, int64_t, int64_t);
#define TILE_SHAPE(rows, vectors)                                                                                           \
  TARGET static void score_##rows##vectors(Task* task, int64_t row, int64_t first, const float* next, int64_t head_size) {  \
    score_tile(rows, vectors < TILE_VECTORS ? vectors : TILE_VECTORS, task, row, first, next, head_size);                   \
  }                                                                                                                         \
  TARGET static void weigh_##rows##vectors(Task* task, int64_t row, int64_t column, const float* values, int64_t keys,      \
                                           int64_t head_size) {                                                             \
    weigh_tile(rows, vectors < TILE_VECTORS ? vectors : TILE_VECTORS, task, row, column, values, keys, head_size);          \
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
  Floats largest = all_floats(task->largest[row]);
  for (int64_t key = 0; key < all; key += LANES) {
    const Floats score = floats_of(scores + key);
    largest = where((Words)(score > largest), score, largest);
  }
  float most = task->largest[row];
  for (int i = 0; i < LANES; i++) most = largest[i] > most ? largest[i] : most;
  const Floats shrink = exponential(all_floats(task->largest[row] - most));
  for (int lane = 0; lane < SUM_LANES; lane += LANES) {
    Floats sum = floats_of(task->sum[row] + lane) * shrink;
    for (int64_t key = lane; key < all; key += SUM_LANES) {
      const Floats weight = exponential(floats_of(scores + key) - all_floats(most));
      put_floats(scores + key, weight);
      sum = sum + weight;
    }
    put_floats(task->sum[row] + lane, sum);
  }
  task->largest[row] = most;
  task->shrink[row] = shrink[0];
}

TARGET static void attend(const AttentionForm* form, const AttentionRun* run, int64_t number) {
  Task task;
  const int64_t group = form->heads / form->kv_heads, head_size = form->head_size, tasks = tasks_of_head(form, run);
  const int64_t kv_head = number / tasks % form->kv_heads, sequence = number / tasks / form->kv_heads;
  const int64_t first_row = number % tasks * TASK_ROWS, rows = smaller(TASK_ROWS, rows_of_head(form, run) - first_row);
  const int64_t past = run->past[sequence];
  int64_t first_key = INT64_MAX, end = 0;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t token = (first_row + r) / group, head = kv_head * group + (first_row + r) % group;
    float* query = task.query + r * head_size;
    turn(form, run, run->query + (sequence * run->tokens + token) * run->query_stride + head * head_size, past + token, query);
    for (int64_t d = 0; d < head_size; d += LANES) put_floats(query + d, floats_of(query + d) * all_floats(form->scale));
    memset(task.output + r * head_size, 0, (size_t)head_size * sizeof(float));
    memset(task.sum[r], 0, sizeof task.sum[r]);
    task.largest[r] = LEAST;
    if (run->sinks != NULL) {
      task.largest[r] = run->sinks[head];
      task.sum[r][0] = 1.0f;
    }
    task.end[r] = past + token + 1;
    task.first[r] = form->window == 0 ? 0 : larger(0, task.end[r] - form->window);
    first_key = smaller(first_key, task.first[r]);
    end = larger(end, task.end[r]);
  }

  const int64_t head_at = (sequence * form->kv_heads + kv_head) * run->capacity * head_size;
  for (int64_t begin = first_key / KEY_BLOCK * KEY_BLOCK; begin < end; begin += KEY_BLOCK) {
    const int64_t keys = smaller(KEY_BLOCK, end - begin);
    const float* keys_at = run->keys + head_at + begin * head_size;
    const float* values_at = run->values + head_at + begin * head_size;
    transpose(keys_at, keys, head_size, task.keys);
    // Rows are in the order of their tokens: the first ones may see nothing of this block.
    int64_t from = 0;
    while (task.end[from] <= begin) from++;
    const int64_t tiles = (rows - from + MOST_TILE_ROWS - 1) / MOST_TILE_ROWS;
    for (int64_t tile = 0, row = from; tile < tiles; tile++) {
      const int64_t count = (rows - row + tiles - tile - 1) / (tiles - tile);
      const int64_t seen = smaller(keys, task.end[row + count - 1] - begin);
      for (int64_t first = 0; first < seen; first += TILE_WIDTH)
        score_tiles[count - 1][smaller(TILE_VECTORS, (seen - first + LANES - 1) / LANES) - 1](&task, row, first, keys_at + KEY_BLOCK * head_size, head_size);
      for (int64_t r = row; r < row + count; r++) weigh_scores(form, &task, r, begin, seen);
      for (int64_t column = 0; column < head_size; column += TILE_WIDTH)
        weigh_tiles[count - 1][smaller(TILE_VECTORS, (head_size - column) / LANES) - 1](&task, row, column, values_at, seen, head_size);
      row += count;
    }
  }

  for (int64_t r = 0; r < rows; r++) {
    const int64_t token = (first_row + r) / group, head = kv_head * group + (first_row + r) % group;
    float* output = run->output + ((sequence * run->tokens + token) * form->heads + head) * head_size;
    float* sum = task.sum[r];
    for (int width = SUM_LANES / 2; width > 0; width /= 2)
      for (int lane = 0; lane < width; lane++) sum[lane] += sum[lane + width];
    for (int64_t d = 0; d < head_size; d += LANES) put_floats(output + d, floats_of(task.output + r * head_size + d) / all_floats(sum[0]));
  }
}
