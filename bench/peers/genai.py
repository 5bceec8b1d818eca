"""onnxruntime-genai as its users call it, greedy; JSON lines in and out.

A Generator for each prompt, each in a thread of its own, as requests come to a server; or, for a task that is `together`,
one Generator for a batch of prompts of one length.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime_genai as og

model = og.Model(sys.argv[1])


def generate(prompts: np.ndarray, new_tokens: int) -> tuple[list[list[int]], float]:
    """The new tokens of each row, and when all rows had their first."""
    length = prompts.shape[1] + new_tokens
    params = og.GeneratorParams(model)
    params.set_search_options(max_length=length, min_length=length, do_sample=False, batch_size=len(prompts))
    generator = og.Generator(model, params)
    generator.append_tokens(prompts)
    generator.generate_next_token()
    first = time.perf_counter()
    while not generator.is_done():
        generator.generate_next_token()
    return [generator.get_sequence(row)[prompts.shape[1] :].tolist() for row in range(len(prompts))], first


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    prompts = np.array(task["prompts"], dtype=np.int32)
    batches = [prompts] if task.get("together") else [prompts[row : row + 1] for row in range(len(prompts))]
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(batches)) as pool:
        made = list(pool.map(lambda batch: generate(batch, task["newTokens"]), batches))
    end = time.perf_counter()
    tokens = [row for rows, _ in made for row in rows]
    first = max(first for _, first in made)
    print(json.dumps({"tokens": tokens, "firstMs": (first - begin) * 1000, "endMs": (end - begin) * 1000}), flush=True)
