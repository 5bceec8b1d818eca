// millrace.Attention: what GroupQueryAttention computes, over a cache in place, whose tiles attention.h tells. Inputs: query [batch, tokens,
// heads × head_size], or all of query, key and value in one [batch, tokens, (heads + 2 × kv_heads) × head_size]; past keys and values [batch, kv_heads,
// capacity, head_size], for AttentionInt8 [batch, kv_heads, capacity, head_size + 4] bytes; capacities are multiples of 16; the last
// position of each sequence [batch]; the longest sequence's length (one number); then those that there are: key and value, tables of cosines and sines
// [positions, turned ÷ 2], sinks [heads]. Outputs: [batch, tokens, heads × head_size], present keys and values.
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "operators.h"
#include "scratch.h"

typedef struct {
  OrtApi api;
  AttentionForm form;
  // Inputs that there are.
  int separate;
  int rotary;
  int sinks;
} Kernel;

typedef struct {
  const AttentionForm* form;
  AttentionRun run;
  // Pieces of work that append a sequence's tokens: each those of one tile, so that no two write to the same line.
  int64_t pieces;
  int64_t spans;
  float* span_sums;  // [tasks, spans, span_floats], or NULL where tasks are not cut
} Work;

// So many pieces keep the cores of most machines busy; each span of a task costs turning its queries once more, and joining.
enum { ENOUGH_TASKS = 32 };

enum { QUERY, PAST_KEYS, PAST_VALUES, LAST_POSITIONS, LONGEST, KEY, VALUE, COSINES, SINES, SINKS, INPUTS };
enum { MOST_DIMENSIONS = 4 };

typedef struct {
  int64_t shape[MOST_DIMENSIONS];
  void* data;
} Tensor;

static CacheType cache_of(const OrtCustomOp* op) { return (CacheType)(op - attention_operators); }

static OrtStatus* invalid(OrtApi api, const char* message) { return create_status(api)(INVALID_ARGUMENT, message); }

// Numbers of sequences may have any dimensions.
static OrtStatus* read_numbers(OrtApi api, const OrtKernelContext* context, size_t index, int64_t count, const int32_t** to) {
  const OrtValue* value = NULL;
  OrtTensorInfo* info = NULL;
  size_t held = 0;
  OrtStatus* failed = kernel_input(api)(context, index, &value);
  if (failed == NULL) failed = tensor_info(api)(value, &info);
  if (failed != NULL) return failed;
  failed = element_count(api)(info, &held);
  release_tensor_info(api)(info);
  if (failed == NULL && held < (size_t)count) failed = invalid(api, "millrace.Attention: there are fewer lengths than sequences");
  return failed != NULL ? failed : tensor_data(api)((OrtValue*)value, (void**)to);
}

static OrtStatus* read_input(OrtApi api, const OrtKernelContext* context, size_t index, size_t rank, Tensor* to) {
  const OrtValue* value = NULL;
  OrtTensorInfo* info = NULL;
  OrtStatus* failed = kernel_input(api)(context, index, &value);
  if (failed == NULL) failed = tensor_info(api)(value, &info);
  if (failed != NULL) return failed;
  size_t held = 0;
  failed = dimension_count(api)(info, &held);
  if (failed == NULL && held != rank) failed = invalid(api, "millrace.Attention: an input has another number of dimensions");
  if (failed == NULL) failed = dimensions(api)(info, to->shape, rank);
  release_tensor_info(api)(info);
  return failed != NULL ? failed : tensor_data(api)((OrtValue*)value, &to->data);
}

static OrtStatus* make_output(OrtApi api, OrtKernelContext* context, size_t index, const int64_t* shape, size_t rank, void** data) {
  OrtValue* value = NULL;
  OrtStatus* failed = kernel_output(api)(context, index, shape, rank, &value);
  return failed != NULL ? failed : tensor_data(api)(value, data);
}

// A cache that is not updated in place begins as the past is, in whole tiles.
static void copy_past(const AttentionForm* form, const AttentionRun* run, const uint8_t* from, int64_t past_capacity, uint8_t* to) {
  const int64_t bytes = cached_bytes(form);
  for (int64_t at = 0; at < run->batch * form->kv_heads; at++) {
    const int64_t tiles = (run->past[at / form->kv_heads] + CACHE_TILE - 1) / CACHE_TILE;
    memcpy(to + at * run->capacity * bytes, from + at * past_capacity * bytes, (size_t)(tiles * CACHE_TILE * bytes));
  }
}

static void append_some(void* argument, size_t piece) {
  const Work* work = argument;
  const int64_t sequence = (int64_t)piece / work->pieces, tile = (int64_t)piece % work->pieces;
  const int64_t past = work->run.past[sequence], begin = (past / CACHE_TILE + tile) * CACHE_TILE - past, end = begin + CACHE_TILE;
  for (int64_t token = begin < 0 ? 0 : begin; token < end && token < work->run.tokens; token++)
    kernels_here()->append_to_cache(work->form, &work->run, sequence * work->run.tokens + token);
}

static void attend_one(void* argument, size_t task) {
  const Work* work = argument;
  kernels_here()->attend(work->form, &work->run, (int64_t)task);
}

static void attend_one_span(void* argument, size_t number) {
  const Work* work = argument;
  float* to = work->span_sums + (int64_t)number * span_floats(work->form, &work->run);
  kernels_here()->attend_span(work->form, &work->run, (int64_t)number / work->spans, (int64_t)number % work->spans, to);
}

static void join_one(void* argument, size_t task) {
  const Work* work = argument;
  const float* from = work->span_sums + (int64_t)task * work->spans * span_floats(work->form, &work->run);
  kernels_here()->join_spans(work->form, &work->run, (int64_t)task, from);
}

static OrtStatus* attend_all(OrtApi api, const OrtKernelContext* context, Work* work) {
  const int64_t tasks = attention_tasks(work->form, &work->run), spans = attention_spans(&work->run);
  if (tasks >= ENOUGH_TASKS || spans == 1) return parallel_for(api)(context, attend_one, (size_t)tasks, 0, work);
  work->spans = spans;
  work->span_sums = (float*)take_memory((size_t)(tasks * spans * span_floats(work->form, &work->run)) * sizeof(float));
  if (work->span_sums == NULL) return invalid(api, "millrace.Attention: no memory for the sums of spans");
  OrtStatus* failed = parallel_for(api)(context, attend_one_span, (size_t)(tasks * spans), 0, work);
  if (failed == NULL) failed = parallel_for(api)(context, join_one, (size_t)tasks, 0, work);
  give_back_memory((uint8_t*)work->span_sums);
  return failed;
}

static OrtStatus* compute(void* argument, OrtKernelContext* context) {
  const Kernel* kernel = argument;
  const AttentionForm* form = &kernel->form;
  OrtApi api = kernel->api;
  Tensor in[INPUTS] = {0};
  const struct {
    size_t index, rank;
    int is_there;
  } tensors[] = {{QUERY, 3, 1},
                 {PAST_KEYS, 4, 1},
                 {PAST_VALUES, 4, 1},
                 {KEY, 3, kernel->separate},
                 {VALUE, 3, kernel->separate},
                 {COSINES, 2, kernel->rotary},
                 {SINES, 2, kernel->rotary},
                 {SINKS, 1, kernel->sinks}};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
    const size_t index = tensors[i].index;
    OrtStatus* failed = tensors[i].is_there ? read_input(api, context, index, tensors[i].rank, &in[index]) : NULL;
    if (failed != NULL) return failed;
  }
  const int64_t cached = form->cache == INT8_CACHE ? cached_bytes(form) : form->head_size;
  for (size_t index = PAST_KEYS; index <= PAST_VALUES; index++)
    if (in[index].shape[2] % CACHE_TILE != 0 || in[index].shape[3] != cached)
      return invalid(api, "millrace.Attention: a cache is not made of whole tiles, or of other heads");
  const int64_t batch = in[QUERY].shape[0], tokens = in[QUERY].shape[1], past_capacity = in[PAST_KEYS].shape[2];
  const int32_t *last_positions = NULL, *longest_length = NULL;
  OrtStatus* failed = read_numbers(api, context, LAST_POSITIONS, batch, &last_positions);
  if (failed == NULL) failed = read_numbers(api, context, LONGEST, 1, &longest_length);
  if (failed != NULL) return failed;
  const int64_t longest = *longest_length;
  const int64_t own = form->heads * form->head_size, kv = form->kv_heads * form->head_size;
  if (in[QUERY].shape[2] != (kernel->separate ? own : own + 2 * kv) || (kernel->separate && in[KEY].shape[2] != kv) ||
      2 * in[COSINES].shape[1] > form->head_size)
    return invalid(api, "millrace.Attention: queries, keys or rotary tables have another last dimension than the heads have values");
  const int64_t needed = (longest + CACHE_TILE - 1) / CACHE_TILE * CACHE_TILE;
  Work work = {.form = form,
               .run = {.batch = batch, .tokens = tokens, .capacity = needed > past_capacity ? needed : past_capacity},
               .pieces = (tokens + 2 * CACHE_TILE - 2) / CACHE_TILE};
  AttentionRun* run = &work.run;
  const float* query = in[QUERY].data;
  run->query = query;
  run->query_stride = in[QUERY].shape[2];
  run->key = kernel->separate ? in[KEY].data : query + own;
  run->value = kernel->separate ? in[VALUE].data : query + own + kv;
  run->kv_stride = kernel->separate ? kv : run->query_stride;
  run->turned = 2 * in[COSINES].shape[1];
  run->cosines = in[COSINES].data;
  run->sines = in[SINES].data;
  run->sinks = in[SINKS].data;

  const int64_t output_shape[] = {batch, tokens, own};
  const int64_t cache_shape[] = {batch, form->kv_heads, run->capacity, cached};
  failed = make_output(api, context, 0, output_shape, 3, (void**)&run->output);
  if (failed == NULL) failed = make_output(api, context, 1, cache_shape, 4, (void**)&run->keys);
  if (failed == NULL) failed = make_output(api, context, 2, cache_shape, 4, (void**)&run->values);
  if (failed != NULL || batch * tokens == 0) return failed;

  int64_t* past = (int64_t*)take_memory((size_t)batch * sizeof(int64_t));
  if (past == NULL) return invalid(api, "millrace.Attention: no memory for the lengths");
  run->past = past;
  for (int64_t sequence = 0; sequence < batch && failed == NULL; sequence++) {
    // Sequences of a first run may be padded behind their end.
    past[sequence] = tokens == longest ? 0 : last_positions[sequence] + 1 - tokens;
    if (past[sequence] < 0 || past[sequence] + tokens > run->capacity)
      failed = invalid(api, "millrace.Attention: a sequence is shorter than its new tokens, or longer than its cache");
    if (kernel->rotary && past[sequence] + tokens > in[COSINES].shape[0])
      failed = invalid(api, "millrace.Attention: a sequence has more positions than the rotary tables");
  }
  if (failed == NULL && in[PAST_KEYS].data != run->keys) {
    copy_past(form, run, in[PAST_KEYS].data, past_capacity, run->keys);
    copy_past(form, run, in[PAST_VALUES].data, past_capacity, run->values);
  }
  // A few tokens take less than sharing them out.
  if (failed == NULL && batch * tokens < 64)
    for (int64_t piece = 0; piece < batch * work.pieces; piece++) append_some(&work, (size_t)piece);
  else if (failed == NULL)
    failed = parallel_for(api)(context, append_some, (size_t)(batch * work.pieces), 0, &work);
  if (failed == NULL) failed = attend_all(api, context, &work);
  give_back_memory((uint8_t*)past);
  return failed;
}

static OrtStatus* create_kernel(const OrtCustomOp* op, OrtApi api, const OrtKernelInfo* info, void** out) {
  Kernel kernel = {.api = api, .form.cache = cache_of(op)};
  int64_t separate = 0, rotary = 0, sinks = 0;
  const struct {
    const char* name;
    int64_t* value;
  } attributes[] = {{"heads", &kernel.form.heads},         {"kv_heads", &kernel.form.kv_heads}, {"head_size", &kernel.form.head_size},
                    {"window", &kernel.form.window},       {"separate", &separate},             {"rotary", &rotary},
                    {"sinks", &sinks}};
  OrtStatus* failed = NULL;
  for (size_t i = 0; failed == NULL && i < sizeof attributes / sizeof *attributes; i++)
    failed = int_attribute(api)(info, attributes[i].name, attributes[i].value);
  if (failed == NULL) failed = float_attribute(api)(info, "scale", &kernel.form.scale);
  if (failed == NULL) failed = float_attribute(api)(info, "softcap", &kernel.form.softcap);
  if (failed != NULL) return failed;
  kernel.separate = (int)separate;
  kernel.rotary = (int)rotary;
  kernel.sinks = (int)sinks;
  Kernel* kept = malloc(sizeof kernel);
  if (kept == NULL) return invalid(api, "millrace.Attention: no memory for the kernel");
  *kept = kernel;
  *out = kept;
  return NULL;
}

static void destroy_kernel(void* kernel) { free(kernel); }

static const char* name_float32(const OrtCustomOp* op) { return (void)op, "Attention"; }
static const char* name_float16(const OrtCustomOp* op) { return (void)op, "AttentionFloat16"; }
static const char* name_int8(const OrtCustomOp* op) { return (void)op, "AttentionInt8"; }
static const char* provider(const OrtCustomOp* op) { return (void)op, "CPUExecutionProvider"; }
static size_t input_count(const OrtCustomOp* op) { return (void)op, INPUTS; }
static size_t output_count(const OrtCustomOp* op) { return (void)op, 3; }
static int cache_type(const OrtCustomOp* op) {
  static const int types[] = {[FLOAT32_CACHE] = FLOAT, [FLOAT16_CACHE] = FLOAT16, [INT8_CACHE] = UINT8};
  return types[cache_of(op)];
}
static int input_type(const OrtCustomOp* op, size_t index) {
  if (index == LAST_POSITIONS || index == LONGEST) return INT32;
  return index == PAST_KEYS || index == PAST_VALUES ? cache_type(op) : FLOAT;
}
static int output_type(const OrtCustomOp* op, size_t index) { return index == 0 ? FLOAT : cache_type(op); }
static int input_kind(const OrtCustomOp* op, size_t index) { return (void)op, index >= KEY; }
static int required(const OrtCustomOp* op, size_t index) { return (void)op, (void)index, 0; }
static int zero(const OrtCustomOp* op) { return (void)op, 0; }
static int first_version(const OrtCustomOp* op) { return (void)op, 1; }
static int last_version(const OrtCustomOp* op) { return (void)op, 0x7fffffff; }

#define OPERATOR(own_name)                                                                                                           \
  {                                                                                                                                  \
    .version = API_VERSION, .name = own_name, .provider = provider, .input_type = input_type, .input_count = input_count,            \
    .output_type = output_type, .output_count = output_count, .destroy = destroy_kernel, .input_kind = input_kind,                   \
    .output_kind = required, .input_memory = required, .least_inputs = zero, .equal_inputs = zero, .least_outputs = zero,            \
    .equal_outputs = zero, .create_kernel_or_fail = create_kernel, .compute_or_fail = compute, .first_version = first_version,       \
    .last_version = last_version,                                                                                                    \
  }
const OrtCustomOp attention_operators[] = {
    [FLOAT32_CACHE] = OPERATOR(name_float32),
    [FLOAT16_CACHE] = OPERATOR(name_float16),
    [INT8_CACHE] = OPERATOR(name_int8),
};
