"""Writes a GGUF of a real model's shape with seeded random weights (Q4_0, tied embedding Q8_0): what speed is measured on where no such model can be had.

The quantized blocks themselves are drawn, so that a peer that reads the GGUF and Millrace, which imports it, hold the same weights
bit for bit. Blocks are scaled so that activations keep their size; what such a model says is meaningless, how long it takes is not.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from gguf_tokenizer import write_gguf_tokenizer


@dataclass(frozen=True)
class Shape:
    hidden: int
    feed_forward: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    context: int = 8192
    head_size: int = 64


# Those of Qwen2.5-0.5B and Qwen2.5-1.5B.
SHAPES = {
    "0.5b": Shape(896, 4864, 24, 14, 2, 151_936),
    "1.5b": Shape(1536, 8960, 28, 12, 2, 151_936, head_size=128),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    shape = SHAPES[arguments.shape]
    random = np.random.Generator(np.random.PCG64(shape.hidden))
    writer = gguf.GGUFWriter(arguments.file, "llama", use_temp_file=True)
    write_metadata(writer, arguments.shape, shape)
    for name, (rows, columns) in matrices(shape).items():
        kind = Type.Q8_0 if name == "token_embd.weight" else Type.Q4_0
        # A block's quanta are uniform: their standard deviation is 4.6 (4 bits) or 74 (8 bits) steps.
        step = 1.0 / np.sqrt(columns) / (74 if kind == Type.Q8_0 else 4.6)
        writer.add_tensor(name, blocks(random, rows, columns, kind, step), raw_dtype=kind)
    for name in norms(shape):
        writer.add_tensor(name, np.ones(shape.hidden, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def matrices(shape: Shape) -> dict[str, tuple[int, int]]:
    """Names to [output rows, input columns]."""
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    found = {"token_embd.weight": (shape.vocabulary, shape.hidden)}
    for layer in range(shape.layers):
        found |= {
            f"blk.{layer}.attn_q.weight": (queries, shape.hidden),
            f"blk.{layer}.attn_k.weight": (keys, shape.hidden),
            f"blk.{layer}.attn_v.weight": (keys, shape.hidden),
            f"blk.{layer}.attn_output.weight": (shape.hidden, queries),
            f"blk.{layer}.ffn_gate.weight": (shape.feed_forward, shape.hidden),
            f"blk.{layer}.ffn_up.weight": (shape.feed_forward, shape.hidden),
            f"blk.{layer}.ffn_down.weight": (shape.hidden, shape.feed_forward),
        }
    return found


def norms(shape: Shape) -> list[str]:
    layers = [f"blk.{layer}.{part}.weight" for layer in range(shape.layers) for part in ("attn_norm", "ffn_norm")]
    return [*layers, "output_norm.weight"]


def blocks(random: np.random.Generator, rows: int, columns: int, kind: Type, step: float) -> np.ndarray:
    """uint8 [rows, bytes of a row]: a float16 step and the quanta of each 32 weights."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    drawn = random.integers(0, 256, (rows, columns // 32, size), dtype=np.uint8)
    steps = (step * random.uniform(0.5, 1.5, (rows, columns // 32))).astype("<f2")
    drawn[:, :, :2] = steps[..., None].view(np.uint8)
    return drawn.reshape(rows, -1)


def write_metadata(writer: gguf.GGUFWriter, name: str, shape: Shape) -> None:
    writer.add_name(f"random-{name}")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    write_gguf_tokenizer(writer, shape.vocabulary)


if __name__ == "__main__":
    main()
