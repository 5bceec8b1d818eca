"""
Makes the tiny exports under test/fixtures/exports with the tools that people export with (onnxruntime-genai's model
builder, optimum, and what onnx-community does to optimum's output), and their references from transformers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from export_families import FAMILIES, POSITIONS, make_model, mxfp4_experts, references, round_activations
from fixture_tokenizer import make_fixture_tokenizer, write_tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
MOST_BYTES = 330_000  # of one ONNX file and what is around it
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]

# Sliding-window layers keep their whole past instead of a ring of the window's size.
WHOLE = ["windowed_kv_cache=false"]
# Of a model that sees the text's part, with its embedding.
TEXT = ["exclude_embeds=false"]
# Builder folders: fixture's suffix, precision, execution provider (it decides the types of inputs and the attention used), options.
BUILDER = {
    "llama": [("fp32", "fp32", "cpu"), ("fp16-cpu", "fp16", "cpu"), ("fp16", "fp16", "webgpu"), ("int4", "int4", "cpu"),
              ("int8", "int8", "cpu"), ("int4-fp16", "int4", "webgpu"), ("fp16-dml", "fp16", "dml")],
    "smollm2": [("fp32", "fp32", "cpu")],
    "mistral": [("int4", "int4", "cpu")],
    "mistral-window": [("fp32", "fp32", "cpu")],
    "qwen2": [("int4", "int4", "cpu")],
    "qwen2.5": [("int8", "int8", "cpu")],
    "qwen3": [("fp32", "fp32", "cpu"), ("int4-fp16", "int4", "webgpu")],
    "phi3": [("fp32", "fp32", "cpu")],
    "phi4": [("int4", "int4", "cpu")],
    "phi4-mini": [("int4", "int4", "cpu")],
    "gemma": [("fp32", "fp32", "cpu")],
    "gemma2": [("fp32", "fp32", "cpu", *WHOLE), ("ring", "int4", "cpu")],
    "gemma3": [("fp32", "fp32", "cpu"), ("int4", "int4", "cpu")],
    "gpt-oss": [("fp32", "fp32", "cpu"), ("int4", "int4", "cpu")],
    "lfm2": [("fp32", "fp32", "cpu"), ("int4", "int4", "cpu")],
    "qwen3.5": [("fp32", "fp32", "cpu", *TEXT), ("int4", "int4", "cpu", *TEXT)],
}  # fmt: skip
# Families that the builder 0.15 exports as onnx-community has them: states under other names and of another size, read by standard operators.
OLDER_BUILDER = ["lfm2"]
# Families with products of few bits in float32, beside which activations are rounded.
ROUNDED = ["llama", "mistral", "qwen2", "qwen2.5", "qwen3", "phi4", "phi4-mini", "gemma2", "gemma3", "gpt-oss", "lfm2", "qwen3.5"]
# Families exported by optimum, and the variants that onnx-community makes of them.
OPTIMUM = {
    "llama": ["fp16", "q4", "q4f16", "quantized"], "smollm3": [], "qwen3": ["q4"], "smollm2": ["merged"],
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "test/fixtures/exports")
    parser.add_argument("--work", type=Path, help="keep checkpoints here")
    parser.add_argument("--optimum-packages", type=Path, help="folder with what requirements-optimum.txt names; none: no optimum exports")
    parser.add_argument("--older-builder", type=Path, help="folder with onnxruntime-genai 0.15 (pip install --no-deps --target); none: no exports by it")
    parser.add_argument("names", nargs="*", help="only these families")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        families = [family for family in FAMILIES if not arguments.names or family.name in arguments.names]
        for family in families:
            make_checkpoint(family, work / family.name, arguments.out / "references")
        for family in families:
            for suffix, *options in BUILDER.get(family.name, []):
                attempt(f"{family.name}-builder-{suffix}", builder_export, work / family.name, arguments.out, *options)
            if arguments.older_builder is not None and family.name in OLDER_BUILDER:
                attempt(f"{family.name}-community", older_builder_export, work / family.name, arguments.out, arguments.older_builder)
        if arguments.optimum_packages is not None:
            with_optimum([family.name for family in families if family.name in OPTIMUM], work, arguments)


def attempt(name: str, export, checkpoint: Path, out: Path, *options) -> None:
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        export(checkpoint, folder, *options)
    except ImportError:
        raise  # packages that this script's README names are missing
    except Exception as error:  # the exporter's own refusal: told, and no fixture of it
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{name}: not exported: {type(error).__name__}: {error}", flush=True)
        return
    finish(folder, checkpoint)


def finish(folder: Path, checkpoint: Path) -> None:
    for file in TOKENIZER_FILES:
        shutil.copyfile(checkpoint / file, folder / file)
    for extra in folder.glob("special_tokens_map.json"):
        extra.unlink()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder.name}: {size} bytes", flush=True)
    limit = MOST_BYTES * len(list(folder.rglob("*.onnx")))
    if size > limit:
        raise ValueError(f"{folder.name} has {size} bytes, the limit is {limit}")


def make_checkpoint(family, folder: Path, references_folder: Path) -> None:
    if (folder / "config.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    references_folder.mkdir(parents=True, exist_ok=True)
    model = make_model(family)
    reference = references(family, model)
    model.generation_config = type(model.generation_config)(eos_token_id=2, pad_token_id=0)
    model.save_pretrained(folder)
    add_tensors(folder / "model.safetensors", mxfp4_experts(model))
    write_tokenizer(folder, make_fixture_tokenizer(), POSITIONS)
    write_reference(references_folder / f"{family.name}.json", reference)
    if family.name in ROUNDED:
        round_activations(model, builder=family.name in BUILDER)
        write_reference(references_folder / f"{family.name}.rounded.json", references(family, model))


def write_reference(file: Path, reference: dict) -> None:
    file.write_text(json.dumps(reference) + "\n")
    margin = min(prompt["leastMargin"] for prompt in reference["prompts"])
    print(f"{file.stem}: least margin {margin}", flush=True)


def add_tensors(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    if tensors:
        save_file(load_file(file) | tensors, file, metadata={"format": "pt"})


class BuildersConfig(AutoConfig):
    """The builder 0.18 knows Gemma 3's two rotary bases only as transformers 4 gave them, but needs transformers 5."""

    @classmethod
    def from_pretrained(cls, *arguments, **named):
        config = AutoConfig.from_pretrained(*arguments, **named)
        bases = getattr(config, "rope_parameters", None) or {}
        if "sliding_attention" in bases:
            config.rope_local_base_freq = bases["sliding_attention"]["rope_theta"]
            config.rope_parameters = bases["full_attention"]
        return config


def builder_export(checkpoint: Path, folder: Path, precision: str, provider: str, *extra: str) -> None:
    import onnxruntime_genai.models as package

    sys.path.insert(0, str(Path(package.__file__).parent))
    import builder

    builder.AutoConfig = BuildersConfig
    with tempfile.TemporaryDirectory() as cache:
        options = builder.parse_extra_options(None, str(checkpoint), str(folder), precision, provider, cache, list(extra))
        builder.create_model(None, str(checkpoint), str(folder), precision, provider, cache, **options)


def older_builder_export(checkpoint: Path, folder: Path, packages: Path) -> None:
    """By another process, because one knows one builder; laid out as a hub's folder."""
    code = "import sys, builder; a = [None, *sys.argv[1:6]]; builder.create_model(*a, **builder.parse_extra_options(*a, []))"
    path = packages / "onnxruntime_genai" / "models"
    with tempfile.TemporaryDirectory() as temporary:
        arguments = [str(checkpoint), temporary, "int4", "cpu", f"{temporary}/cache"]
        subprocess.run([sys.executable, "-c", code, *arguments], env=os.environ | {"PYTHONPATH": str(path)}, check=True)
        (folder / "onnx").mkdir(parents=True)
        # The decoder names the file with its weights.
        for file in ("model.onnx", "model.onnx.data"):
            shutil.copyfile(Path(temporary) / file, folder / "onnx" / file)
    for file in ("config.json", "generation_config.json"):
        shutil.copyfile(checkpoint / file, folder / file)


def with_optimum(names: list[str], work: Path, arguments) -> None:
    """optimum needs an older transformers, so its exports are made by another process."""
    plan = [{"checkpoint": str(work / name), "folder": str(arguments.out / f"{name}-optimum"), "variants": OPTIMUM[name]} for name in names]
    environment = os.environ | {"PYTHONPATH": str(arguments.optimum_packages), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    script = Path(__file__).with_name("optimum_exports.py")
    subprocess.run([sys.executable, str(script), json.dumps(plan)], env=environment, check=True)
    for entry in plan:
        for folder in (Path(entry["folder"]), *(Path(entry["folder"].replace("-optimum", kind)) for kind in ("-community", "-merged"))):
            if folder.exists():
                finish(folder, Path(entry["checkpoint"]))


if __name__ == "__main__":
    main()
