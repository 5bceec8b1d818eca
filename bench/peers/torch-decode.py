"""Decode steps of a shape in PyTorch with transformers, greedy; JSON lines in and out.

    torch-decode.py MODEL_FOLDER cuda|cpu dynamic|static|compiled

The model is made of the folder's config.json with seeded random weights in float16: nothing is downloaded, and no weights are read.
`dynamic`: the cache that transformers takes unless told otherwise. `static`: its cache of a fixed size. `compiled`: the same with
torch.compile (mode reduce-overhead), as transformers' documentation recommends for speed.
"""

import json
import os
import sys
import time

# No look-ups of anything.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, StaticCache

folder, device, kind = sys.argv[1:4]
PROMPT_CHUNK = 512


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def wait_for_device() -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def make_model():
    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(folder)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config)
    torch.set_default_dtype(default)
    return model.to(torch.float16).eval()


caches = {}


def empty_cache(rows: int, tokens: int):
    """A fixed one is used again, so that what was compiled and recorded for it is too."""
    if kind == "dynamic":
        return DynamicCache()
    key = (rows, tokens)
    if key not in caches:
        caches.clear()
        caches[key] = new_static_cache(rows, tokens)
    caches[key].reset()
    return caches[key]


def new_static_cache(rows: int, tokens: int):
    try:
        return StaticCache(config=model.config, max_cache_len=tokens)
    except TypeError:  # transformers 4
        return StaticCache(
            config=model.config, max_batch_size=rows, max_cache_len=tokens, device=device, dtype=torch.float16
        )


@torch.inference_mode()
def decode(rows: int, past: int, steps: int) -> list[float]:
    """Milliseconds of each step of `rows` sequences behind `past` tokens, the choice of their next tokens included."""
    cache = empty_cache(rows, past + steps)
    generator = torch.Generator(device="cpu").manual_seed(2)
    ids = torch.randint(0, model.config.vocab_size, (rows, past), generator=generator).to(device)
    for begin in range(0, past, PROMPT_CHUNK):
        end = min(past, begin + PROMPT_CHUNK)
        position = torch.arange(begin, end, device=device)
        model(
            ids[:, begin:end], past_key_values=cache, cache_position=position, use_cache=True, logits_to_keep=1
        )
    token = ids[:, :1]
    step_ms = []
    for step in range(steps):
        position = torch.arange(past + step, past + step + 1, device=device)
        wait_for_device()
        begin = time.perf_counter()
        if kind == "compiled":
            torch.compiler.cudagraph_mark_step_begin()
        logits = step_model(token, past_key_values=cache, cache_position=position, use_cache=True).logits
        token = logits[:, -1].argmax(-1, keepdim=True).clone()
        token.cpu()  # a server needs it to tell it
        step_ms.append((time.perf_counter() - begin) * 1000)
    return step_ms


model = make_model()
step_model = torch.compile(model, mode="reduce-overhead", dynamic=False) if kind == "compiled" else model
say({"ready": True})
for line in sys.stdin:
    task = json.loads(line)
    try:
        say({"stepMs": decode(task["rows"], task["pastTokens"], task["steps"])})
    except Exception as error:  # what a version or a device can not do is told, and the other kinds go on
        say({"error": f"{kind} cache: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"})
