"""Checks the shipped model's files against its SHA256SUMS. Needs only Python; exit code 1 names every file that is wrong."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "models/smollm2-135m-instruct"


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    wrong = []
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    for line in lines:
        expected, name = line.split("  ", 1)
        file = folder / name
        if not file.is_file():
            wrong.append(f"{file}: missing; restore it from git")
            continue
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest != expected:
            wrong.append(f"{file}: sha256 {digest}, expected {expected}; restore it from git")
    print("\n".join(wrong) or f"{folder.name}: {len(lines)} files are as listed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
