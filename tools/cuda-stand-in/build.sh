#!/bin/sh
# Makes FOLDER/lib with libraries in the place of CUDA's 13, for the provider library of a wheel of onnxruntime-gpu:
#   tools/cuda-stand-in/build.sh FOLDER ONNXRUNTIME_GPU.whl NVIDIA_CUDA_RUNTIME.whl
# The second wheel (nvidia-cuda-runtime 13) is for its headers. Needs gcc, nm and unzip.
set -eu
[ $# = 3 ] || { sed -n '2,4p' "$0"; exit 2; }
here="$(cd "$(dirname "$0")" && pwd)"
mkdir -p "$1/lib" "$1/crt"
unzip -q -o -j "$2" 'onnxruntime/capi/libonnxruntime_providers_cuda.so' 'onnxruntime/capi/libonnxruntime_providers_shared.so' -d "$1/provider"
unzip -q -o "$3" 'nvidia/*/include/*' -d "$1"
cd "$1"
include="$(dirname "$(find . -name driver_types.h | head -1)")"

# What the headers ask of a package of its own: words for the compiler of kernels.
for word in device_builtin cudart_builtin host device device_builtin_texture_type device_builtin_surface_type; do echo "#define __${word}__"; done >crt/host_defines.h
printf '#define CUDARTAPI\n#define __builtin_align__(n) __attribute__((aligned(n)))\n#define __align__(n) __attribute__((aligned(n)))\n' >>crt/host_defines.h

# What runtime.c does not have does nothing and succeeds.
for library in cudart cublas cublasLt; do
  nm -D --undefined-only provider/libonnxruntime_providers_cuda.so | sed -n "s/.* U \(.*\)@lib$library\.so\.13/\1/p" |
    grep -v '^cublasLtMatmulAlgoGetHeuristic$' | while read -r name; do
      [ "$library" = cudart ] && grep -q "[ *]$name(" "$here/runtime.c" || echo "int $name(void) { return 0; }"
    done >"$library.c"
  echo "lib$library.so.13 { global: *; };" >"$library.ver"
done
# One algorithm is found.
cat >>cublasLt.c <<'HEURISTIC'
#include <string.h>
int cublasLtMatmulAlgoGetHeuristic(void *handle, void *product, void *a, void *b, void *c, void *d, void *preference, int asked, char *results, int *found) {
  memset(results, 0, 96);
  *found = 1;
  return 0;
}
HEURISTIC
echo 'int cuTensorMapEncodeTiled(void) { return 0; }' >cuda.c
echo 'int curand_stand_in(void) { return 0; }' >curand.c
made() { soname="$1"; shift; gcc -O1 -w -fPIC -shared -I. -I"$include" -Wl,-soname,"$soname" "$@" -lpthread; }
made libcudart.so.13 -Wl,--version-script,cudart.ver "$here/runtime.c" cudart.c -o lib/libcudart.so.13
made libcublas.so.13 -Wl,--version-script,cublas.ver cublas.c -o lib/libcublas.so.13
made libcublasLt.so.13 -Wl,--version-script,cublasLt.ver cublasLt.c -o lib/libcublasLt.so.13
made libcuda.so.1 cuda.c -o lib/libcuda.so.1
made libcurand.so.10 curand.c -o lib/libcurand.so.10
ls lib
