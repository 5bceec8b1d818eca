"""The dequantised original in transformers (float32): the side that every layout is compared with."""

from __future__ import annotations

import torch
import transformers

from gguf_model import GgufModel


def reference_model(gguf: GgufModel) -> torch.nn.Module:
    config = transformers.LlamaConfig(
        vocab_size=gguf.vocabulary, hidden_size=gguf.hidden, intermediate_size=gguf.feed_forward,
        num_hidden_layers=gguf.layers, num_attention_heads=gguf.heads, num_key_value_heads=gguf.kv_heads,
        max_position_embeddings=gguf.context_length, rms_norm_eps=gguf.norm_epsilon, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": gguf.rope_theta}, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).to(torch.float32).eval()
    state = {"model.embed_tokens.weight": gguf.embedding.dense(), "model.norm.weight": gguf.norm("output_norm.weight")}
    parts = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj"}
    parts |= {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
    for layer in range(gguf.layers):
        state[f"model.layers.{layer}.input_layernorm.weight"] = gguf.norm(f"blk.{layer}.attn_norm.weight")
        state[f"model.layers.{layer}.post_attention_layernorm.weight"] = gguf.norm(f"blk.{layer}.ffn_norm.weight")
        for part, name in parts.items():
            state[f"model.layers.{layer}.{name}.weight"] = gguf.matrix(layer, part).dense()
    missing, unexpected = model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()}, strict=False)
    if unexpected or [key for key in missing if key != "lm_head.weight"]:
        raise ValueError(f"weights do not fit the reference model: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    return model
