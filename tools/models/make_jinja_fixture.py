"""Writes test/fixtures/jinja-expressions.json: each line of jinja_expressions.txt, and each template of jinja_white_space.json, as
transformers renders it, or that it fails."""

from __future__ import annotations

import json
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

REPOSITORY = Path(__file__).resolve().parents[2]
VARIABLES = {
    "s": "Hello World ",
    "n": None,
    "t": True,
    "f": 1.5,
    "i": 7,
    "l": [1, 2.5, True, None, "a'b"],
    "d": {"b": 1, "a": {"x": None, "items": [1]}, "items": "I"},
    "e": "",
    "u8": "Zürich \U0001f642<b>",
    "objs": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x"}],
    "ns": [3, 1, 2],
    "multi": "a\nb\n\nc",
}
MESSAGES = [{"role": "user", "content": "Hi"}]


def rendered(template: str) -> dict:
    try:
        [text], _ = render_jinja_template(conversations=[MESSAGES], chat_template=template, **VARIABLES)
    except Exception as failure:
        return {"template": template, "failure": type(failure).__name__}
    return {"template": template, "text": text}


def main() -> None:
    folder = Path(__file__).parent
    lines = (folder / "jinja_expressions.txt").read_text(encoding="utf-8").splitlines()
    templates = lines + json.loads((folder / "jinja_white_space.json").read_text(encoding="utf-8"))
    fixture = {"variables": {**VARIABLES, "messages": MESSAGES}, "cases": [rendered(one) for one in templates]}
    target = REPOSITORY / "test/fixtures/jinja-expressions.json"
    target.write_text(json.dumps(fixture, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
