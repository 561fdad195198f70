"""Which devices this machine has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from omnifex.errors import OmnifexError

if TYPE_CHECKING:
    import torch


class UnknownDevice(OmnifexError):
    """A device that this machine does not have."""

    code = "unknown_device"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"no device {name!r}; this machine has {', '.join(known)}.")


def find_devices() -> list[str]:
    """The accelerators, all of one kind; the CPU where there is none. Imports torch."""
    import torch

    if torch.cuda.is_available():
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        return ["mps"]
    return ["cpu"]


def device_kind(device: torch.device) -> str:
    """What its calls cost depends on: "cpu", or the accelerator's name."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device.type)


def checked_devices(
    names: Sequence[str] | None, find: Callable[[], list[str]] = find_devices
) -> list[str] | None:
    """The devices as torch names them, or UnknownDevice; None stays None: to be found later."""
    if names is None:
        return None
    if isinstance(names, str):
        names = [names]
    wanted = {"cuda:0" if name == "cuda" else name: None for name in names}
    if set(wanted) - {"cpu"}:  # the CPU is always there, and torch slow to import
        known = ["cpu", *(device for device in find() if device != "cpu")]
        for name in wanted:
            if name not in known:
                raise UnknownDevice(name, known)
    return list(wanted) or None
