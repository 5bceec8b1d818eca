#!/bin/sh
# What only a GPU can show, from a bare checkout with its packages installed (npm ci) and no network:
#   bench/gpu.sh [part …]          all parts unless some are named, on each provider that works here
# Figures go to bench/results/gpu*-<provider>.*; what failed or could not run is named at the end and has none.
#   models        makes what the parts graphs, path and shape-… need, where it is missing: random float16 weights below .millrace/bench-models,
#                 1.3, 3.6 and 16 GB of disk
#   tests         conformance of the runner on the provider, fixtures in float16, captured decode runs of these (CUDA)
#   decode        suite gpu: the runner against the CPU and onnxruntime-node, bytes between host and device
#   agreement     suite gpu-agreement: best tokens against float32 on the CPU
#   graphs        suite gpu-graphs: decode with runs captured as CUDA graphs and without, 1, 8 and 32 rows, and whether tokens are the same; CUDA only;
#                 MILLRACE_BENCH_SHAPE, 0.5b unless set
#   path          suite gpu-path: API, queue, worker, relay, SSE; 1, 8 and 32 streams (Redis on PATH)
#   shape-0.5b, shape-1.5b, shape-8b
#                 suite gpu-shape: random float16 weights of that size against PyTorch and the memory's bandwidth; PyTorch holds two more
#                 copies of the weights on the device, one without torch.compile
# Each part ends within MILLRACE_BENCH_LIMIT_S (540) seconds, so where a machine is lent for ten minutes a command, name one or two parts:
#   bench/gpu.sh models; bench/gpu.sh tests agreement; bench/gpu.sh decode; bench/gpu.sh graphs; bench/gpu.sh path; bench/gpu.sh shape-0.5b; bench/gpu.sh shape-1.5b; bench/gpu.sh shape-8b
# MILLRACE_BENCH_PROVIDERS  "cuda webgpu" unless set. "cpu" tries the script without a GPU; it writes no figures.
# MILLRACE_BENCH_CUDA_PROVIDER
#                           where ONNX Runtime's CUDA provider is when it is not beside libonnxruntime: bench/cuda-libraries.sh
# MILLRACE_BENCH_MODEL      model folder of the part decode; the shipped model unless set
# MILLRACE_BENCH_PATH_MODEL, MILLRACE_BENCH_PATH_SHAPE
#                           model folder of the part path, or a shape; random weights of 0.5b unless set
# MILLRACE_BENCH_PYTHON     a Python with torch and transformers; bench/peers/.venv or python3 unless set
# MILLRACE_BENCH_COMMIT     what results say of the sources where there is no git
# MILLRACE_BENCH_TORCH_COMPILE=0, MILLRACE_BENCH_BANDWIDTH_GBPS
#                           PyTorch without torch.compile; the memory's speed, told in the place of measured
set -eu
cd "$(dirname "$0")/.."
root="$PWD"
PATH="$root/node_modules/.bin:$root/.millrace/gpu-tools:$PATH"
[ -d node_modules/onnxruntime-node ] || { echo "packages are missing: run npm ci; nothing was measured"; exit 1; }
parts="${*:-models tests decode graphs agreement path shape-0.5b shape-1.5b shape-8b}"
for part in $parts; do
  case "$part" in
    models | tests | decode | graphs | agreement | path | shape-tiny | shape-0.5b | shape-1.5b | shape-8b) ;;
    *) echo "no part is called $part; the head of $0 names all"; exit 2 ;;
  esac
done

# Not by npm, which a machine with the packages alone may not have.
run_source="node --conditions=millrace-source --disable-warning=ExperimentalWarning"

limited() {
  if command -v timeout >/dev/null; then timeout -k 10 "${MILLRACE_BENCH_LIMIT_S:-540}" "$@"; else "$@"; fi
}

# In the place of figures that a CPU can not give, the suites' short forms, which write none.
suite() {
  if [ "$MILLRACE_BENCH_PROVIDER" = cpu ]; then limited $run_source bench/main.ts "$1" --quick; else limited $run_source bench/main.ts "$1" --write; fi
}

run_part() {
  case "$1" in
    models) limited $run_source bench/models/make-random-model.ts 0.5b 1.5b 8b ;;
    tests)
      MILLRACE_TEST_PROVIDER="$MILLRACE_BENCH_PROVIDER" limited vitest run --project model --testTimeout 600000 \
        test/model/device-providers.spec.ts test/model/half-precision.spec.ts test/model/random-model.spec.ts \
        test/model/captured-decode.spec.ts
      ;;
    decode) MILLRACE_BENCH_MODEL="${MILLRACE_BENCH_MODEL:-$PWD/models/smollm2-135m-instruct}" suite gpu ;;
    shape-*) MILLRACE_BENCH_SHAPE="${1#shape-}" suite gpu-shape ;;
    *) suite "gpu-$1" ;;
  esac
}

if command -v nvidia-smi >/dev/null; then nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv || true; fi
node --version
. bench/cuda-libraries.sh
answer="$(mktemp)"
trap 'rm -f "$answer"' EXIT
found=0
missing=""
for provider in ${MILLRACE_BENCH_PROVIDERS:-cuda webgpu}; do
  export MILLRACE_BENCH_PROVIDER="$provider"
  if ! $run_source --input-type=module \
      -e "const { probeProvider } = await import('#model-runner'); probeProvider('$provider')" 2>"$answer"; then
    reason="$(grep -o 'execution provider.*' "$answer" | head -1)"
    [ -n "$reason" ] || reason="$(grep -m 1 Error "$answer" || tail -1 "$answer")"
    echo "not run: $provider: $reason"
    missing="$missing $provider"
    continue
  fi
  found=1
  for part in $parts; do
    if [ "$part/$provider" = graphs/webgpu ]; then
      echo "not run: graphs on webgpu: CUDA alone captures decode runs"
      continue
    fi
    echo "== $part on $provider"
    status=0
    run_part "$part" || status=$?
    [ "$status" = 0 ] && continue
    [ "$status" = 124 ] && echo "$part on $provider was ended after ${MILLRACE_BENCH_LIMIT_S:-540} seconds"
    missing="$missing $part/$provider"
  done
done
[ "$found" = 1 ] || { echo "none of these providers works here:$missing; nothing was measured"; exit 1; }
[ -z "$missing" ] || echo "not run, or not to the end:$missing"
case "$missing" in */*) exit 1 ;; esac
