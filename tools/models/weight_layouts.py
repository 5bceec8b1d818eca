"""Ways to hold one Q4_1 matrix in an ONNX graph. Each takes (graph, name, input value, matrix) and returns the product.

All but `row` are MatMulNBits with blocks of 32 and accuracy level 4: a row's result is then bitwise the same in every batch.
float16 scales are cast to float32 by a node that ONNX Runtime folds once at load.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from gguf_model import BLOCK, Q41, Q80
from onnx_graph import OnnxGraph


def nb8(graph: OnnxGraph, name: str, value: str, matrix: Q41) -> str:
    """8 bits at run time, 4 in the file: w = (17·q − round(17·z))·delta/17 with z = −minimum/delta in [0, 15].

    The quanta stand on a grid 17 times finer, so the offset, which is no multiple of delta, is exact to delta/34.
    17·q is q in both nibbles of the byte; the nodes that put it there are folded at load.
    """
    bits = graph.constant(f"{name}.q", matrix.q[..., :16] | matrix.q[..., 16:] << 4)
    four, low = graph.constant("u8_4", np.array(4, np.uint8)), graph.constant("u8_15", np.array(15, np.uint8))
    halves = [graph.node("BitwiseAnd", [bits, low]), graph.node("BitShift", [bits, four], direction="RIGHT")]
    quanta = graph.node("Concat", halves, axis=-1)
    spread = graph.node("BitwiseOr", [quanta, graph.node("BitShift", [quanta, four], direction="LEFT")])
    zero = np.clip(np.round(-17 * matrix.minimum / matrix.delta), 0, 255).astype(np.uint8)
    scales = graph.node("Mul", [_half(graph, f"{name}.scale", matrix.delta), graph.constant("f32_1_17", np.array(1 / 17, np.float32))])
    return _nbits(graph, [value, spread, scales, graph.constant(f"{name}.zero", zero)], matrix, 8)


def nb4(graph: OnnxGraph, name: str, value: str, matrix: Q41) -> str:
    """4 bits with an integer zero point: scale and zero point refitted by least squares; lossy."""
    quanta, scale, zero = refit_integer_zero_point(matrix)
    packed = quanta[..., 0::2] | quanta[..., 1::2] << 4
    inputs = [value, graph.constant(f"{name}.q", packed), _half(graph, f"{name}.scale", scale)]
    return _nbits(graph, [*inputs, graph.constant(f"{name}.zero", zero[:, 0::2] | zero[:, 1::2] << 4)], matrix, 4)


def nb4_sums(graph: OnnxGraph, name: str, value: str, matrix: Q41) -> str:
    """4 bits, exact: delta·(q − 8) by MatMulNBits plus (minimum + 8·delta) times the input's block sums in float32."""
    packed = matrix.q[..., 0::2] | matrix.q[..., 1::2] << 4
    product = _nbits(graph, [value, graph.constant(f"{name}.q", packed), _half(graph, f"{name}.scale", matrix.delta)], matrix, 4)
    offsets = _half(graph, f"{name}.offset", (matrix.minimum + 8 * matrix.delta).T)
    return graph.node("Add", [product, graph.node("MatMul", [_block_sums(graph, value, matrix), offsets])])


def nb4_columns(graph: OnnxGraph, name: str, value: str, matrix: Q41) -> str:
    """4 bits, near exact: integer zero points, and the remainder of the offset as extra columns fed with the block sums."""
    zero = np.clip(np.round(-matrix.minimum / matrix.delta), 0, 15)
    rest = matrix.minimum + zero * matrix.delta  # |rest| ≤ delta / 2
    blocks = rest.shape[1]
    width = -(-blocks // BLOCK) * BLOCK
    rest = np.pad(rest, ((0, 0), (0, width - blocks))).reshape(rest.shape[0], -1, BLOCK)
    # each extra block: symmetric around 8, levels −7 … 7
    rest_scale = np.maximum(np.abs(rest).max(-1) / 7, 1e-8).astype(np.float16).astype(np.float32)
    rest_q = np.clip(np.round(rest / rest_scale[..., None]) + 8, 0, 15).astype(np.uint8)
    q = np.concatenate([matrix.q, rest_q], axis=1)
    scale = np.concatenate([matrix.delta, rest_scale], axis=1)
    zero = np.concatenate([zero, np.full(rest_scale.shape, 8)], axis=1).astype(np.uint8)
    if zero.shape[1] % 2:
        zero = np.pad(zero, ((0, 0), (0, 1)), constant_values=8)
    key = f"{value}.widened"
    if not any(key in node.output for node in graph.nodes):
        sums = np.pad(np.kron(np.eye(blocks, dtype=np.float32), np.ones((BLOCK, 1), np.float32)), ((0, 0), (0, width - blocks)))
        total = graph.node("MatMul", [value, graph.constant(f"block_sums_{blocks}_{width}", sums)])
        graph.node("Concat", [value, total], [key], axis=-1)
    wide = Q41(q, scale, scale)
    inputs = [key, graph.constant(f"{name}.q", q[..., 0::2] | q[..., 1::2] << 4), _half(graph, f"{name}.scale", scale)]
    return _nbits(graph, [*inputs, graph.constant(f"{name}.zero", zero[:, 0::2] | zero[:, 1::2] << 4)], wide, 4)


def row(graph: OnnxGraph, name: str, value: str, matrix: Q41) -> str:
    """int8 per output channel, activations int8 per row."""
    weights = matrix.dense()
    scale = np.abs(weights).max(1) / 127
    one, middle = graph.constant("f32_1", np.ones(1, np.float32)), graph.constant("u8_128", np.array(128, np.uint8))
    quantized, row_scale = f"{value}.row_q", f"{value}.row_scale"
    if not any(quantized in node.output for node in graph.nodes):
        axes = graph.constant("i64_minus_1", np.array([-1], np.int64))
        greatest = graph.node("ReduceMax", [graph.node("Abs", [value]), axes], keepdims=1)
        graph.node("Div", [greatest, graph.constant("f32_127", np.array([127], np.float32))], [row_scale])
        graph.node("QuantizeLinear", [graph.node("Div", [value, row_scale]), one, middle], [quantized])
    quanta = graph.constant(f"{name}.q", np.round(weights / scale[:, None]).astype(np.int8).T)
    product = graph.contrib(
        "MatMulIntegerToFloat", [quantized, quanta, one, graph.constant(f"{name}.scale", scale.astype(np.float32)), middle]
    )
    return graph.node("Mul", [product, row_scale])


def dense(graph: OnnxGraph, name: str, value: str, matrix: Q41) -> str:
    """float32: what the others are compared with."""
    return graph.node("MatMul", [value, graph.constant(name, matrix.dense().T)])


LAYOUTS = {layout.__name__: layout for layout in (nb8, nb4, nb4_sums, nb4_columns, row, dense)}


def embedding_lookup(graph: OnnxGraph, ids: str, matrix: Q80) -> str:
    """8-bit rows, exactly the GGUF's; the same initializers serve `embedding_head`."""
    data, scales = _embedding(graph, matrix)
    rows, blocks, _ = matrix.q.shape
    gathered = graph.contrib(
        "GatherBlockQuantized", [data, ids, scales], gather_axis=0, quantize_axis=2, block_size=BLOCK, bits=8
    )
    return graph.node("Reshape", [gathered, graph.constant("hidden_together", np.array([0, 0, blocks * BLOCK], np.int64))])


def embedding_head(graph: OnnxGraph, value: str, matrix: Q80) -> str:
    data, scales = _embedding(graph, matrix)
    rows, blocks, _ = matrix.q.shape
    flat = graph.node("Reshape", [scales, graph.constant("head_scales", np.array([rows, blocks], np.int64))])
    return graph.contrib(
        "MatMulNBits", [value, data, flat], K=blocks * BLOCK, N=rows, bits=8, block_size=BLOCK, accuracy_level=4
    )


def _embedding(graph: OnnxGraph, matrix: Q80) -> tuple[str, str]:
    # Both operators take unsigned bytes around 128 when no zero point is given.
    data = graph.constant("embedding.q", (matrix.q.astype(np.int16) + 128).astype(np.uint8))
    if not any("embedding.scale.f32" in node.output for node in graph.nodes):
        half = graph.constant("embedding.scale", matrix.delta.astype(np.float16)[..., None])
        graph.node("Cast", [half], ["embedding.scale.f32"], to=TensorProto.FLOAT)
    return data, "embedding.scale.f32"


def refit_integer_zero_point(matrix: Q41) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The least-squares (scale, integer zero point) near each block's own. Returns quanta, scale, zero point."""
    weights = matrix.q * matrix.delta[..., None] + matrix.minimum[..., None]
    exact = -matrix.minimum / matrix.delta
    best_error = np.full(exact.shape, np.inf, np.float32)
    best = (np.zeros_like(matrix.q), matrix.delta.copy(), np.zeros(exact.shape, np.uint8))
    for shift in (0, 1):
        zero = np.clip(np.floor(exact) + shift, 0, 15).astype(np.float32)
        for stretch in (0.94, 0.97, 1.0, 1.03, 1.06):
            q = np.clip(np.round(weights / (matrix.delta * stretch)[..., None]) + zero[..., None], 0, 15)
            centred = q - zero[..., None]
            scale = ((weights * centred).sum(-1) / np.maximum((centred**2).sum(-1), 1)).astype(np.float16).astype(np.float32)
            error = ((weights - centred * scale[..., None]) ** 2).sum(-1)
            better = error < best_error
            best_error = np.where(better, error, best_error)
            best[0][better], best[1][better], best[2][better] = q[better], scale[better], zero[better]
    return best


def _half(graph: OnnxGraph, name: str, scale: np.ndarray) -> str:
    return graph.node("Cast", [graph.constant(name, scale.astype(np.float16))], to=TensorProto.FLOAT)


def _nbits(graph: OnnxGraph, inputs: list[str], matrix: Q41, bits: int) -> str:
    rows, blocks, _ = matrix.q.shape
    return graph.contrib(
        "MatMulNBits", inputs, K=blocks * BLOCK, N=rows, bits=bits, block_size=BLOCK, accuracy_level=4
    )


def _block_sums(graph: OnnxGraph, value: str, matrix: Q41) -> str:
    key = f"{value}.sums"
    if not any(key in node.output for node in graph.nodes):
        shape = graph.constant(f"blocks_{matrix.q.shape[1]}", np.array([0, 0, matrix.q.shape[1], BLOCK], np.int64))
        axes = graph.constant("i64_minus_1", np.array([-1], np.int64))
        graph.node("ReduceSum", [graph.node("Reshape", [value, shape]), axes], [key], keepdims=0)
    return key
