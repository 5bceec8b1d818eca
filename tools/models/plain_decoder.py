"""Writes a decoder in standard ONNX operators only, like optimum's merged decoder-with-past export.

Inputs: `input_ids` [batch, sequence], `attention_mask` [batch, past + sequence], `position_ids` [batch, sequence],
`past_key_values.N.key|value` [batch, heads, past, headSize] (past may be 0). Outputs: `logits` [batch, sequence, vocabulary],
`present.N.key|value` [batch, heads, past + sequence, headSize], made by Concat, so the cache grows and cannot be in place.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from gqa_decoder import DecoderShape, rotary_caches
from onnx_graph import OnnxGraph


def build_plain_decoder(shape: DecoderShape, weights: dict[str, np.ndarray], name: str) -> OnnxGraph:
    """`weights` are named as in transformers' Llama (`model.layers.0.self_attn.q_proj.weight`, …), heads == kv_heads."""
    if shape.heads != shape.kv_heads:
        raise ValueError(f"plain multi-head export needs as many KV heads as heads, got {shape.kv_heads} and {shape.heads}")
    graph = OnnxGraph(name)
    ids = graph.input("input_ids", TensorProto.INT64, ["batch", "sequence"])
    mask = graph.input("attention_mask", TensorProto.INT64, ["batch", "total"])
    positions = graph.input("position_ids", TensorProto.INT64, ["batch", "sequence"])
    for layer in range(shape.layers):
        for part in ("key", "value"):
            graph.input(f"past_key_values.{layer}.{part}", TensorProto.FLOAT, ["batch", shape.heads, "past", shape.head_size])
    bias = _attention_bias(graph, ids, mask)
    cosine, sine = (np.concatenate([half, half], axis=-1) for half in rotary_caches(shape))
    axis_1 = graph.constant("unsqueeze_1", np.array([1], dtype=np.int64))
    cosine, sine = (
        graph.node("Unsqueeze", [graph.node("Gather", [graph.constant(label, table), positions], axis=0), axis_1])
        for label, table in (("cos_table", cosine), ("sin_table", sine))
    )

    hidden = graph.node("Gather", [graph.constant("embedding", weights["model.embed_tokens.weight"]), ids], axis=0)
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}"
        normed = _rms_norm(graph, shape, f"{prefix}.input_layernorm.weight", weights, hidden)
        query, key, value = (
            _heads_first(graph, shape, _linear(graph, f"{prefix}.self_attn.{part}_proj.weight", weights, normed))
            for part in ("q", "k", "v")
        )
        query, key = _rotate(graph, shape, query, cosine, sine), _rotate(graph, shape, key, cosine, sine)
        key = graph.node("Concat", [f"past_key_values.{layer}.key", key], [f"present.{layer}.key"], axis=2)
        value = graph.node("Concat", [f"past_key_values.{layer}.value", value], [f"present.{layer}.value"], axis=2)
        scores = graph.node("MatMul", [query, graph.node("Transpose", [key], perm=[0, 1, 3, 2])])
        scale = graph.constant("attention_scale", np.array(1 / np.sqrt(shape.head_size), dtype=np.float32))
        scores = graph.node("Add", [graph.node("Mul", [scores, scale]), bias])
        attended = graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), value])
        together = graph.constant("heads_together", np.array([0, 0, shape.heads * shape.head_size], dtype=np.int64))
        attended = graph.node("Reshape", [graph.node("Transpose", [attended], perm=[0, 2, 1, 3]), together])
        hidden = graph.node("Add", [hidden, _linear(graph, f"{prefix}.self_attn.o_proj.weight", weights, attended)])
        normed = _rms_norm(graph, shape, f"{prefix}.post_attention_layernorm.weight", weights, hidden)
        gate = _linear(graph, f"{prefix}.mlp.gate_proj.weight", weights, normed)
        up = _linear(graph, f"{prefix}.mlp.up_proj.weight", weights, normed)
        gated = graph.node("Mul", [graph.node("Mul", [gate, graph.node("Sigmoid", [gate])]), up])
        hidden = graph.node("Add", [hidden, _linear(graph, f"{prefix}.mlp.down_proj.weight", weights, gated)])
    normed = _rms_norm(graph, shape, "model.norm.weight", weights, hidden)
    graph.node("MatMul", [normed, graph.constant("lm_head.weight", weights["lm_head.weight"].T)], ["logits"])
    graph.output("logits", TensorProto.FLOAT, ["batch", "sequence", shape.vocabulary])
    for layer in range(shape.layers):
        for part in ("key", "value"):
            graph.output(f"present.{layer}.{part}", TensorProto.FLOAT, ["batch", shape.heads, "total", shape.head_size])
    return graph


def _attention_bias(graph: OnnxGraph, ids: str, mask: str) -> str:
    """[batch, 1, sequence, total] float: 0 where a key may be seen (causal and unmasked), the lowest float elsewhere."""
    zero, one = (graph.constant(f"int_{n}", np.array(n, dtype=np.int64)) for n in (0, 1))
    sequence = graph.node("Gather", [graph.node("Shape", [ids]), one], axis=0)
    total = graph.node("Gather", [graph.node("Shape", [mask]), one], axis=0)
    keys = graph.node("Range", [zero, total, one])
    queries = graph.node("Range", [graph.node("Sub", [total, sequence]), total, one])
    column = graph.constant("column", np.array([-1, 1], dtype=np.int64))
    causal = graph.node("LessOrEqual", [keys, graph.node("Reshape", [queries, column])])
    axes = graph.constant("unsqueeze_1_2", np.array([1, 2], dtype=np.int64))
    real = graph.node("Cast", [graph.node("Unsqueeze", [mask, axes])], to=TensorProto.BOOL)
    lowest = graph.constant("lowest", np.array(np.finfo(np.float32).min, dtype=np.float32))
    seen = graph.constant("float_0", np.array(0, dtype=np.float32))
    return graph.node("Where", [graph.node("And", [causal, real]), seen, lowest])


def _linear(graph, name, weights, value):
    return graph.node("MatMul", [value, graph.constant(name, weights[name].T)])


def _heads_first(graph, shape, value):
    apart = graph.constant("heads_apart", np.array([0, 0, shape.heads, shape.head_size], dtype=np.int64))
    return graph.node("Transpose", [graph.node("Reshape", [value, apart])], perm=[0, 2, 1, 3])


def _rotate(graph, shape, value, cosine, sine):
    halves = graph.constant("head_halves", np.array([shape.head_size // 2] * 2, dtype=np.int64))
    first, second = graph.node("Split", [value, halves], 2, axis=-1)
    turned = graph.node("Concat", [graph.node("Neg", [second]), first], axis=-1)
    return graph.node("Add", [graph.node("Mul", [value, cosine]), graph.node("Mul", [turned, sine])])


def _rms_norm(graph, shape, name, weights, value):
    two = graph.constant("float_2", np.array(2, dtype=np.float32))
    epsilon = graph.constant("norm_epsilon", np.array(shape.norm_epsilon, dtype=np.float32))
    mean = graph.node("ReduceMean", [graph.node("Pow", [value, two])], axes=[-1], keepdims=1)
    deviation = graph.node("Sqrt", [graph.node("Add", [mean, epsilon])])
    return graph.node("Mul", [graph.node("Div", [value, deviation]), graph.constant(name, weights[name])])
