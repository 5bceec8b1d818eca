#!/bin/sh
# Installs the peers of the suite `peers` and makes its models, all below bench/peers (ignored by git).
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
for shape in 0.5b; do
  [ -f "models/random-$shape.gguf" ] || .venv/bin/python $tools/make_random_gguf.py "$shape" "models/random-$shape.gguf"
  [ -d "models/random-$shape" ] ||
    ../../node_modules/.bin/node --conditions=source ../../apps/cli/src/main.ts models import "models/random-$shape.gguf" "models/random-$shape" --layout quick
done
