"""Writes a Llama-like decoder with com.microsoft GroupQueryAttention (rotary inside, KV in place).

Inputs and outputs are named as in onnxruntime-genai and onnx-community exports:
`input_ids` [batch, sequence], `attention_mask` [batch, total], `past_key_values.N.key|value` and
`present.N.key|value` [batch, kvHeads, past or capacity, headSize], `logits`.
How each matrix product is done (fp32, 4 bit, …) is the caller's `Projection`, so fixtures and the shipped model share this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from onnx_graph import OnnxGraph

# (graph, name of the matrix, input value) -> output value
Projection = Callable[[OnnxGraph, str, str], str]


@dataclass(frozen=True)
class DecoderShape:
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    max_positions: int
    rope_theta: float
    norm_epsilon: float


def rotary_caches(shape: DecoderShape) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin, each [maxPositions, headSize / 2] float32, as GroupQueryAttention reads them."""
    half = np.arange(0, shape.head_size, 2, dtype=np.float32) / np.float32(shape.head_size)
    inverse_frequency = (np.float32(1.0) / np.power(np.float32(shape.rope_theta), half, dtype=np.float32)).astype(np.float32)
    angle = np.outer(np.arange(shape.max_positions, dtype=np.float32), inverse_frequency).astype(np.float32)
    return np.cos(angle), np.sin(angle)


def build_gqa_decoder(
    shape: DecoderShape,
    *,
    name: str,
    norms: dict[str, np.ndarray],
    embed: Callable[[OnnxGraph, str], str],
    project: Projection,
    fused_qkv: bool = True,
    fused_gate_up: bool = True,
    qk_norm: bool = False,
    last_position_only: bool = True,
) -> OnnxGraph:
    """Builds the graph.

    `norms` holds `layers.N.input`, `layers.N.post_attention`, `final` and with `qk_norm` also `layers.N.q`, `layers.N.k`.
    `project` is called with `layers.N.{qkv | q, k, v}`, `layers.N.o`, `layers.N.{gate_up | gate, up}`, `layers.N.down`, `head`.
    """
    graph = OnnxGraph(name)
    ids = graph.input("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
    mask = graph.input("attention_mask", TensorProto.INT64, ["batch_size", "total_sequence_length"])
    for layer in range(shape.layers):
        for part in ("key", "value"):
            graph.input(
                f"past_key_values.{layer}.{part}", TensorProto.FLOAT, ["batch_size", shape.kv_heads, "past_sequence_length", shape.head_size]
            )
    seqlens_k, total = _lengths(graph, mask)
    cosine, sine = rotary_caches(shape)
    graph.constant("cos_cache", cosine)
    graph.constant("sin_cache", sine)

    residual = embed(graph, ids)
    branch = None  # what the last block adds to the residual; the next norm adds it
    for layer in range(shape.layers):
        prefix = f"layers.{layer}"
        normed, residual = _norm(graph, shape, f"{prefix}.input", norms, residual, branch)
        query, key, value = _attention_inputs(graph, shape, prefix, norms, project, normed, fused_qkv, qk_norm)
        attended = graph.contrib(
            "GroupQueryAttention",
            [
                query, key, value, f"past_key_values.{layer}.key", f"past_key_values.{layer}.value",
                seqlens_k, total, "cos_cache", "sin_cache",
            ],
            [f"{prefix}.attended", f"present.{layer}.key", f"present.{layer}.value"],
            num_heads=shape.heads, kv_num_heads=shape.kv_heads, do_rotary=1, rotary_interleaved=0,
            scale=float(1 / np.sqrt(shape.head_size)),
        )[0]  # fmt: skip
        if last_position_only and layer == shape.layers - 1:
            # Behind the last attention only each row's last real position is read: the others are dropped here.
            attended, residual = (_last_position(graph, value, ids, seqlens_k, total) for value in (attended, residual))
        branch = project(graph, f"{prefix}.o", attended)
        normed, residual = _norm(graph, shape, f"{prefix}.post_attention", norms, residual, branch)
        branch = project(graph, f"{prefix}.down", _gated(graph, prefix, project, normed, fused_gate_up))
    normed, _ = _norm(graph, shape, "final", norms, residual, branch, last=True)
    graph.node("Identity", [project(graph, "head", normed)], ["logits"])
    graph.output("logits", TensorProto.FLOAT, ["batch_size", 1 if last_position_only else "sequence_length", shape.vocabulary])
    for layer in range(shape.layers):
        for part in ("key", "value"):
            graph.output(f"present.{layer}.{part}", TensorProto.FLOAT, ["batch_size", shape.kv_heads, "capacity", shape.head_size])
    return graph


def _lengths(graph: OnnxGraph, mask: str) -> tuple[str, str]:
    """seqlens_k (int32 [batch], a row's length minus one) and the total length (int32 scalar)."""
    axis = graph.constant("axis_1", np.array([1], dtype=np.int64))
    one = graph.constant("one", np.array(1, dtype=np.int64))
    ones = graph.node("ReduceSum", [mask, axis], keepdims=0)
    seqlens_k = graph.node("Cast", [graph.node("Sub", [ones, one])], ["seqlens_k"], to=TensorProto.INT32)
    length = graph.node("Gather", [graph.node("Shape", [mask]), one], axis=0)
    return seqlens_k, graph.node("Cast", [length], ["total_sequence_length"], to=TensorProto.INT32)


def _last_position(graph: OnnxGraph, value: str, ids: str, seqlens_k: str, total: str) -> str:
    """[batch, sequence, hidden] -> [batch, 1, hidden]: each row's last real position.

    A row's index is clamp(seqlens_k − (total − sequence), 0, sequence − 1): right-padded first prompts, later chunks
    of one row, and ragged decode rows (sequence 1) all come out right.
    """
    if "last_index" not in graph.initializers and not any("last_index" in node.output for node in graph.nodes):
        one = graph.constant("one", np.array(1, dtype=np.int64))
        zero32 = graph.constant("zero_i32", np.array(0, dtype=np.int32))
        one32 = graph.constant("one_i32", np.array(1, dtype=np.int32))
        sequence = graph.node("Gather", [graph.node("Shape", [ids]), one], axis=0)
        sequence = graph.node("Cast", [sequence], to=TensorProto.INT32)
        past = graph.node("Sub", [total, sequence])
        index = graph.node("Sub", [seqlens_k, past])
        index = graph.node("Min", [graph.node("Max", [index, zero32]), graph.node("Sub", [sequence, one32])])
        index = graph.node("Cast", [index], to=TensorProto.INT64)
        shape = graph.constant("last_index_shape", np.array([-1, 1, 1], dtype=np.int64))
        graph.node("Reshape", [index, shape], ["last_index"])
    return graph.node("GatherND", [value, "last_index"], batch_dims=1)


def _norm(graph, shape, name, norms, residual, branch, last=False):
    """RMS norm of residual (+ branch). Returns (normed, new residual)."""
    weight = graph.constant(f"{name}.norm", norms[name].astype(np.float32))
    if branch is None:
        normed = graph.node(
            "SimplifiedLayerNormalization", [residual, weight], axis=-1, epsilon=shape.norm_epsilon, stash_type=1
        )
        return normed, residual
    outputs = [f"{name}.normed"] if last else [f"{name}.normed", "", "", f"{name}.residual"]
    graph.contrib("SkipSimplifiedLayerNormalization", [residual, branch, weight], outputs, epsilon=shape.norm_epsilon)
    return outputs[0], outputs[-1]


def _attention_inputs(graph, shape, prefix, norms, project, normed, fused_qkv, qk_norm):
    if fused_qkv and not qk_norm:
        return project(graph, f"{prefix}.qkv", normed), "", ""
    if fused_qkv:
        widths = [shape.heads * shape.head_size] + [shape.kv_heads * shape.head_size] * 2
        split = graph.constant("qkv_widths", np.array(widths, dtype=np.int64))
        query, key, value = graph.node("Split", [project(graph, f"{prefix}.qkv", normed), split], 3, axis=-1)
    else:
        query, key, value = (project(graph, f"{prefix}.{part}", normed) for part in ("q", "k", "v"))
    if qk_norm:
        query = _head_norm(graph, shape, f"{prefix}.q", norms, query, shape.heads)
        key = _head_norm(graph, shape, f"{prefix}.k", norms, key, shape.kv_heads)
    return query, key, value


def _head_norm(graph, shape, name, norms, value, heads):
    """RMS norm over each head of [batch, sequence, heads × headSize]."""
    apart = graph.constant(f"heads_apart_{heads}", np.array([0, 0, heads, shape.head_size], dtype=np.int64))
    together = graph.constant(f"heads_together_{heads}", np.array([0, 0, heads * shape.head_size], dtype=np.int64))
    weight = graph.constant(f"{name}.norm", norms[name].astype(np.float32))
    normed = graph.node(
        "SimplifiedLayerNormalization",
        [graph.node("Reshape", [value, apart]), weight],
        axis=-1, epsilon=shape.norm_epsilon, stash_type=1,
    )  # fmt: skip
    return graph.node("Reshape", [normed, together])


def _gated(graph, prefix, project, normed, fused_gate_up):
    """SiLU(gate) × up."""
    if fused_gate_up:
        gate, up = graph.node("Split", [project(graph, f"{prefix}.gate_up", normed)], 2, axis=-1, num_outputs=2)
    else:
        gate, up = project(graph, f"{prefix}.gate", normed), project(graph, f"{prefix}.up", normed)
    activated = graph.contrib("QuickGelu", [gate], alpha=1.0)  # x · sigmoid(x): SiLU in one node
    return graph.node("Mul", [activated, up])
