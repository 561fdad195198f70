"""Open models worth knowing, as data: recommended.json, from knowledge and not from the hub.

Ids, licences and sizes were written down without asking a hub (`checked` says so); what the hub
says of a model when it is added is what counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Recommended:
    """A model of the list; `memory_gb` is for all weights in half precision, about."""

    modality: str  # or "adapter", or "text"
    name: str
    id: str
    licence: str
    memory_gb: float
    about: str
    checked: bool = False  # against the hub


def recommended(word: str = "") -> list[Recommended]:
    """Those with the word in any of their fields, as listed."""
    listed = json.loads((Path(__file__).parent / "recommended.json").read_text(encoding="utf-8"))
    found = [Recommended(**entry) for entry in listed]
    return [model for model in found if word.lower() in " ".join(map(str, fields(model))).lower()]


def fields(model: Recommended) -> tuple[str, ...]:
    return (model.modality, model.name, model.id, model.licence, model.about)
