"""Tiny seeded decoders of the families that people export, in transformers, and what transformers computes with them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import numpy as np
import torch
import transformers

VOCABULARY = 384
POSITIONS = 256
LAYERS = 2
BLOCK = 32
GENERATED_TOKENS = 32
PROMPT_LENGTHS = [1, 2, 7, 17, 31, 33, 40, 66, 90]
LOGITS_AT = {(17, 0), (31, 20), (40, 0), (40, 9), (90, 0)}  # prompt's length, index of the generated token
CANDIDATES = 96


@dataclass(frozen=True)
class Family:
    """A family by transformers' model type; `changes` are fields of its configuration."""

    name: str
    model_type: str
    seed: int
    changes: dict = field(default_factory=dict)
    layers: int = LAYERS
    # Of a model that sees, what its eyes' configuration has; the text's is inside of the model's then.
    vision: dict | None = None


_GEMMA_3 = {
    "sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 16,
}  # fmt: skip
_GPT_OSS = {
    "sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"],
    "num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 32,
    "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "beta_fast": 4.0, "beta_slow": 1.0, "truncate": False,
        "original_max_position_embeddings": 64,
    },
}  # fmt: skip
_LONG_ROPE = {
    "rope_parameters": {
        "rope_type": "longrope", "type": "longrope", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5,
        "short_factor": [1.0 + 0.05 * i for i in range(8)], "long_factor": [1.5 + 0.3 * i for i in range(8)],
        "original_max_position_embeddings": 64,
    },
    "original_max_position_embeddings": 64, "partial_rotary_factor": 0.5, "sliding_window": None,
}  # fmt: skip

FAMILIES = [
    Family("llama", "llama", 101),
    Family("smollm2", "llama", 102, {"tie_word_embeddings": True, "num_attention_heads": 2}),
    Family("mistral", "mistral", 103, {"sliding_window": None}),
    Family("mistral-window", "mistral", 104, {"sliding_window": 24}),
    Family("qwen2", "qwen2", 105, {"tie_word_embeddings": True}),
    Family("qwen3", "qwen3", 106),
    Family("smollm3", "smollm3", 107, {"no_rope_layers": [1, 0], "no_rope_layer_interval": 2, "tie_word_embeddings": True}),
    Family("phi3", "phi3", 108, {"num_attention_heads": 2, "num_key_value_heads": 1, "original_max_position_embeddings": POSITIONS, "sliding_window": None}),
    Family("phi4-mini", "phi3", 109, {
        "tie_word_embeddings": True, "hidden_size": 64, "head_dim": 32, "num_attention_heads": 2, "num_key_value_heads": 1,
    } | _LONG_ROPE),
    Family("gemma", "gemma", 110, {"num_key_value_heads": 1}),
    Family("gemma2", "gemma2", 111, {
        "sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 16,
        "attn_logit_softcapping": 5.0, "final_logit_softcapping": 20.0,
    }),
    Family("gemma3", "gemma3_text", 112, _GEMMA_3),
    Family("gpt-oss", "gpt_oss", 113, _GPT_OSS),
    Family("phi4", "phi3", 114, {"original_max_position_embeddings": POSITIONS, "sliding_window": None}),
    Family("lfm2", "lfm2", 116, {
        "num_attention_heads": 2, "num_key_value_heads": 1, "block_auto_adjust_ff_dim": False, "tie_word_embeddings": True,
        "layer_types": ["conv", "full_attention", "conv", "full_attention", "conv"],
    }, layers=5),
    Family("qwen3.5", "qwen3_5", 117, {
        "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True,
        "layer_types": ["linear_attention", "full_attention", "linear_attention"],
        "linear_conv_kernel_dim": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5, "mrope_section": [2, 1, 1], "mrope_interleaved": True,
        },
    }, layers=3, vision={"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32, "patch_size": 4}),
    Family("qwen2.5", "qwen2", 115, {"use_sliding_window": False, "sliding_window": 32, "max_window_layers": 2}),
]  # fmt: skip


def make_model(family: Family) -> torch.nn.Module:
    """
    Seeded weights that 4 bits in blocks of 32 hold exactly (a block's largest value is 8 steps, which is where the
    symmetric quantizer puts its scale) and that float16 holds exactly, so every export has the very same weights.
    """
    config_class = type(transformers.AutoConfig.for_model(family.model_type))
    heads = family.changes.get("num_attention_heads", 4)
    settings = dict(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64,
        num_hidden_layers=family.layers, num_attention_heads=heads, num_key_value_heads=2, head_dim=16,
        max_position_embeddings=POSITIONS, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    if family.vision is None:
        config, auto_model = config_class(**(settings | family.changes)), transformers.AutoModelForCausalLM
    else:
        text = settings | family.changes
        tied = text["tie_word_embeddings"]
        config = config_class(text_config=text, vision_config=family.vision, tie_word_embeddings=tied)
        auto_model = transformers.AutoModelForImageTextToText
    config._attn_implementation = "eager"
    model = auto_model.from_config(config, attn_implementation="eager").to(torch.float32).eval()
    random = np.random.Generator(np.random.PCG64(family.seed))
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            parameter.copy_(torch.from_numpy(_weights(name, tuple(parameter.shape), random, family)))
    model.config.architectures = [type(model).__name__]
    return model


def _weights(name: str, shape: tuple[int, ...], random: np.random.Generator, family: Family) -> np.ndarray:
    noise = random.standard_normal(shape)
    if ".experts." in name and len(shape) == 3:
        # [experts, inputs, outputs]; a block is of inputs.
        return _on_the_experts_grid(noise.swapaxes(1, 2), random).swapaxes(1, 2).copy()
    if ".visual." in name:
        return _half(0.1 * noise)
    if name.endswith((".conv.conv.weight", ".conv1d.weight")):
        return _half(0.6 * noise)
    if "norm" in name:
        # These add one to their weights, but for Qwen3.5's behind its recurrence.
        adds_one = family.model_type.startswith(("gemma", "qwen3_5")) and ".linear_attn." not in name
        centre = 0.0 if adds_one else 1.0
        return _half(centre + 0.2 * noise)
    if len(shape) == 1 or name.endswith("bias"):
        return _half(0.4 * noise)
    gain = 1.8
    for part, value in {"q_proj": 1.6, "k_proj": 1.6, "v_proj": 2.0, "o_proj": 2.0, "qkv_proj": 1.7}.items():
        gain = value if f".{part}." in name else gain
    deviation = gain / np.sqrt(shape[-1])
    if "embed_tokens" in name or "lm_head" in name:
        deviation = 0.5
    return _on_the_grid(noise, deviation, random)


def _on_the_grid(noise: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    rows, width = int(np.prod(noise.shape[:-1])), noise.shape[-1]
    blocks = noise.reshape(rows, width // BLOCK, BLOCK)
    steps = np.clip(np.round(blocks * 3), -7, 7)
    largest = random.integers(0, BLOCK, size=(rows, width // BLOCK))
    np.put_along_axis(steps, largest[..., None], -8, axis=-1)
    # Six bits for the scale and four for the step: the product is exact in float16.
    size = deviation / 3.2 * (0.8 + 0.4 * random.random((rows, width // BLOCK)))
    exponent = np.floor(np.log2(size))
    scale = np.round(size / 2**exponent * 32) / 32 * 2**exponent
    scale *= random.choice([-1, 1], size=scale.shape)
    return (steps * scale[..., None]).reshape(noise.shape).astype(np.float32)


# MXFP4, in which gpt-oss keeps its experts, has 0, 0.5, 1, 1.5, 2, 3, 4 and 6 times a power of two: those of them that are
# steps of the symmetric 4-bit quantizer too, by their code. One value of a block is 6: that quantizer has 8 steps on one side only.
EXPERT_STEPS = {0.0: 0, 1.5: 3, 3.0: 5, 6.0: 7}
EXPERT_SCALE = 2.0**-4


def _on_the_experts_grid(noise: np.ndarray, random: np.random.Generator) -> np.ndarray:
    blocks = noise.reshape(-1, BLOCK)
    sizes = np.select([abs(blocks) < 0.5, abs(blocks) < 1.2], [0.0, 1.5], 3.0)
    largest = random.integers(0, BLOCK, size=len(blocks))
    np.put_along_axis(sizes, largest[:, None], 6.0, axis=-1)
    return (np.copysign(sizes, blocks) * EXPERT_SCALE).reshape(noise.shape).astype(np.float32)


def mxfp4_experts(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The experts' weights as gpt-oss checkpoints have them: codes of 4 bits, low ones first, and exponents plus 127."""
    codes = torch.tensor([EXPERT_STEPS.get(step / 2, 0) for step in range(13)], dtype=torch.uint8)
    tensors = {}
    for name, parameter in model.named_parameters():
        if ".experts." not in name or parameter.dim() != 3:
            continue
        blocks = (parameter.detach() / EXPERT_SCALE).transpose(1, 2).unflatten(-1, (-1, BLOCK))
        values = codes[(blocks.abs() * 2).long()] + 8 * (blocks < 0)
        tensors[f"{name}_blocks"] = (values[..., 0::2] + 16 * values[..., 1::2]).to(torch.uint8).contiguous()
        exponent = 127 + int(np.log2(EXPERT_SCALE))
        tensors[f"{name}_scales"] = torch.full(blocks.shape[:-1], exponent, dtype=torch.uint8)
    return tensors


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16).astype(np.float32)


def round_activations(model: torch.nn.Module, builder: bool) -> None:
    """
    Gives every product's input the rounding of MatMulNBits with accuracy level 4, in blocks of 32 to multiples of a 127th
    of the largest; and the builder's Gemma the scale of its embedding, which it rounds to two decimals.
    """

    def rounded(_module, arguments):
        blocks = arguments[0].unflatten(-1, (-1, BLOCK))
        scale = blocks.abs().amax(-1, keepdim=True) / 127
        steps = torch.round(blocks * torch.where(scale > 0, 1 / scale, 0.0))
        return ((steps * scale).flatten(-2),)

    for name, module in model.named_modules():
        # The builder leaves them in float32.
        if name.endswith((".in_proj_a", ".in_proj_b")):
            continue
        if isinstance(module, torch.nn.Linear) or type(module).__name__ == "GptOssTopKRouter":
            module.register_forward_pre_hook(rounded)
        if builder and hasattr(module, "embed_scale"):
            module.embed_scale = torch.tensor(float(np.round(module.embed_scale, 2)))


def references(family: Family, model: torch.nn.Module) -> dict:
    """For each length, of many random prompts the one whose greedy tokens are decided most clearly."""
    random = np.random.Generator(np.random.PCG64(family.seed + 1000))
    prompts = []
    for length in PROMPT_LENGTHS:
        start = torch.from_numpy(random.integers(3, VOCABULARY, size=(CANDIDATES, length)))
        chosen = int(_greedy(model, start, cached=True)[1].min(dim=0).values.argmax())
        tokens, margins, steps = _greedy(model, start[chosen : chosen + 1], cached=False)
        prompts.append({
            "promptIds": start[chosen].tolist(),
            "generatedIds": tokens[0].tolist(),
            "leastMargin": round(float(margins.min()), 4),
            "logits": [
                {"generatedIndex": at, "values": base64.b64encode(steps[at][0].numpy().astype("<f4").tobytes()).decode()}
                for of, at in sorted(LOGITS_AT) if of == length
            ],
        })  # fmt: skip
    return {"family": family.name, "modelType": family.model_type, "vocabularySize": VOCABULARY, "prompts": prompts}


def _greedy(model: torch.nn.Module, ids: torch.Tensor, cached: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Greedy tokens [rows, GENERATED_TOKENS], and for each token how far the best is ahead and the logits, [tokens, rows(, vocabulary)].
    With a cache it is quick; without, each token is computed from all those before it.
    """
    length, margins, steps, past = ids.shape[1], [], [], None
    with torch.no_grad():
        for _ in range(GENERATED_TOKENS):
            output = model(ids[:, -1:] if past is not None else ids, past_key_values=past, use_cache=cached)
            past = output.past_key_values if cached else None
            steps.append(output.logits[:, -1].float())
            best = steps[-1].topk(2, dim=-1)
            margins.append(best.values[:, 0] - best.values[:, 1])
            ids = torch.cat([ids, best.indices[:, :1]], dim=1)
    return ids[:, length:], torch.stack(margins), torch.stack(steps)
