"""Makes test/fixtures/gguf: tiny GGUFs of seeded transformers models, with what transformers computes on their dequantised weights.

Also `blocks.json`: random blocks of every tensor type and their weights by the gguf package.
"""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from gguf_tokenizer import write_gguf_tokenizer
from make_fixtures import LEAST_MARGIN, REPOSITORY, Fixture, _shape, greedy, transformers_model

PROMPT_LENGTHS = [1, 5, 33, 97]
LOGITS_STEPS = (0, 9, 31)
MOST_BYTES = 300_000
BLOCK_TYPES = [
    Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q4_K, Type.Q5_K, Type.Q6_K,
]  # fmt: skip
# transformers' name within a layer -> the GGUF's
LAYER_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
TOP_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


@dataclass(frozen=True)
class GgufFixture:
    model: Fixture
    type: Type
    types: dict[str, Type] = field(default_factory=dict)  # by part of the tensor's name
    rope: dict = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        return self.type in (Type.F32, Type.F16, Type.BF16)


LLAMA3_ROPE = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}  # fmt: skip
YARN_ROPE = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}
LINEAR_ROPE = {"rope_type": "linear", "factor": 2.0}
FIXTURES = [
    GgufFixture(Fixture("llama-f16", "llama", 111, _shape(4, 2)), Type.F16, rope=LLAMA3_ROPE),
    GgufFixture(Fixture("qwen2-f16", "qwen2", 222, _shape(4, 2), tied=True), Type.F16, rope=YARN_ROPE),
    GgufFixture(Fixture("qwen3-bf16", "qwen3", 333, _shape(4, 1)), Type.BF16, {"attn_q.": Type.F32}, rope=LINEAR_ROPE),
    GgufFixture(Fixture("llama-q4_1", "llama", 444, _shape(4, 2), tied=True), Type.Q4_1, {"token_embd": Type.Q8_0}),
    GgufFixture(Fixture("qwen2-q8_0", "qwen2", 555, _shape(4, 2)), Type.Q8_0),
    GgufFixture(
        Fixture("qwen3-q4_0", "qwen3", 666, _shape(4, 1)), Type.Q4_0,
        {"attn_v": Type.Q5_0, "ffn_down": Type.Q5_1, "output.": Type.Q8_0},
    ),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "test/fixtures/gguf")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for fixture in FIXTURES:
        make_fixture(fixture, folder)
    write_blocks(folder / "blocks.json")


@torch.no_grad()
def make_fixture(fixture: GgufFixture, folder: Path) -> None:
    model = transformers_model(fixture.model, fixture.rope)
    file = folder / f"{fixture.model.name}.gguf"
    writer = gguf.GGUFWriter(file, fixture.model.family)
    write_metadata(writer, fixture)
    for name, parameter in model.named_parameters():
        data, dequantised = stored(fixture, tensor_name(name), parameter.numpy())
        parameter.copy_(torch.from_numpy(dequantised))
        if fixture.model.family == "llama" and any(part in name for part in ("q_proj", "k_proj")):
            heads = fixture.model.shape.heads if "q_proj" in name else fixture.model.shape.kv_heads
            data = permuted(data[0], heads), data[1]
        writer.add_tensor(tensor_name(name), data[0], raw_dtype=data[1])
    if fixture.rope.get("rope_type") == "llama3":
        shape = fixture.model.shape
        plain = 1.0 / shape.rope_theta ** (np.arange(0, shape.head_size, 2) / shape.head_size)
        writer.add_tensor("rope_freqs.weight", (plain / model.model.rotary_emb.inv_freq.numpy()).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    prompts = references(model, fixture)
    reference = {"model": fixture.model.name, "exact": fixture.exact, "prompts": prompts}
    (folder / f"{fixture.model.name}.json").write_text(json.dumps(reference, separators=(",", ":")) + "\n")
    size = file.stat().st_size
    print(f"{file.name}: {size} bytes")
    if size > MOST_BYTES:
        raise ValueError(f"{file} has {size} bytes, {MOST_BYTES} is the limit")


def tensor_name(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    if stem in TOP_NAMES:
        return f"{TOP_NAMES[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[part]}.{kind}"


def stored(fixture: GgufFixture, name: str, weights: np.ndarray) -> tuple[tuple[np.ndarray, Type], np.ndarray]:
    """The bytes in the file with their type, and the weights that they mean."""
    kind = Type.F32 if weights.ndim == 1 else next((t for part, t in fixture.types.items() if part in name), fixture.type)
    if kind == Type.F32:
        return (weights.copy(), kind), weights.copy()
    data = gguf.quants.quantize(weights, kind)
    return (data, kind), gguf.quants.dequantize(data, kind).astype(np.float32).reshape(weights.shape)


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's order of Llama's query and key rows (convert_hf_to_gguf.py, `LlamaModel.permute`)."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def write_metadata(writer: gguf.GGUFWriter, fixture: GgufFixture) -> None:
    shape, rope = fixture.model.shape, fixture.rope
    writer.add_name(fixture.model.name)
    writer.add_context_length(shape.max_positions)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(2 * shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    if rope.get("rope_type") in ("yarn", "linear"):
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN if rope["rope_type"] == "yarn" else gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
        if "original_max_position_embeddings" in rope:
            writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    write_gguf_tokenizer(writer)


def references(model: torch.nn.Module, fixture: GgufFixture) -> list[dict]:
    """Greedy continuations of random prompts, decided clearly, with the logits of some steps."""
    random = np.random.Generator(np.random.PCG64(fixture.model.seed + 1000))
    prompts = []
    for length in PROMPT_LENGTHS:
        for _attempt in range(200):
            ids = random.integers(3, fixture.model.shape.vocabulary, length)
            generated, steps, margin = greedy(model, ids)
            if margin >= LEAST_MARGIN:
                break
        else:
            raise ValueError(f"{fixture.model.name}: no decided continuation of {length} tokens found")
        logits = {str(step): [round(float(value), 4) for value in steps[step]] for step in LOGITS_STEPS}
        prompts.append({"promptIds": ids.tolist(), "generatedIds": generated, "logits": logits})
    return prompts


def write_blocks(file: Path) -> None:
    """Random bytes as blocks; their scales are set to small numbers so that no weight is infinite."""
    random = np.random.Generator(np.random.PCG64(7))
    entries = []
    for kind in BLOCK_TYPES:
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (3 if elements > 1 else 64, size), dtype=np.uint8)
        scales = {Type.Q4_0: [0], Type.Q5_0: [0], Type.Q8_0: [0], Type.Q6_K: [208]}.get(kind, [0, 2] if elements > 1 else [])
        for at in scales:
            blocks[:, at : at + 2] = random.uniform(0.001, 0.1, len(blocks)).astype(np.float16).view(np.uint8).reshape(-1, 2)
        if not scales:
            blocks[:, 1] &= 0xBB  # exponents below infinity
        weights = gguf.quants.dequantize(blocks, kind).astype(np.float32).reshape(-1)
        entries.append(
            {
                "type": kind.name,
                "bytes": base64.b64encode(blocks.tobytes()).decode(),
                "weights": base64.b64encode(weights.astype("<f4").tobytes()).decode(),
            }
        )
    file.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()
