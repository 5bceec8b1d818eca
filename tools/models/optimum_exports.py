"""Exports checkpoints with optimum and makes onnx-community's variants of them. Called by make_export_fixtures.py."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16
from optimum.exporters.onnx import export, main_export
from optimum.exporters.tasks import TasksManager
from optimum.onnx.graph_transformations import merge_decoders
from transformers import AutoModelForCausalLM


def main() -> None:
    torch.set_num_threads(1)
    for entry in json.loads(sys.argv[1]):
        folder = Path(entry["folder"])
        shutil.rmtree(folder, ignore_errors=True)
        try:
            main_export(entry["checkpoint"], output=folder, task="text-generation-with-past", do_validation=False)
        except Exception as error:  # optimum's own refusal: told, and no fixture of it
            shutil.rmtree(folder, ignore_errors=True)
            print(f"{folder.name}: not exported: {type(error).__name__}: {error}", flush=True)
            continue
        if "merged" in entry["variants"]:
            merged(entry["checkpoint"], Path(str(folder).replace("-optimum", "-merged")))
            shutil.rmtree(folder)
        elif entry["variants"]:
            community(folder, Path(str(folder).replace("-optimum", "-community")), entry["variants"])
            shutil.rmtree(folder)


def merged(checkpoint: str, folder: Path) -> None:
    """A decoder of two branches, one without a past, as optimum made them by itself at first and hubs' older folders have them."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "onnx").mkdir(parents=True)
    for file in ("config.json", "generation_config.json"):
        shutil.copyfile(Path(checkpoint) / file, folder / file)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    make_config = TasksManager.get_exporter_config_constructor("onnx", model, task="text-generation", library_name="transformers")
    with tempfile.TemporaryDirectory() as temporary:
        files = [Path(temporary) / name for name in ("decoder_model.onnx", "decoder_with_past_model.onnx")]
        for file, has_past in zip(files, (False, True), strict=True):
            export(model, make_config(model.config, use_past=True, use_past_in_inputs=has_past), file)
        merge_decoders(*files, save_path=folder / "onnx" / "decoder_model_merged.onnx")


def community(source: Path, folder: Path, variants: list[str]) -> None:
    """The folder of a hub: configuration at the top, onnx/model_<variant>.onnx below."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "onnx").mkdir(parents=True)
    for file in ("config.json", "generation_config.json"):
        shutil.copyfile(source / file, folder / file)
    for variant in variants:
        target = folder / "onnx" / f"model_{variant}.onnx"
        if variant == "quantized":
            quantize_dynamic(source / "model.onnx", target, weight_type=QuantType.QInt8)
            continue
        model = onnx.load(source / "model.onnx")
        if variant.startswith("q4"):
            quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True, accuracy_level=4)
            quantizer.process()
            model = quantizer.model.model
        if variant.endswith("16"):
            model = convert_float_to_float16(model, keep_io_types=False, disable_shape_infer=True)
        onnx.save(model, target)


if __name__ == "__main__":
    main()
