"""Configs that are refused before anything is built from them: absurd sizes, code of their own."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omnifex_registry.errors import AbsurdConfig, RemoteCode
from omnifex_registry.layout import Slot

MOST = 2**31 - 1  # of any number; tensors beyond that are no component's
# Words in keys, and the most that they count in models which exist, with much room.
COUNTS = {"layers": 1_000, "blocks": 1_000, "depth": 1_000, "train_timesteps": 100_000}
KEPT_OUT = ("_name_or_path", "model_max_length")  # a tokenizer's "no limit" is 1e30


def check_config(path: Path, config: Mapping[str, Any]) -> None:
    """AbsurdConfig or RemoteCode, where the config of a component asks for what it must not."""
    if config.get("auto_map"):
        raise RemoteCode(path, "auto_map")
    try:
        numbers = list(_numbers("", config))
    except RecursionError as error:
        raise AbsurdConfig(path, "nesting", "without end", 100) from error
    for key, value in numbers:
        most = min((most for word, most in COUNTS.items() if word in key), default=MOST)
        if abs(value) > most:
            raise AbsurdConfig(path, key, value, most)


def refuse_code(slot: Slot) -> None:
    """RemoteCode where Python files lie among a component's, or one beside it is its library."""
    for path in sorted(slot.path.rglob("*.py")):
        raise RemoteCode(slot.path, path.name)
    beside = slot.path.parent / f"{slot.library}.py"
    if beside.is_file():
        raise RemoteCode(f"Component {slot.role!r}", beside.name)


def _numbers(key: str, value: Any) -> Iterator[tuple[str, int]]:
    if key in KEPT_OUT:
        return
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _numbers(str(name), part)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(key, part)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value
