"""
Asks with Python's openai client in every way that it has, at each of the base URLs: plainly, streamed, several choices with
log probabilities, an answer parsed by a model of pydantic, and tools. Prints what came as JSON, by base URL.
"""

import json
import os

import openai
from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    capital: bool


class Weather(BaseModel):
    city: str
    celsius: bool


QUESTION = {
    "model": os.environ["MODEL"],
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0,
    "max_tokens": 32,
}


def streamed(client):
    pieces = []
    finish_reason = None
    for chunk in client.chat.completions.create(**QUESTION, stream=True):
        for choice in chunk.choices:
            if choice.delta.content:
                pieces.append(choice.delta.content)
            finish_reason = choice.finish_reason or finish_reason
    return pieces, finish_reason


def choices(client):
    answer = client.chat.completions.create(
        **{**QUESTION, "temperature": 1, "seed": 3}, n=2, logprobs=True, top_logprobs=2
    )
    return [
        {"content": choice.message.content, "logprobs": len(choice.logprobs.content)} for choice in answer.choices
    ]


def parsed(client):
    question = {**QUESTION, "max_tokens": 200, "seed": 1}
    whole = client.chat.completions.parse(**question, response_format=City)
    with client.chat.completions.stream(**question, response_format=City) as stream:
        final = stream.get_final_completion()
    return [one.choices[0].message.parsed.model_dump() for one in (whole, final)]


def called(client):
    question = {
        **QUESTION,
        "max_tokens": 300,
        "seed": 1,
        "tools": [openai.pydantic_function_tool(Weather)],
        "tool_choice": "required",
    }
    whole = client.chat.completions.parse(**question)
    with client.chat.completions.stream(**question) as stream:
        final = stream.get_final_completion()
    return [
        {
            "finish_reason": one.choices[0].finish_reason,
            "calls": [
                {"name": call.function.name, "arguments": call.function.parsed_arguments.model_dump()}
                for call in one.choices[0].message.tool_calls
            ],
        }
        for one in (whole, final)
    ]


def refused(client):
    try:
        client.chat.completions.create(**{**QUESTION, "temperature": 9})
    except openai.APIStatusError as error:
        return {"status": error.status_code, "param": error.param, "request_id": error.request_id}


def all_of(base_url):
    client = OpenAI(base_url=base_url, api_key=os.environ["API_KEY"], max_retries=0)
    whole = client.chat.completions.create(**QUESTION)
    pieces, finish_reason = streamed(client)
    return {
        "whole": whole.choices[0].message.content,
        "pieces": pieces,
        "finish_reason": finish_reason,
        "choices": choices(client),
        "parsed": parsed(client),
        "called": called(client),
        "refused": refused(client),
    }


print(json.dumps({url: all_of(url) for url in os.environ["BASE_URLS"].split(" ")}))
