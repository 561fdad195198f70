"""Whether a model's files are still those that were added."""

from __future__ import annotations

from collections.abc import Iterator

from omnifex_registry.errors import RegistryError
from omnifex_registry.identify import identify
from omnifex_registry.layout import Slot
from omnifex_registry.records import Component, Model


def damaged(model: Model) -> Iterator[tuple[str, str]]:
    """Role and reason of each component that is not what it was; all files are read again."""
    for part in model.components.values():
        if reason := damage(model, part):
            yield part.role, reason


def damage(model: Model, part: Component) -> str | None:
    """Why a component of the model is not what it was, or None; its files are read again."""
    slot = Slot(part.role, part.library, part.class_name, part.path)
    try:
        now = identify(slot, model.variant)
    except (RegistryError, OSError) as error:
        return str(error)
    if now.id == part.id:
        return None
    return f"the files in {part.path} are not those that were added."
