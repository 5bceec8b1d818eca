// A stand-in for libcudart: one device with the properties of an H100 whose memory is the host's. Copies copy, kernels do nothing, and while a stream
// is captured calls that CUDA refuses then are refused. With CUDA_STAND_IN_LOG=FILE each launch, copy, allocation and refusal is a line there.
#define _GNU_SOURCE
#include <driver_types.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector_types.h>

#define API __attribute__((visibility("default")))
#define ALLOCATIONS (1 << 20)
#define NAMES (1 << 17)
#define CAPTURE_UNSUPPORTED 900

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { char *at; size_t bytes; } allocations[ALLOCATIONS];
static int allocation_count;
static struct { const void *function; const char *name; } names[NAMES];
static int name_count;
static int is_capturing;
static __thread cudaError_t last_error;

static void note(const char *kind, const char *what, size_t bytes) {
  static FILE *log;
  const char *path = getenv("CUDA_STAND_IN_LOG");
  if (path == NULL) return;
  pthread_mutex_lock(&lock);
  if (log == NULL) log = fopen(path, "a");
  if (log != NULL) {
    fprintf(log, "%s%s %s %zu\n", is_capturing ? "captured " : "", kind, what, bytes);
    fflush(log);
  }
  pthread_mutex_unlock(&lock);
}

static cudaError_t refused(const char *call) {
  if (!is_capturing) return cudaSuccess;
  note("refused", call, 0);
  return last_error = CAPTURE_UNSUPPORTED;
}
#define REFUSED_IN_CAPTURE(call)       \
  do {                                 \
    cudaError_t error = refused(call); \
    if (error) return error;           \
  } while (0)

static int is_device(const void *address) {
  int found = 0;
  pthread_mutex_lock(&lock);
  for (int i = allocation_count; i-- > 0 && !found;)
    found = (char *)address >= allocations[i].at && (char *)address < allocations[i].at + allocations[i].bytes;
  pthread_mutex_unlock(&lock);
  return found;
}

/* Kernels */
API void **__cudaRegisterFatBinary(void *binary) { static void *handle[4]; return handle; }
API void __cudaRegisterFatBinaryEnd(void **handle) {}
API void __cudaUnregisterFatBinary(void **handle) {}
API void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int e, size_t s, int c, int g) {}
API void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int limit, void *tid, void *bid, void *block, void *grid, int *warp) {
  if (name_count == NAMES) return;
  names[name_count].function = host;
  names[name_count++].name = name;
}
typedef struct { dim3 grid, block; size_t shared; void *stream; } Configuration;
static __thread Configuration configurations[16];
static __thread int configuration_count;
API unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream) {
  configurations[configuration_count++] = (Configuration){grid, block, shared, stream};
  return 0;
}
API cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
  Configuration top = configurations[--configuration_count];
  *grid = top.grid, *block = top.block, *shared = top.shared, *(void **)stream = top.stream;
  return cudaSuccess;
}
API cudaError_t __cudaGetKernel(void **kernel, const void *function) { *kernel = (void *)function; return cudaSuccess; }

/* The only kernel that computes: what probeProvider asks for. */
static void add(const char *name, void **a) {
  if (strstr(name, "_BinaryElementWiseSimpleILb1ELb1EfffNS0_6OP_AddIfff") == NULL) return;
  const float *one = *(float **)a[0], *other = *(float **)a[1];
  for (int i = 0; i < *(int *)a[4]; i++) (*(float **)a[2])[i] = one[i] + other[i];
}

static cudaError_t launched(const void *function, dim3 grid, dim3 block, size_t shared, void **arguments) {
  const char *name = "?";
  for (int i = name_count; i-- > 0;)
    if (names[i].function == function) { name = names[i].name; break; }
  char line[4096];
  snprintf(line, sizeof line, "%s grid %u,%u,%u block %u,%u,%u shared", name, grid.x, grid.y, grid.z, block.x, block.y, block.z);
  add(name, arguments);
  note("launch", line, shared);
  if (grid.x && grid.y && grid.z && block.x && (size_t)block.x * block.y * block.z <= 1024 && grid.y < 65536 && grid.z < 65536 && shared <= 232448) return cudaSuccess;
  note("invalid", line, shared);
  return last_error = cudaErrorInvalidConfiguration;
}
API cudaError_t __cudaLaunchKernel(void *f, dim3 g, dim3 b, void **a, size_t s, void *stream) { return launched(f, g, b, s, a); }
API cudaError_t cudaLaunchKernel(const void *f, dim3 g, dim3 b, void **a, size_t s, cudaStream_t stream) { return launched(f, g, b, s, a); }
API cudaError_t cudaLaunchCooperativeKernel(const void *f, dim3 g, dim3 b, void **a, size_t s, cudaStream_t stream) { return launched(f, g, b, s, a); }
API cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *c, const void *f, void **a) { return launched(f, c->gridDim, c->blockDim, c->dynamicSmemBytes, a); }
API cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*call)(void *), void *data) { if (!is_capturing) call(data); return cudaSuccess; }
API cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *a, const void *f) {
  memset(a, 0, sizeof *a);
  a->maxThreadsPerBlock = 1024, a->numRegs = 64, a->binaryVersion = a->ptxVersion = 90, a->maxDynamicSharedSizeBytes = 232448;
  return cudaSuccess;
}
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *f, int threads, size_t shared, unsigned flags) { *blocks = 2; return cudaSuccess; }

/* Memory */
static cudaError_t allocated(void **address, size_t bytes) {
  if (posix_memalign(address, 256, bytes ? bytes : 256)) return cudaErrorMemoryAllocation;
  if (bytes < (size_t)1 << 28) memset(*address, 0, bytes);
  pthread_mutex_lock(&lock);
  if (allocation_count < ALLOCATIONS) allocations[allocation_count].at = *address, allocations[allocation_count++].bytes = bytes;
  pthread_mutex_unlock(&lock);
  return cudaSuccess;
}
API cudaError_t cudaMalloc(void **address, size_t bytes) { REFUSED_IN_CAPTURE("cudaMalloc"); note("allocate", "device", bytes); return allocated(address, bytes); }
API cudaError_t cudaMallocFromPoolAsync(void **address, size_t bytes, void *pool, void *stream) { note("allocate", "pool", bytes); return allocated(address, bytes); }
API cudaError_t cudaFree(void *address) {
  REFUSED_IN_CAPTURE("cudaFree");
  pthread_mutex_lock(&lock);
  for (int i = allocation_count; i-- > 0;)
    if (allocations[i].at == address) { allocations[i] = allocations[--allocation_count]; break; }
  pthread_mutex_unlock(&lock);
  free(address);
  return cudaSuccess;
}
API cudaError_t cudaFreeAsync(void *address, void *stream) { return cudaSuccess; }
API cudaError_t cudaMallocHost(void **address, size_t bytes) { REFUSED_IN_CAPTURE("cudaMallocHost"); note("allocate", "pinned", bytes); return posix_memalign(address, 256, bytes ? bytes : 256) ? cudaErrorMemoryAllocation : cudaSuccess; }
API cudaError_t cudaHostAlloc(void **address, size_t bytes, unsigned flags) { return cudaMallocHost(address, bytes); }
API cudaError_t cudaFreeHost(void *address) { free(address); return cudaSuccess; }
static cudaError_t copied(void *to, const void *from, size_t bytes) {
  char line[64];
  snprintf(line, sizeof line, "%s to %s", is_device(from) ? "device" : "host", is_device(to) ? "device" : "host");
  note("copy", line, bytes);
  memmove(to, from, bytes);
  return cudaSuccess;
}
API cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) { REFUSED_IN_CAPTURE("cudaMemcpy"); return copied(to, from, bytes); }
API cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) { return copied(to, from, bytes); }
API cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height, enum cudaMemcpyKind kind, cudaStream_t stream) {
  for (size_t i = 0; i < height; i++) copied((char *)to + i * to_pitch, (const char *)from + i * from_pitch, width);
  return cudaSuccess;
}
API cudaError_t cudaMemcpyFromSymbol(void *to, const void *symbol, size_t bytes, size_t offset, enum cudaMemcpyKind kind) { memset(to, 0, bytes); return cudaSuccess; }
API cudaError_t cudaMemset(void *to, int value, size_t bytes) { REFUSED_IN_CAPTURE("cudaMemset"); memset(to, value, bytes); return cudaSuccess; }
API cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) { memset(to, value, bytes); return cudaSuccess; }
API cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *bytes) { *free_bytes = (size_t)70 << 30, *bytes = (size_t)80 << 30; return cudaSuccess; }
API cudaError_t cudaMemPoolCreate(void **pool, void *properties) { *pool = malloc(8); return cudaSuccess; }
API cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *a, const void *address) {
  memset(a, 0, sizeof *a);
  a->type = is_device(address) ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered, a->devicePointer = (void *)address;
  return cudaSuccess;
}

/* The device */
API cudaError_t cudaGetDeviceCount(int *count) { *count = 1; return cudaSuccess; }
API cudaError_t cudaGetDevice(int *device) { *device = 0; return cudaSuccess; }
API cudaError_t cudaSetDevice(int device) { return device ? cudaErrorInvalidDevice : cudaSuccess; }
API cudaError_t cudaDriverGetVersion(int *version) { *version = 13000; return cudaSuccess; }
API cudaError_t cudaRuntimeGetVersion(int *version) { *version = 13000; return cudaSuccess; }
API cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
  memset(p, 0, sizeof *p);
  strcpy(p->name, "stand-in");
  p->major = 9, p->totalGlobalMem = (size_t)80 << 30, p->multiProcessorCount = 132, p->warpSize = 32;
  p->sharedMemPerBlock = 49152, p->sharedMemPerBlockOptin = 232448, p->sharedMemPerMultiprocessor = 233472;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536, p->maxThreadsPerBlock = 1024, p->maxThreadsPerMultiProcessor = 2048;
  p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024, p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = 2147483647, p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->l2CacheSize = 52428800, p->cooperativeLaunch = 1, p->maxBlocksPerMultiProcessor = 32, p->unifiedAddressing = 1;
  return cudaSuccess;
}
API cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = 49152; break;
    case cudaDevAttrWarpSize: *value = 32; break;
    case cudaDevAttrMultiProcessorCount: *value = 132; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = 233472; break;
    case cudaDevAttrMaxRegistersPerMultiprocessor: *value = 65536; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 232448; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: *value = 32; break;
    default: *value = 1;
  }
  return cudaSuccess;
}
API cudaError_t cudaDeviceSynchronize(void) { REFUSED_IN_CAPTURE("cudaDeviceSynchronize"); return cudaSuccess; }
API cudaError_t cudaGetLastError(void) { cudaError_t error = last_error; last_error = cudaSuccess; return error; }
API cudaError_t cudaPeekAtLastError(void) { return last_error; }
API const char *cudaGetErrorString(cudaError_t error) { return error == CAPTURE_UNSUPPORTED ? "operation not permitted when stream is capturing" : "an error of the stand-in"; }
API const char *cudaGetErrorName(cudaError_t error) { return error == CAPTURE_UNSUPPORTED ? "cudaErrorStreamCaptureUnsupported" : "cudaErrorUnknown"; }
static int nothing(void) { return 0; }
API cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version, unsigned long long flags, void *found) { *function = (void *)nothing; if (found) *(int *)found = 0; return cudaSuccess; }

/* Streams, events, captures */
API cudaError_t cudaStreamCreate(cudaStream_t *stream) { *stream = malloc(8); return cudaSuccess; }
API cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) { return cudaStreamCreate(stream); }
API cudaError_t cudaStreamDestroy(cudaStream_t stream) { free(stream); return cudaSuccess; }
API cudaError_t cudaStreamSynchronize(cudaStream_t stream) { REFUSED_IN_CAPTURE("cudaStreamSynchronize"); return cudaSuccess; }
API cudaError_t cudaEventCreate(cudaEvent_t *event) { *event = malloc(8); return cudaSuccess; }
API cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) { return cudaEventCreate(event); }
API cudaError_t cudaEventDestroy(cudaEvent_t event) { free(event); return cudaSuccess; }
API cudaError_t cudaEventSynchronize(cudaEvent_t event) { REFUSED_IN_CAPTURE("cudaEventSynchronize"); return cudaSuccess; }
API cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) { *ms = 1; return cudaSuccess; }
API cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) { *status = is_capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone; return cudaSuccess; }
API cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) { note("capture", "begins", 0); is_capturing = 1; return cudaSuccess; }
API cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) { is_capturing = 0; note("capture", "ends", 0); *graph = malloc(8); return cudaSuccess; }
API cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags) { *executable = malloc(8); return cudaSuccess; }
API cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) { note("replay", "", 0); return cudaSuccess; }
