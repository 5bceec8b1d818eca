#!/bin/sh
# Installs the peers of the suite `peers` and makes its models, all below bench/peers (ignored by git);
# with --servers also the HTTP servers of the suite `http`.
set -eu
cd "$(dirname "$0")"
npm install
# Every accelerator's build comes with node-llama-cpp; only the processor's is used.
rm -rf node_modules/@node-llama-cpp/*cuda* node_modules/@node-llama-cpp/*vulkan*
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install --quiet -r requirements.txt
mkdir -p models
tools=../../tools/models
[ -f models/smollm2-135m-instruct.gguf ] ||
  PYTHONPATH=$tools .venv/bin/python -c 'import shutil; from gguf_model import obtain_gguf; shutil.copy(obtain_gguf(None), "models/smollm2-135m-instruct.gguf")'
# The second one takes 3 GB and is for the suites engine and memory: SHAPES='0.5b 1.5b' bench/peers/install.sh
for shape in ${SHAPES:-0.5b}; do
  [ -f "models/random-$shape.gguf" ] || .venv/bin/python $tools/make_random_gguf.py "$shape" "models/random-$shape.gguf"
  [ -d "models/random-$shape" ] ||
    ../../node_modules/.bin/node --conditions=millrace-source ../../apps/cli/src/main.ts models import "models/random-$shape.gguf" "models/random-$shape"
done
[ "${1:-}" = --servers ] || exit 0
# No wheels of them: cmake and a C++ compiler take a quarter of an hour for each on one core, with this processor's instructions.
if [ ! -x server/.venv/bin/uvicorn ]; then
  python3 -m venv server/.venv
  server/.venv/bin/pip install --quiet -r server/requirements.txt
fi
if [ ! -x server/llama-server ]; then
  # llama.cpp's own server, of the very sources that llama-cpp-python brings.
  server/.venv/bin/pip download --quiet --no-deps --no-binary llama-cpp-python -r server/requirements.txt -d server/source
  tar -xzf server/source/llama_cpp_python-*.tar.gz -C server/source
  cmake -S server/source/llama_cpp_python-*/vendor/llama.cpp -B server/source/build -DCMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON -DLLAMA_OPENSSL=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
  cmake --build server/source/build --target llama-server
  cp server/source/build/bin/llama-server server/llama-server
fi
