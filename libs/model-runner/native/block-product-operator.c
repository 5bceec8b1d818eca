// millrace.BlockProduct: y [..., outputs] = x [..., inputs] × weights, as an operator of ONNX Runtime. The weights are no input: they lie packed in
// memory whose address is an attribute, so that ONNX Runtime neither copies nor packs them.
#include <stdlib.h>

#include "kernels.h"
#include "operators.h"
#include "scratch.h"

typedef struct {
  OrtApi api;
  Matrix matrix;
  const uint8_t* packed;
} Kernel;

typedef struct {
  const Kernel* kernel;
  const float* x;
  float* y;
  Rows rows;
} Run;

enum { MOST_DIMENSIONS = 8 };

static void quantize_one(void* argument, size_t row) {
  Run* run = argument;
  const int64_t inputs = run->kernel->matrix.inputs;
  kernels_here()->quantize_row(&run->rows, (int64_t)row, run->x + (int64_t)row * inputs, inputs);
}

static void multiply_one(void* argument, size_t panel) {
  Run* run = argument;
  kernels_here()->multiply_panel(&run->kernel->matrix, run->kernel->packed, &run->rows, (int64_t)panel, run->y);
}

static OrtStatus* compute(void* argument, OrtKernelContext* context) {
  Kernel* kernel = argument;
  OrtApi api = kernel->api;
  const Matrix* matrix = &kernel->matrix;
  const OrtValue* input = NULL;
  OrtValue* output = NULL;
  OrtTensorInfo* info = NULL;
  int64_t shape[MOST_DIMENSIONS];
  size_t rank = 0;
  OrtStatus* failed = kernel_input(api)(context, 0, &input);
  if (failed == NULL) failed = tensor_info(api)(input, &info);
  if (failed != NULL) return failed;
  failed = dimension_count(api)(info, &rank);
  if (failed == NULL && (rank == 0 || rank > MOST_DIMENSIONS))
    failed = create_status(api)(INVALID_ARGUMENT, "millrace.BlockProduct: x has no dimension, or more than eight");
  if (failed == NULL) failed = dimensions(api)(info, shape, rank);
  release_tensor_info(api)(info);
  if (failed != NULL) return failed;
  if (shape[rank - 1] != matrix->inputs)
    return create_status(api)(INVALID_ARGUMENT, "millrace.BlockProduct: x has another last dimension than the matrix has inputs");
  Run run = {.kernel = kernel, .rows = {.rows = 1, .blocks = blocks_of(matrix)}};
  for (size_t i = 0; i + 1 < rank; i++) run.rows.rows *= shape[i];
  shape[rank - 1] = matrix->outputs;
  failed = kernel_output(api)(context, 0, shape, rank, &output);
  if (failed == NULL) failed = tensor_data(api)((OrtValue*)input, (void**)&run.x);
  if (failed == NULL) failed = tensor_data(api)(output, (void**)&run.y);
  if (failed != NULL || run.rows.rows == 0) return failed;

  const size_t blocks = (size_t)(run.rows.rows * run.rows.blocks);
  uint8_t* memory = take_memory(blocks * (BLOCK + sizeof(float) + sizeof(int32_t)));
  if (memory == NULL) return create_status(api)(INVALID_ARGUMENT, "millrace.BlockProduct: no memory for the rows in 8 bits");
  run.rows.quanta = (int8_t*)memory;
  run.rows.scales = (float*)(memory + blocks * BLOCK);
  run.rows.sums = (int32_t*)(memory + blocks * (BLOCK + sizeof(float)));
  // A thousand inputs take a microsecond; to share them out takes some.
  if (run.rows.rows * matrix->inputs < 8 * 1024)
    for (int64_t row = 0; row < run.rows.rows; row++) quantize_one(&run, (size_t)row);
  else
    failed = parallel_for(api)(context, quantize_one, (size_t)run.rows.rows, 0, &run);
  if (failed == NULL) failed = parallel_for(api)(context, multiply_one, (size_t)panels_of(matrix), 0, &run);
  give_back_memory(memory);
  return failed;
}

static OrtStatus* create_kernel(const OrtCustomOp* op, OrtApi api, const OrtKernelInfo* info, void** out) {
  (void)op;
  int64_t address = 0, inputs = 0, outputs = 0, bits = 0, spread = 0, half_scales = 0, zero_points = 0;
  const struct {
    const char* name;
    int64_t* value;
  } attributes[] = {{"address", &address}, {"K", &inputs},           {"N", &outputs},
                    {"bits", &bits},       {"spread", &spread},      {"half_scales", &half_scales},
                    {"zero_points", &zero_points}};
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    OrtStatus* failed = int_attribute(api)(info, attributes[i].name, attributes[i].value);
    if (failed != NULL) return failed;
  }
  Kernel* kernel = calloc(1, sizeof *kernel);
  if (kernel == NULL) return create_status(api)(INVALID_ARGUMENT, "millrace.BlockProduct: no memory for the kernel");
  kernel->api = api;
  kernel->packed = (const uint8_t*)(uintptr_t)address;
  kernel->matrix = (Matrix){inputs, outputs, (int32_t)bits, (int32_t)spread, (int32_t)half_scales, (int32_t)zero_points};
  *out = kernel;
  return NULL;
}

static void destroy_kernel(void* kernel) { free(kernel); }

static const char* name(const OrtCustomOp* op) { return (void)op, "BlockProduct"; }
static const char* provider(const OrtCustomOp* op) { return (void)op, "CPUExecutionProvider"; }
static size_t one(const OrtCustomOp* op) { return (void)op, 1; }
static int float_tensor(const OrtCustomOp* op, size_t index) { return (void)op, (void)index, FLOAT; }
static int required(const OrtCustomOp* op, size_t index) { return (void)op, (void)index, 0; }
static int zero(const OrtCustomOp* op) { return (void)op, 0; }
static int first_version(const OrtCustomOp* op) { return (void)op, 1; }
static int last_version(const OrtCustomOp* op) { return (void)op, 0x7fffffff; }

const OrtCustomOp block_product_operator = {
    .version = API_VERSION,
    .name = name,
    .provider = provider,
    .input_type = float_tensor,
    .input_count = one,
    .output_type = float_tensor,
    .output_count = one,
    .destroy = destroy_kernel,
    .input_kind = required,
    .output_kind = required,
    .input_memory = required,
    .least_inputs = zero,
    .equal_inputs = zero,
    .least_outputs = zero,
    .equal_outputs = zero,
    .create_kernel_or_fail = create_kernel,
    .compute_or_fail = compute,
    .first_version = first_version,
    .last_version = last_version,
};
