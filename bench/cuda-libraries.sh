# Sourced by bench/gpu.sh, with `root` set to the checkout: finds what the provider CUDA needs and npm does not bring, and says what it took.
#   1. ONNX Runtime's provider libraries, of the very version of onnxruntime-node: beside libonnxruntime already, or in MILLRACE_BENCH_CUDA_PROVIDER, a
#      folder with both libraries or a wheel of onnxruntime-gpu, or in the onnxruntime-gpu of a Python. They are linked (from a wheel: unpacked) beside libonnxruntime.
#   2. CUDA's own libraries, of the version that these were built for: where the loader finds them, or in a Python's nvidia-… packages, CUDA_HOME or
#      /usr/local/cuda. Their folders go behind those of LD_LIBRARY_PATH.

cuda_python="${MILLRACE_BENCH_PYTHON:-python3}"
cuda_beside="$root/node_modules/onnxruntime-node/bin/napi-v6/linux/x64"
cuda_files="libonnxruntime_providers_shared.so libonnxruntime_providers_cuda.so"

# Prints the folder of a package of the Python, or nothing.
python_folder() {
  command -v "$cuda_python" >/dev/null || return 0
  "$cuda_python" -c "import importlib.util, sys
found = importlib.util.find_spec(sys.argv[1])
print(list(found.submodule_search_locations)[0] if found and found.submodule_search_locations else '')" "$1" 2>/dev/null || true
}

link_cuda_provider() {
  [ -f "$cuda_beside/libonnxruntime_providers_cuda.so" ] && return 0
  wanted="$(sed -n 's/^ *"version": "\(.*\)",*$/\1/p' "$root/node_modules/onnxruntime-node/package.json" | head -1)"
  from="${MILLRACE_BENCH_CUDA_PROVIDER:-}"
  case "$from" in
    *.whl)
      case "$from" in
        *onnxruntime_gpu-"$wanted"-*) ;;
        *) echo "cuda: $from is not onnxruntime-gpu $wanted, which onnxruntime-node $wanted needs"; return 0 ;;
      esac
      "$cuda_python" -c "import sys, zipfile, os
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in sys.argv[3:]:
        with wheel.open('onnxruntime/capi/' + name) as packed, open(os.path.join(sys.argv[2], name), 'wb') as out:
            while piece := packed.read(1 << 24): out.write(piece)" "$from" "$cuda_beside" $cuda_files || return 0
      echo "cuda: provider libraries unpacked from $from"
      return 0
      ;;
    "")
      package="$(python_folder onnxruntime)"
      [ -n "$package" ] && [ -f "$package/capi/libonnxruntime_providers_cuda.so" ] || return 0
      version="$("$cuda_python" -c 'import importlib.metadata; print(importlib.metadata.version("onnxruntime-gpu"))' 2>/dev/null || true)"
      if [ "$version" != "$wanted" ]; then
        echo "cuda: the onnxruntime-gpu of $cuda_python is ${version:-of an unknown version}, onnxruntime-node needs $wanted"
        return 0
      fi
      from="$package/capi"
      ;;
  esac
  for file in $cuda_files; do
    [ -f "$from/$file" ] || { echo "cuda: $from has no $file"; return 0; }
  done
  for file in $cuda_files; do ln -sf "$(cd "$from" && pwd)/$file" "$cuda_beside/$file"; done
  echo "cuda: provider libraries linked from $from"
}

# Folders with libraries of CUDA that the loader may not know.
cuda_folders() {
  nvidia="$(python_folder nvidia)"
  for folder in ${nvidia:+"$nvidia"/*/lib "$nvidia"/*/lib64} "${CUDA_HOME:-/usr/local/cuda}/lib64" /usr/local/nvidia/lib64; do
    [ -d "$folder" ] && printf ':%s' "$folder"
  done
  return 0
}

if [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ]; then
  link_cuda_provider
  LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}$(cuda_folders)"
  LD_LIBRARY_PATH="${LD_LIBRARY_PATH#:}"
  export LD_LIBRARY_PATH
fi
