"""What a file says about its own making: one JSON object in whatever metadata its container has.

docs/artifacts.md lists where each container keeps it and how to read it with a common tool.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

KEY = "omnifex"
"""The name of the JSON object where a container allows names of one's own."""

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's machine-readable mark for "made by a trained model"."""


def to_json(provenance: Mapping[str, Any]) -> str:
    """The same object gives the same text: keys sorted, no spaces, one line."""
    return json.dumps(
        provenance, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def from_json(text: str | bytes | None) -> dict[str, Any] | None:
    """None where the text is absent or is somebody else's comment."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def title(provenance: Mapping[str, Any]) -> str:
    """The prompt, cut at a word to a length that players and file browsers show."""
    prompt = "".join(c if c.isprintable() else " " for c in str(provenance.get("prompt", "")))
    return textwrap.shorten(prompt, width=120, placeholder="…")


def software(provenance: Mapping[str, Any]) -> str:
    """`omnifex 0.1.0`: the value under "omnifex" is the version that made the file."""
    return f"omnifex {provenance.get(KEY, '')}".rstrip()
