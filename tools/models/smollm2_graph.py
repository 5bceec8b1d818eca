"""SmolLM2's decoder graph with a chosen weight layout for each kind of matrix."""

from __future__ import annotations

from gguf_model import GgufModel, Q41
from gqa_decoder import DecoderShape, build_gqa_decoder
from onnx_graph import OnnxGraph
from weight_layouts import LAYOUTS, embedding_head, embedding_lookup

OPSET = 21
FUSED = {"qkv": ["q", "k", "v"], "gate_up": ["gate", "up"]}


def smollm2_graph(
    gguf: GgufModel, layouts: dict[str, str], *, fused_gate_up: bool = True, last_position_only: bool = True
) -> OnnxGraph:
    """`layouts`: part (qkv, o, gate_up or gate and up, down) or `*` → a name of weight_layouts.LAYOUTS."""
    shape = DecoderShape(
        layers=gguf.layers, hidden=gguf.hidden, heads=gguf.heads, kv_heads=gguf.kv_heads, head_size=gguf.head_size,
        vocabulary=gguf.vocabulary, max_positions=gguf.context_length, rope_theta=gguf.rope_theta,
        norm_epsilon=gguf.norm_epsilon,
    )  # fmt: skip

    def project(graph: OnnxGraph, name: str, value: str) -> str:
        if name == "head":
            return embedding_head(graph, value, gguf.embedding)
        _, layer, part = name.split(".")
        matrix = Q41.stacked([gguf.matrix(int(layer), piece) for piece in FUSED.get(part, [part])])
        return LAYOUTS[layouts.get(part) or layouts["*"]](graph, name, value, matrix)

    norms = {"final": gguf.norm("output_norm.weight")}
    for layer in range(gguf.layers):
        norms[f"layers.{layer}.input"] = gguf.norm(f"blk.{layer}.attn_norm.weight")
        norms[f"layers.{layer}.post_attention"] = gguf.norm(f"blk.{layer}.ffn_norm.weight")
    return build_gqa_decoder(
        shape,
        name="smollm2-135m-instruct",
        norms=norms,
        embed=lambda graph, ids: embedding_lookup(graph, ids, gguf.embedding),
        project=project,
        fused_gate_up=fused_gate_up,
        last_position_only=last_position_only,
    )
