"""Whether a model's files are still those that were added."""

from __future__ import annotations

from collections.abc import Iterator

from omnifex_registry.errors import RegistryError
from omnifex_registry.identify import identify
from omnifex_registry.layout import Slot
from omnifex_registry.records import Model


def damaged(model: Model) -> Iterator[tuple[str, str]]:
    """Role and reason of each component that is not what it was; all files are read again."""
    for part in model.components.values():
        slot = Slot(part.role, part.library, part.class_name, part.path)
        try:
            now = identify(slot, model.variant)
        except (RegistryError, OSError) as error:
            yield part.role, str(error)
            continue
        if now.id != part.id:
            yield part.role, f"the files in {part.path} are not those that were added."
