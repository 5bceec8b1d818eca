#!/bin/sh
# What only a GPU can show, from a bare checkout with its packages installed (npm ci) and no network:
#   bench/gpu.sh [model folder]
# The conformance suite and the suite `gpu` on each provider that works here; figures go to bench/results/.
# The model folder's tokens are compared on the fixtures, its speed in the suite; the shipped model unless given.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export MILLRACE_BENCH_MODEL="${1:-$PWD/models/smollm2-135m-instruct}"

if command -v nvidia-smi >/dev/null; then nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv; fi
node --version
found=0
for provider in cuda webgpu; do
  if ! node --conditions=source --input-type=module \
      -e "const { probeProvider } = await import('#model-runner'); probeProvider('$provider')" 2>"/tmp/millrace-$provider.txt"; then
    echo "not run: $(grep -o 'execution provider.*' "/tmp/millrace-$provider.txt" | head -1)"
    continue
  fi
  found=1
  MILLRACE_TEST_PROVIDER="$provider" vitest run --project model --testTimeout 600000 \
    test/model/device-providers.spec.ts test/model/half-precision.spec.ts
  MILLRACE_BENCH_PROVIDER="$provider" npm run bench -- gpu --write
  mv bench/results/gpu.json "bench/results/gpu-$provider.json"
  mv bench/results/gpu.md "bench/results/gpu-$provider.md"
done
[ "$found" = 1 ] || { echo "no GPU was found; nothing was measured"; exit 1; }
