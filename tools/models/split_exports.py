"""
Makes exports in two graphs, one from tokens to embeddings and one from embeddings to logits, of the tiny exports under
test/fixtures/exports: cut behind the embedding, in the layouts that multimodal models have. Their weights are those of the
exports, so what transformers computes for these holds for them too.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXPORTS = Path(__file__).resolve().parents[2] / "test/fixtures/exports"
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"]
EMBEDS = "inputs_embeds"
PER_LAYER = "per_layer_inputs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exports", type=Path, default=EXPORTS)
    exports = parser.parse_args().exports
    genai_folder(exports / "llama-builder-int4", exports / "llama-genai-multimodal")
    positions_in_rows(exports / "qwen3-community", exports / "qwen3-community-vl")
    layer_inputs(exports / "gemma3-builder-fp32", exports / "gemma3-community-3n")


def genai_folder(source: Path, folder: Path) -> None:
    """As onnxruntime-genai's folders of models that see: its embedding puts features of images in the place of their tokens."""
    model = onnx.load(source / "model.onnx")
    table = cut(model)
    rows = [
        helper.make_node("Gather", ["model.embed_tokens.weight", "input_ids"], ["rows"]),
        helper.make_node("Equal", ["input_ids", "image_token"], ["is_image"]),
        helper.make_node("NonZero", ["is_image"], ["places"]),
        helper.make_node("Transpose", ["places"], ["positions"], perm=[1, 0]),
        helper.make_node("ScatterND", ["rows", "positions", "image_features"], [EMBEDS]),
    ]
    constants = [numpy_helper.from_array(table, "model.embed_tokens.weight"), numpy_helper.from_array(np.int64(5), "image_token")]
    features = helper.make_tensor_value_info("image_features", TensorProto.FLOAT, ["num_image_tokens", table.shape[1]])
    # An older operator set than the decoder's, as other tools write it.
    embedding = embedding_model(rows, constants, {EMBEDS: table.shape[1:]}, opset=17, inputs=[features])
    empty(folder)
    save(embedding, folder / "embedding.onnx", "embedding.onnx.data")
    save(model, folder / "text.onnx", "text.onnx.data")
    config = json.loads((source / "genai_config.json").read_text())
    decoder = config["model"]["decoder"]
    decoder["filename"] = "text.onnx"
    decoder["inputs"][EMBEDS] = EMBEDS
    del decoder["inputs"]["input_ids"]
    config["model"]["embedding"] = {
        "filename": "embedding.onnx",
        "inputs": {"input_ids": "input_ids", "image_features": "image_features"},
        "outputs": {EMBEDS: EMBEDS},
    }
    config["model"]["vision"] = {"filename": "vision.onnx"}
    write_json(folder / "genai_config.json", config)
    finish(source, folder)
    shutil.copyfile(source / "chat_template.jinja", folder / "chat_template.jinja")


def positions_in_rows(source: Path, folder: Path) -> None:
    """As onnx-community's Qwen2-VL: positions of [3, batch, sequence], embeddings in half precision, the text's configuration inside."""
    model = onnx.load(source / "onnx/model_q4.onnx")
    table = cut(model)
    rows, positions = "position_ids", "position_ids_of_text"
    for node in model.graph.node:
        node.input[:] = [positions if name == rows else name for name in node.input]
    # What a model with sections of three rows makes of three that are the same: each of them.
    index = numpy_helper.from_array(np.int64(2), "row_of_text")
    model.graph.initializer.append(index)
    model.graph.node.insert(0, helper.make_node("Gather", [rows, "row_of_text"], [positions], axis=0))
    value = next(value for value in model.graph.input if value.name == rows)
    value.CopyFrom(helper.make_tensor_value_info(rows, TensorProto.INT64, [3, "batch_size", "sequence_length"]))
    gather = [helper.make_node("Gather", ["model.embed_tokens.weight", "input_ids"], [EMBEDS])]
    halves = [numpy_helper.from_array(table.astype(np.float16), "model.embed_tokens.weight")]
    embedding = embedding_model(gather, halves, {EMBEDS: table.shape[1:]}, opset=18, type=TensorProto.FLOAT16)
    empty(folder)
    (folder / "onnx").mkdir()
    save(embedding, folder / "onnx/embed_tokens_fp16.onnx")
    save(model, folder / "onnx/decoder_model_merged_q4.onnx")
    config = json.loads((source / "config.json").read_text())
    write_json(folder / "config.json", {"model_type": "qwen3_vl", "text_config": config, "vision_config": {"hidden_size": 48}})
    shutil.copyfile(source / "generation_config.json", folder / "generation_config.json")
    write_json(folder / "chat_template.json", {"chat_template": (source / "chat_template.jinja").read_text()})
    finish(source, folder)


def layer_inputs(source: Path, folder: Path) -> None:
    """
    As onnx-community's Gemma 3n: a second output of the embedding, [batch, sequence, layers, hidden]. Here the even columns of the table
    are in the first one and the odd ones in the second's first layer, and the decoder adds them up: no bit is lost.
    """
    model = onnx.load(source / "model.onnx")
    table = cut(model)
    hidden = table.shape[1]
    even, odd = table.copy(), table.copy()
    even[:, 1::2], odd[:, 0::2] = 0, 0
    layers = np.stack([odd, np.zeros_like(odd)], axis=1)
    nodes = [
        helper.make_node("Gather", ["even", "input_ids"], [EMBEDS]),
        helper.make_node("Gather", ["layers", "input_ids"], [PER_LAYER]),
    ]
    constants = [numpy_helper.from_array(even, "even"), numpy_helper.from_array(layers, "layers")]
    embedding = embedding_model(nodes, constants, {EMBEDS: [hidden], PER_LAYER: [2, hidden]}, opset=22)
    # A name that the decoder has for something else.
    embedding.graph.initializer[0].name = embedding.graph.node[0].input[0] = model.graph.initializer[0].name
    for at, node in enumerate(
        [
            helper.make_node("ReduceSum", [PER_LAYER, "layer_axis"], ["of_layers"], keepdims=0),
            helper.make_node("Add", [EMBEDS, "of_layers"], ["hidden_states"]),
        ]
    ):
        model.graph.node.insert(at, node)
    for node in list(model.graph.node)[2:]:
        node.input[:] = ["hidden_states" if name == EMBEDS else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array([2], np.int64), "layer_axis"))
    model.graph.input.append(
        helper.make_tensor_value_info(PER_LAYER, TensorProto.FLOAT, ["batch_size", "sequence_length", 2, hidden])
    )
    empty(folder)
    (folder / "onnx").mkdir()
    save(embedding, folder / "onnx/embed_tokens.onnx", "embed_tokens.onnx_data")
    save(model, folder / "onnx/decoder_model_merged.onnx")
    text = {"head_dim": 16, "max_position_embeddings": 256, "vocab_size": 384, "eos_token_id": 2}
    write_json(folder / "config.json", {"model_type": "gemma3n", "text_config": text, "audio_config": {}})
    finish(source, folder)
    template = json.loads((source / "tokenizer_config.json").read_text()).get("chat_template")
    processor = {"chat_template": template or (source / "chat_template.jinja").read_text(), "processor_class": "Gemma3nProcessor"}
    write_json(folder / "processor_config.json", processor)


def cut(model: onnx.ModelProto) -> np.ndarray:
    """Takes the table of embeddings, [vocabulary, hidden], out of a decoder, which takes rows of it then."""
    graph = model.graph
    gather = next(node for node in graph.node if node.op_type == "Gather" and node.input[1] == "input_ids")
    tensor = next(tensor for tensor in graph.initializer if tensor.name == gather.input[0])
    table = numpy_helper.to_array(tensor)
    graph.node.remove(gather)
    if not any(tensor.name in node.input for node in graph.node):
        graph.initializer.remove(tensor)
    for node in graph.node:
        node.input[:] = [EMBEDS if name == gather.output[0] else name for name in node.input]
    tokens = next(value for value in graph.input if value.name == "input_ids")
    tokens.CopyFrom(helper.make_tensor_value_info(EMBEDS, TensorProto.FLOAT, ["batch_size", "sequence_length", table.shape[1]]))
    del graph.value_info[:]
    return table


def embedding_model(nodes, constants, outputs: dict, opset: int, inputs=(), type: int = TensorProto.FLOAT) -> onnx.ModelProto:
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
    values = [
        helper.make_tensor_value_info(name, type, ["batch_size", "sequence_length", *sizes]) for name, sizes in outputs.items()
    ]
    graph = helper.make_graph(nodes, "embedding", [ids, *inputs], values, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(model: onnx.ModelProto, file: Path, data: str | None = None) -> None:
    # What was read from external data says so still.
    for tensor in model.graph.initializer:
        del tensor.external_data[:]
        tensor.data_location = TensorProto.DEFAULT
    if data is None:
        onnx.save(model, file)
    else:
        onnx.save(model, file, save_as_external_data=True, location=data, size_threshold=256)
        (file.parent / data).chmod(0o644)


def empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def finish(source: Path, folder: Path) -> None:
    for file in TOKENIZER_FILES:
        shutil.copyfile(source / file, folder / file)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder.name}: {size} bytes", flush=True)


def write_json(file: Path, value: dict) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    main()
