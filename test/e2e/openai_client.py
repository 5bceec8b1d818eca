"""Asks the question once plainly and once streamed with Python's openai client; prints both answers as JSON."""

import json
import os

from openai import OpenAI

client = OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0)
question = {
    "model": os.environ["MODEL"],
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0,
    "max_tokens": 32,
}

whole = client.chat.completions.create(**question)
pieces = []
finish_reason = None
for chunk in client.chat.completions.create(**question, stream=True):
    for choice in chunk.choices:
        if choice.delta.content:
            pieces.append(choice.delta.content)
        finish_reason = choice.finish_reason or finish_reason

print(json.dumps({"whole": whole.choices[0].message.content, "pieces": pieces, "finish_reason": finish_reason}))
