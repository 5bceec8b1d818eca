// What is used of ONNX Runtime's C API: calls by their position in OrtApi (a table to which it only ever appends), and the table of an operator.
#ifndef MILLRACE_ORT_H
#define MILLRACE_ORT_H

#include <stddef.h>
#include <stdint.h>

enum { API_VERSION = 24 };

typedef struct OrtStatus OrtStatus;
typedef struct OrtValue OrtValue;
typedef struct OrtTensorInfo OrtTensorInfo;
typedef struct OrtKernelInfo OrtKernelInfo;
typedef struct OrtKernelContext OrtKernelContext;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtShapeInferContext OrtShapeInferContext;
typedef struct OrtCustomOpDomain OrtCustomOpDomain;
typedef void* const* OrtApi;

enum { FLOAT = 1, UINT8 = 2, INT32 = 6, FLOAT16 = 10, INVALID_ARGUMENT = 2 };

#define ORT_CALL(api, index, ...) (((OrtStatus * (*)(__VA_ARGS__))(api)[index]))
#define create_status(api) ORT_CALL(api, 0, int code, const char* message)
#define create_domain(api) ORT_CALL(api, 26, const char* name, OrtCustomOpDomain** out)
#define add_to_domain(api) ORT_CALL(api, 27, OrtCustomOpDomain*, const OrtCustomOp*)
#define add_domain(api) ORT_CALL(api, 28, OrtSessionOptions*, OrtCustomOpDomain*)
#define tensor_data(api) ORT_CALL(api, 51, OrtValue*, void** out)
#define dimension_count(api) ORT_CALL(api, 61, const OrtTensorInfo*, size_t* out)
#define dimensions(api) ORT_CALL(api, 62, const OrtTensorInfo*, int64_t*, size_t)
#define element_count(api) ORT_CALL(api, 64, const OrtTensorInfo*, size_t* out)
#define tensor_info(api) ORT_CALL(api, 65, const OrtValue*, OrtTensorInfo** out)
#define float_attribute(api) ORT_CALL(api, 85, const OrtKernelInfo*, const char*, float* out)
#define int_attribute(api) ORT_CALL(api, 86, const OrtKernelInfo*, const char*, int64_t* out)
#define kernel_input(api) ORT_CALL(api, 90, const OrtKernelContext*, size_t, const OrtValue** out)
#define kernel_output(api) ORT_CALL(api, 91, OrtKernelContext*, size_t, const int64_t*, size_t, OrtValue** out)
#define release_tensor_info(api) ((void (*)(OrtTensorInfo*))(api)[99])
#define parallel_for(api) ORT_CALL(api, 274, const OrtKernelContext*, void (*)(void*, size_t), size_t, size_t, void*)

typedef struct OrtCustomOp OrtCustomOp;
struct OrtCustomOp {
  uint32_t version;
  void* (*create_kernel)(const OrtCustomOp*, OrtApi, const OrtKernelInfo*);
  const char* (*name)(const OrtCustomOp*);
  const char* (*provider)(const OrtCustomOp*);
  int (*input_type)(const OrtCustomOp*, size_t);
  size_t (*input_count)(const OrtCustomOp*);
  int (*output_type)(const OrtCustomOp*, size_t);
  size_t (*output_count)(const OrtCustomOp*);
  void (*compute)(void*, OrtKernelContext*);
  void (*destroy)(void*);
  int (*input_kind)(const OrtCustomOp*, size_t);
  int (*output_kind)(const OrtCustomOp*, size_t);
  int (*input_memory)(const OrtCustomOp*, size_t);
  int (*least_inputs)(const OrtCustomOp*);
  int (*equal_inputs)(const OrtCustomOp*);
  int (*least_outputs)(const OrtCustomOp*);
  int (*equal_outputs)(const OrtCustomOp*);
  OrtStatus* (*create_kernel_or_fail)(const OrtCustomOp*, OrtApi, const OrtKernelInfo*, void** kernel);
  OrtStatus* (*compute_or_fail)(void*, OrtKernelContext*);
  OrtStatus* (*infer_shape)(const OrtCustomOp*, OrtShapeInferContext*);
  int (*first_version)(const OrtCustomOp*);
  int (*last_version)(const OrtCustomOp*);
  size_t (*may_inplace)(int**, int**);
  void (*release_may_inplace)(int*, int*);
  size_t (*aliases)(int**, int**);
  void (*release_aliases)(int*, int*);
};

#endif
