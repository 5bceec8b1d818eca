"""Rebuilds SmolLM2's tokenizer files from the GGUF's metadata."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from gguf_model import GgufModel

CONTROL = 3  # GGUF's token type of special tokens
PRE_TOKENIZER = "smollm"


def write_smollm2_tokenizer(gguf: GgufModel, folder: Path) -> Tokenizer:
    """Writes tokenizer.json, tokenizer_config.json and chat_template.jinja.

    `tokenizer.ggml.pre` = smollm means: every digit on its own, then GPT-2's split, byte-level BPE, no prefix space.
    """
    if gguf.field("tokenizer.ggml.pre") != PRE_TOKENIZER or gguf.field("tokenizer.ggml.model") != "gpt2":
        raise ValueError(f"unknown pre-tokenizer {gguf.field('tokenizer.ggml.pre')}, expected {PRE_TOKENIZER}")
    tokens, types = gguf.field("tokenizer.ggml.tokens"), gguf.field("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in gguf.field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    if tokenizer.get_vocab_size() != len(tokens):
        raise ValueError(f"{tokenizer.get_vocab_size()} tokens after adding the special ones, the GGUF has {len(tokens)}")
    _check(tokenizer, tokens, types)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "chat_template.jinja").write_text(gguf.field("tokenizer.chat_template"))
    bos, eos, unknown, pad = (tokens[gguf.field(f"tokenizer.ggml.{name}_token_id")] for name in ("bos", "eos", "unknown", "padding"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(tokens.index(token)): {
                "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True,
            }
            for token in special
        },
        "additional_special_tokens": [bos, eos],
        "bos_token": bos,
        "eos_token": eos,
        "pad_token": pad,
        "unk_token": unknown,
        "clean_up_tokenization_spaces": False,
        "model_max_length": gguf.context_length,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return tokenizer


def _check(tokenizer: Tokenizer, tokens: list[str], types: list[int]) -> None:
    """Round trips, digits apart, and every ordinary token that BPE can reach comes back as itself."""
    for text in ["Hello, world!", " 1234 5.6e-7\n\n\tx", "naïve café 東京 🎉👩‍👩‍👧", "it's we'll DON'T", "a" * 50, "   \n  y"]:
        if tokenizer.decode(tokenizer.encode(text).ids) != text:
            raise ValueError(f"{text!r} does not come back from its tokens")
    digits = tokenizer.encode("2024 12").tokens
    if digits != ["2", "0", "2", "4", "Ġ", "1", "2"]:
        raise ValueError(f"digits are not split one by one: {digits}")
    chat = tokenizer.encode("<|im_start|>user\nHi<|im_end|>\n").ids
    if chat[0] != tokens.index("<|im_start|>") or chat[-2] != tokens.index("<|im_end|>"):
        raise ValueError(f"ChatML's special tokens are not recognised: {chat}")
