"""Runs a decoder (GroupQueryAttention or plain) in Python's onnxruntime, to check what the tools write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime


class DecoderSession:
    """One batch of rows with its KV cache; `step` feeds the same number of tokens to every row."""

    def __init__(self, model: Path, threads: int = 2):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        inputs = {value.name: value for value in self.session.get_inputs()}
        self.takes_positions = "position_ids" in inputs
        self.past_names = [name for name in inputs if name.startswith("past_key_values.")]
        self.kv_heads, self.head_size = inputs[self.past_names[0]].shape[1], inputs[self.past_names[0]].shape[3]
        self.present_names = [name.replace("past_key_values", "present") for name in self.past_names]
        self.cache: list[np.ndarray] = []
        self.length = 0

    def reset(self, rows: int) -> None:
        self.cache = [np.zeros((rows, self.kv_heads, 0, self.head_size), np.float32) for _ in self.past_names]
        self.length = 0

    def step(self, ids: np.ndarray) -> np.ndarray:
        """ids [rows, sequence] → logits [rows, sequence or 1, vocabulary]."""
        rows, sequence = ids.shape
        if not self.cache:
            self.reset(rows)
        self.length += sequence
        feeds = {"input_ids": ids.astype(np.int64), "attention_mask": np.ones((rows, self.length), np.int64)}
        if self.takes_positions:
            feeds["position_ids"] = np.tile(np.arange(self.length - sequence, self.length, dtype=np.int64), (rows, 1))
        feeds.update(zip(self.past_names, self.cache))
        logits, *self.cache = self.session.run(["logits", *self.present_names], feeds)
        return logits


class InPlaceDecoderSession:
    """A GroupQueryAttention decoder whose past and present are one buffer of [slots, kvHeads, capacity, headSize] per tensor."""

    def __init__(self, model: Path, slots: int, capacity: int, threads: int = 2):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        inputs = {value.name: value for value in self.session.get_inputs()}
        self.past_names = [name for name in inputs if name.startswith("past_key_values.")]
        kv_heads, head_size = inputs[self.past_names[0]].shape[1], inputs[self.past_names[0]].shape[3]
        self.cache = {name: np.zeros((slots, kv_heads, capacity, head_size), np.float32) for name in self.past_names}
        logits = next(value for value in self.session.get_outputs() if value.name == "logits")
        self.last_position_only, self.vocabulary = logits.shape[1] == 1, logits.shape[2]

    def step(self, ids: np.ndarray, lengths: list[int], first_slot: int = 0) -> np.ndarray:
        """ids [rows, sequence] for the slots from `first_slot` on; lengths [rows] after this step, this step's tokens included.

        Rows may be ragged at sequence 1, and as right-padded first prompts. Returns [rows, sequence or 1, vocabulary].
        """
        rows, sequence = ids.shape
        ids = np.ascontiguousarray(ids, np.int64)
        mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
        logits = np.empty((rows, 1 if self.last_position_only else sequence, self.vocabulary), np.float32)
        binding = self.session.io_binding()
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("attention_mask", mask)
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        for name in self.past_names:
            view = self.cache[name][first_slot : first_slot + rows]
            binding.bind_input(name, "cpu", 0, np.float32, view.shape, view.ctypes.data)
            present = name.replace("past_key_values", "present")
            binding.bind_output(present, "cpu", 0, np.float32, view.shape, view.ctypes.data)
        self.session.run_with_iobinding(binding)
        return logits


def invariance_differences(session: InPlaceDecoderSession, prompts: list[list[int]], steps: int = 3) -> dict[str, float]:
    """Largest logit differences: a row alone against in a ragged batch, and a prompt whole against in chunks. 0 is bitwise equal.

    `prompts` need different lengths; the session needs 2 × len(prompts) slots.
    """
    rows, vocabulary = len(prompts), session.vocabulary
    differences = {"batch": 0.0, "chunks": 0.0, "padded prefill": 0.0}
    alone_slot, first = rows, []
    for row, prompt in enumerate(prompts):
        whole = session.step(np.array([prompt]), [len(prompt)], alone_slot + row)[0, -1].copy()
        first.append(whole)
        for size in (16, 32):
            edges = list(range(0, len(prompt), size)) + [len(prompt)]
            if len(edges) > 2 and edges[-1] - edges[-2] == 1:  # never leave one token for the last chunk
                edges[-2] -= 2
            for begin, end in zip(edges, edges[1:]):
                chunked = session.step(np.array([prompt[begin:end]]), [end], row)[0, -1]
            differences["chunks"] = max(differences["chunks"], float(np.abs(chunked - whole).max()))
    # Right-padded first prompts in one batch, into the slots 0 … rows−1.
    longest = max(map(len, prompts))
    padded = np.zeros((rows, longest), np.int64)
    for row, prompt in enumerate(prompts):
        padded[row, : len(prompt)] = prompt
    batch = session.step(padded, [len(prompt) for prompt in prompts])
    for row, prompt in enumerate(prompts):
        last = batch[row, 0 if session.last_position_only else len(prompt) - 1]
        differences["padded prefill"] = max(differences["padded prefill"], float(np.abs(last - first[row]).max()))
    for row, prompt in enumerate(prompts):  # the same KV in both halves, then decode alone and together
        for cache in session.cache.values():
            cache[row] = cache[alone_slot + row]
    for step in range(steps):
        tokens = [(7 * step + 13 * row + 5) % vocabulary for row in range(rows)]
        lengths = [len(prompt) + step + 1 for prompt in prompts]
        together = session.step(np.array(tokens)[:, None], lengths)
        for row in range(rows):
            alone = session.step(np.array([[tokens[row]]]), [lengths[row]], alone_slot + row)
            differences["batch"] = max(differences["batch"], float(np.abs(alone[0] - together[row]).max()))
    return differences
