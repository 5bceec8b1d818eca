"""Makes the fixture models under test/fixtures/models and their references from transformers. See README.md."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers

from decoder_session import DecoderSession
from fixture_tokenizer import CHAT_TEMPLATE, VOCABULARY, make_fixture_tokenizer, write_tokenizer
from gqa_decoder import DecoderShape, build_gqa_decoder
from onnx_graph import OnnxGraph
from plain_decoder import build_plain_decoder

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATED_TOKENS = 64
LEAST_MARGIN = 5e-3  # between the two best logits at every generated position
LEAST_DISTINCT_TOKENS = 16  # of 64: no reference is a loop of a few tokens
MOST_LOGITS_DIFFERENCE = 1e-3
FULL_LOGITS_STEPS = (0, 9, 40)  # index of the generated token that these logits choose
PROMPT_LENGTHS = [1, 2, 3, 5, 8, 13, 17, 24, 31, 32, 33, 34, 40, 48, 63, 64, 65, 66, 80, 97, 128, 129, 200, 300]
FULL_LOGITS_LENGTHS = {1, 5, 24, 32, 33, 65, 97, 129, 200, 300}
OPSET = {"gqa": 21, "plain": 17}


@dataclass(frozen=True)
class Fixture:
    name: str
    family: str
    seed: int
    shape: DecoderShape
    tied: bool = False
    last_position_only: bool = False
    plain: bool = False


def _shape(heads: int, kv_heads: int) -> DecoderShape:
    return DecoderShape(
        layers=2, hidden=64, heads=heads, kv_heads=kv_heads, head_size=16, vocabulary=VOCABULARY,
        max_positions=512, rope_theta=10_000.0, norm_epsilon=1e-6,
    )  # fmt: skip


FIXTURES = [
    Fixture("tiny-llama", "llama", 11, _shape(4, 2)),
    Fixture("tiny-qwen2", "qwen2", 22, _shape(4, 2), last_position_only=True),
    Fixture("tiny-qwen3", "qwen3", 33, _shape(4, 1)),
    Fixture("tiny-mha", "llama", 44, _shape(4, 4), plain=True),
]
CONVERSATIONS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [{"role": "system", "content": "Answer in one word."}, {"role": "user", "content": "2 + 2 = ?"}],
    [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi! How can I help?"},
        {"role": "user", "content": "Tell me about the water\nand the wheel."},
    ],
    [{"role": "user", "content": "Größe: 5 µm — naïve café, 東京, Ελλάδα 🎉👩‍👩‍👧 \t tab  two spaces "}],
    [{"role": "user", "content": ""}],
    [{"role": "system", "content": "  leading and trailing  \n"}, {"role": "user", "content": "```js\nconst a = {};\n```"}],
]
TEXTS = ["a", " water", "The wheel turns.\n\n", "1234567890", "it's we'll", "ÿ\u0000\u00a0", "日本語🎌", "   x", "<|im_end", "im_start|>"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "test/fixtures/models")
    parser.add_argument("names", nargs="*", help="only these fixtures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for fixture in FIXTURES:
        if not arguments.names or fixture.name in arguments.names:
            make_fixture(fixture, arguments.out / fixture.name)


def make_fixture(fixture: Fixture, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_fixture_tokenizer()
    write_tokenizer(folder, tokenizer, fixture.shape.max_positions)
    (folder / "config.json").write_text(json.dumps(model_config(fixture, tokenizer), indent=2) + "\n")
    generation = {"eos_token_id": tokenizer.token_to_id("<|im_end|>"), "pad_token_id": 0, "do_sample": False}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    model = transformers_model(fixture)
    weights = {name: parameter.detach().numpy().copy() for name, parameter in model.named_parameters()}
    if fixture.plain:
        graph = build_plain_decoder(fixture.shape, weights, fixture.name)
    else:
        graph = gqa_graph(fixture, weights)
    graph.save(folder / "model.onnx", OPSET["plain" if fixture.plain else "gqa"])
    prompts, logits = references(model, fixture)
    worst = verify(folder / "model.onnx", prompts, logits)
    write_references(folder, fixture, prompts, logits, worst)
    size = sum(file.stat().st_size for file in folder.iterdir())
    margin = min(prompt["leastMargin"] for prompt in prompts)
    print(f"{fixture.name}: {len(prompts)} prompts, least margin {margin:.4f}, logits differ by ≤ {worst:.1e}, {size} bytes")
    if size >= 1_000_000:
        raise ValueError(f"{fixture.name} has {size} bytes, 1 MB is the limit")


def model_config(fixture: Fixture, tokenizer) -> dict:
    """config.json with the keys that Hugging Face exports carry."""
    shape = fixture.shape
    architecture = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}[fixture.family]
    return {
        "architectures": [architecture],
        "model_type": fixture.family,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": 2 * shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.max_positions,
        "rope_theta": shape.rope_theta,
        "rms_norm_eps": shape.norm_epsilon,
        "hidden_act": "silu",
        "tie_word_embeddings": fixture.tied,
        "bos_token_id": None,
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "pad_token_id": tokenizer.token_to_id("<|endoftext|>"),
        "torch_dtype": "float32",
    }


def transformers_model(fixture: Fixture, rope: dict | None = None) -> torch.nn.Module:
    """The transformers model with seeded weights, scaled so that greedy output varies and is decided clearly."""
    shape = fixture.shape
    classes = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
        "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
    }
    config_class, model_class = classes[fixture.family]
    config = config_class(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=2 * shape.hidden,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size, max_position_embeddings=shape.max_positions, rms_norm_eps=shape.norm_epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta} | (rope or {}), tie_word_embeddings=fixture.tied,
        attn_implementation="eager", bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    model = model_class(config).to(torch.float32).eval()
    random = np.random.Generator(np.random.PCG64(fixture.seed))
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = random.standard_normal(parameter.shape, dtype=np.float64)
            if "norm" in name:
                value = 1 + 0.2 * noise
            elif name.endswith("bias"):
                value = 0.5 * noise
            elif "embed_tokens" in name:
                value = 0.7 * noise
            elif "lm_head" in name:
                value = 0.8 * noise
            else:
                gain = {"q_proj": 1.6, "k_proj": 1.6, "v_proj": 2.0, "o_proj": 2.0}.get(name.split(".")[-2], 1.8)
                value = gain * noise / np.sqrt(parameter.shape[1])
            parameter.copy_(torch.from_numpy(value.astype(np.float32)))
    return model


def gqa_graph(fixture: Fixture, weights: dict[str, np.ndarray]) -> OnnxGraph:
    """GroupQueryAttention form: qkv packed without biases (tiny-llama), three matrices otherwise."""
    parts = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj"}
    parts |= {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}

    def matrix(name: str, kind: str) -> np.ndarray | None:
        if name == "head":
            return weights["lm_head.weight"] if kind == "weight" else None
        _, layer, part = name.split(".")
        pieces = {"qkv": ["q", "k", "v"], "gate_up": ["gate", "up"]}.get(part, [part])
        found = [weights.get(f"model.layers.{layer}.{parts[piece]}.{kind}") for piece in pieces]
        return None if any(piece is None for piece in found) else np.concatenate(found, axis=0)

    def project(graph: OnnxGraph, name: str, value: str) -> str:
        product = graph.node("MatMul", [value, graph.constant(f"{name}.weight", matrix(name, "weight").T)])
        bias = matrix(name, "bias")
        return product if bias is None else graph.node("Add", [product, graph.constant(f"{name}.bias", bias)])

    norms = {"final": weights["model.norm.weight"]}
    for layer in range(fixture.shape.layers):
        for ours, theirs in (
            ("input", "input_layernorm"), ("post_attention", "post_attention_layernorm"),
            ("q", "self_attn.q_norm"), ("k", "self_attn.k_norm"),
        ):  # fmt: skip
            weight = weights.get(f"model.layers.{layer}.{theirs}.weight")
            if weight is not None:
                norms[f"layers.{layer}.{ours}"] = weight
    return build_gqa_decoder(
        fixture.shape,
        name=fixture.name,
        norms=norms,
        embed=lambda graph, ids: graph.node(
            "Gather", [graph.constant("embedding", weights["model.embed_tokens.weight"]), ids], axis=0
        ),
        project=project,
        fused_qkv=fixture.family == "llama",
        fused_gate_up=fixture.family == "llama",
        qk_norm=fixture.family == "qwen3",
        last_position_only=fixture.last_position_only,
    )


def references(model: torch.nn.Module, fixture: Fixture) -> tuple[list[dict], list[np.ndarray]]:
    """Greedy continuations of random prompts; a prompt whose continuation is undecided or dull is drawn again."""
    random = np.random.Generator(np.random.PCG64(fixture.seed + 1000))
    prompts, logits = [], []
    for length in PROMPT_LENGTHS:
        for _attempt in range(200):
            ids = random.integers(3, fixture.shape.vocabulary, length)
            generated, steps, margin = greedy(model, ids)
            if margin >= LEAST_MARGIN and len(set(generated)) >= LEAST_DISTINCT_TOKENS:
                break
        else:
            raise ValueError(f"{fixture.name}: no decided, varied continuation of {length} tokens found")
        prompt = {"promptIds": ids.tolist(), "generatedIds": generated, "leastMargin": round(margin, 6)}
        if length in FULL_LOGITS_LENGTHS:
            prompt["logits"] = []
            for step in FULL_LOGITS_STEPS:
                prompt["logits"].append({"generatedIndex": step, "offset": sum(value.size for value in logits)})
                logits.append(steps[step])
        prompts.append(prompt)
    return prompts, logits


@torch.no_grad()
def greedy(model: torch.nn.Module, ids: np.ndarray) -> tuple[list[int], list[np.ndarray], float]:
    """64 greedy tokens without stopping at any of them, each one's logits, and the least margin of best over second."""
    generated, steps, margin = [], [], float("inf")
    output = model(input_ids=torch.from_numpy(ids)[None], use_cache=True)
    for _ in range(GENERATED_TOKENS):
        row = output.logits[0, -1].to(torch.float32)
        best = torch.topk(row, 2).values
        margin = min(margin, float(best[0] - best[1]))
        steps.append(row.numpy().copy())
        generated.append(int(row.argmax()))
        output = model(input_ids=torch.tensor([[generated[-1]]]), past_key_values=output.past_key_values, use_cache=True)
    return generated, steps, margin


def verify(file: Path, prompts: list[dict], logits: list[np.ndarray]) -> float:
    """Every prompt through onnxruntime: same tokens, logits within the bound. Returns the largest difference."""
    session, worst, index = DecoderSession(file), 0.0, 0
    for prompt in prompts:
        session.reset(1)
        row = session.step(np.array([prompt["promptIds"]]))[0, -1]
        wanted = {entry["generatedIndex"] for entry in prompt.get("logits", [])}
        for step, token in enumerate(prompt["generatedIds"]):
            if step in wanted:
                worst = max(worst, float(np.abs(row - logits[index]).max()))
                index += 1
            if int(row.argmax()) != token:
                raise ValueError(f"{file}: token {step} after {len(prompt['promptIds'])} is {row.argmax()}, reference {token}")
            row = session.step(np.array([[token]]))[0, -1]
    if worst > MOST_LOGITS_DIFFERENCE:
        raise ValueError(f"{file}: logits differ by {worst}, the bound is {MOST_LOGITS_DIFFERENCE}")
    return worst


def write_references(folder: Path, fixture: Fixture, prompts: list[dict], logits: list[np.ndarray], worst: float) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template != CHAT_TEMPLATE:
        raise ValueError(f"{folder}: transformers did not read chat_template.jinja")
    renderings = []
    for messages in CONVERSATIONS:
        for add in (True, False):
            text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=add)
            ids = tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=add, return_dict=True)["input_ids"]
            renderings.append({"messages": messages, "addGenerationPrompt": add, "text": text, "tokenIds": list(ids)})
    encodings = [{"text": text, "tokenIds": tokenizer.encode(text, add_special_tokens=False)} for text in TEXTS]
    for entry in encodings:
        if tokenizer.decode(entry["tokenIds"]) != entry["text"]:
            raise ValueError(f"{folder}: {entry['text']!r} does not come back from its tokens")
    reference = {
        "model": fixture.name,
        "madeWith": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "seed": fixture.seed},
        "vocabularySize": fixture.shape.vocabulary,
        "logitsFile": "reference-logits.f32",
        "largestLogitsDifference": worst,
        "prompts": prompts,
        "expectedRendering": renderings,
        "expectedEncoding": encodings,
    }
    lines = json.dumps(reference, ensure_ascii=False, separators=(",", ":"))
    (folder / "reference.json").write_text(lines.replace('{"promptIds"', '\n{"promptIds"').replace('{"messages"', '\n{"messages"') + "\n")
    np.concatenate(logits).astype("<f4").tofile(folder / "reference-logits.f32")


if __name__ == "__main__":
    main()
