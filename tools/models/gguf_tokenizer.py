"""Writes the fixtures' tokenizer into a GGUF."""

from __future__ import annotations

import json

import gguf

from fixture_tokenizer import CHAT_TEMPLATE, SPECIAL_TOKENS, make_fixture_tokenizer


def write_gguf_tokenizer(writer: gguf.GGUFWriter, vocabulary: int = 0) -> None:
    """Tokens, merges and template; unused tokens follow until there are `vocabulary` of them."""
    tokenizer = make_fixture_tokenizer()
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    kinds = [gguf.TokenType.CONTROL if token in SPECIAL_TOKENS else gguf.TokenType.NORMAL for token in tokens]
    unused = range(len(tokens), vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*tokens, *(f"<unused{index}>" for index in unused)])
    writer.add_token_types([*kinds, *(gguf.TokenType.UNUSED for _ in unused)])
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(tokenizer.token_to_id("<|im_end|>"))
    writer.add_pad_token_id(tokenizer.token_to_id("<|endoftext|>"))
    writer.add_chat_template(CHAT_TEMPLATE)
