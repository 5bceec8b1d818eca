"""onnxruntime-genai as its users call it: one Generator for a batch of prompts of one length, greedy. JSON lines in and out."""

import json
import sys
import time

import numpy as np
import onnxruntime_genai as og

model = og.Model(sys.argv[1])
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    prompts = np.array(task["prompts"], dtype=np.int32)
    length = prompts.shape[1] + task["newTokens"]
    params = og.GeneratorParams(model)
    params.set_search_options(max_length=length, min_length=length, do_sample=False, batch_size=len(prompts))
    begin = time.perf_counter()
    generator = og.Generator(model, params)
    generator.append_tokens(prompts)
    generator.generate_next_token()
    first = time.perf_counter()
    while not generator.is_done():
        generator.generate_next_token()
    end = time.perf_counter()
    tokens = [generator.get_sequence(row)[prompts.shape[1] :].tolist() for row in range(len(prompts))]
    print(json.dumps({"tokens": tokens, "firstMs": (first - begin) * 1000, "endMs": (end - begin) * 1000}), flush=True)
