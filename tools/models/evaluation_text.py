"""English text that Debian and Python carry themselves, for measuring: licences and the Python language reference."""

from __future__ import annotations

from pathlib import Path

LICENCES = Path("/usr/share/common-licenses")


def evaluation_text() -> dict[str, str]:
    """Name → text. Raises FileNotFoundError where the licences are not installed (base-files on Debian)."""
    from pydoc_data import topics

    texts = {name: (LICENCES / name).read_text()[2000:8000] for name in ("GPL-3", "Artistic", "MPL-2.0")}
    for name in ("execmodel", "import", "exceptions", "class", "typesseq-mutable", "context-managers"):
        if name in topics.topics:
            texts[f"python:{name}"] = topics.topics[name][:5000]
    return texts
