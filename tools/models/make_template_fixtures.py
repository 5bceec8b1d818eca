"""Writes test/fixtures/chat-templates/*.json: conversations as transformers renders them with the templates in chat_templates/,
and conversations whose last message is continued.

The templates are our own, each in the style of a family (its marks, its way to write tools, calls and results), because many
models' templates are under licences that do not allow copies here. Pass --template NAME=FILE to render a real model's template
in the same way into another folder, and compare.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).resolve().parent / "chat_templates"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SYSTEM = {"role": "system", "content": "Answer in one word."}
QUESTION = {"role": "user", "content": "  What's the weather in Zürich & Oslo? <b>\"quoted\"</b> \U0001f642\n"}
ANSWER = {"role": "assistant", "content": "<think>\nEasy.\n</think>\n\nRain."}
FOLLOW_UP = {"role": "user", "content": "And tomorrow?"}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call00001",
            "type": "function",
            "function": {"name": "weather", "arguments": {"city": "Zürich", "days": [1, 2.5, True, None], "at": {"<a>": "it's"}}},
        }
    ],
}
RESULT = {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": '{"sky": "grey"}'}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": 'The weather of a city, "today" & later',
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "A city's name"}, "days": {"type": "array"}},
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
]
CONVERSATIONS = [
    ([QUESTION], None),
    ([SYSTEM, QUESTION], None),
    ([QUESTION, ANSWER, FOLLOW_UP], None),
    ([QUESTION], TOOLS),
    ([SYSTEM, QUESTION], TOOLS),
    ([QUESTION, CALL, RESULT], TOOLS),
    ([QUESTION, CALL, RESULT, ANSWER, FOLLOW_UP], TOOLS),
]


def _begun(content: str, **more: str) -> dict:
    return {"role": "assistant", "content": content, **more}


BEGUN = _begun("The sky is <b>grey</b>, it's \U0001f642")
BROKEN_OFF = _begun("", reasoning_content="Let me\n see")
# The conversation, its tools, and the field of the last message that is continued.
CONTINUED = [
    ([QUESTION, BEGUN], None, "content"),
    ([SYSTEM, QUESTION, _begun(" \n The sky is \n ")], None, "content"),
    ([QUESTION, ANSWER, FOLLOW_UP, _begun("Snow,")], None, "content"),
    ([QUESTION, _begun("<think>\nEasy.\n</think>\n\nRain")], None, "content"),
    ([QUESTION, _begun("<think>\nLet me")], None, "content"),
    ([QUESTION, _begun("Rain", reasoning_content="Easy.")], None, "content"),
    ([QUESTION, BROKEN_OFF], None, "reasoning_content"),
    ([QUESTION, BEGUN], TOOLS, "content"),
    ([SYSTEM, QUESTION, CALL, RESULT, _begun("Grey and ")], TOOLS, "content"),
    ([QUESTION, CALL, RESULT, BROKEN_OFF], TOOLS, "reasoning_content"),
]


def render_continued(template: str) -> list[dict]:
    renderings = []
    for messages, tools, field in CONTINUED:
        case = {"messages": messages, "tools": tools, "field": field}
        try:
            [text], _ = render_jinja_template(
                conversations=[messages], tools=tools, chat_template=template, continue_final_message=field, **TOKENS
            )
        except Exception as refusal:  # a template that leaves the text out can not be continued
            renderings.append({**case, "refusal": type(refusal).__name__})
        else:
            renderings.append({**case, "text": text})
    return renderings


def render_all(template: str) -> list[dict]:
    renderings = []
    for messages, tools in CONVERSATIONS:
        for add_generation_prompt in (False, True):
            try:
                [text], _ = render_jinja_template(
                    conversations=[messages],
                    tools=tools,
                    chat_template=template,
                    add_generation_prompt=add_generation_prompt,
                    **TOKENS,
                )
            except Exception as refusal:  # a template may refuse a conversation, then Millrace must too
                renderings.append(_case(messages, tools, add_generation_prompt, refusal=type(refusal).__name__))
            else:
                renderings.append(_case(messages, tools, add_generation_prompt, text=text))
    return renderings


def _case(messages: list, tools: list | None, add_generation_prompt: bool, **outcome: str) -> dict:
    return {"messages": messages, "tools": tools, "addGenerationPrompt": add_generation_prompt, **outcome}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "test/fixtures/chat-templates")
    options = parser.parse_args()
    files = {name: Path(file) for name, _, file in (given.partition("=") for given in options.template)}
    files = files or {file.stem: file for file in sorted(TEMPLATES.glob("*.jinja"))}
    options.output.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        template = file.read_text(encoding="utf-8")
        fixture = {
            "template": template,
            "templateTokens": TOKENS,
            "renderings": render_all(template),
            "continued": render_continued(template),
        }
        target = options.output / f"{name}.json"
        target.write_text(json.dumps(fixture, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
