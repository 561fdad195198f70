"""Ways to run a model within a device's memory, and what their weights take there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from omnifex_registry.sizing import Size

AT_ONCE = 2  # layers on the device: one computes, the next is on its way


@dataclass(frozen=True, slots=True)
class Way:
    """How weights are kept; `device` and `host` are bytes of them there at once."""

    name: str
    device: int
    host: int
    settings: str = ""  # for `omnifex models set`; empty where the engine does it by itself

    def fits(self, memory: int, reserve: int) -> bool:
        """Whether there is room, beside what the calls themselves need."""
        return self.device + reserve <= memory


def ways(sizes: Sequence[Size]) -> list[Way]:
    """From the one that moves nothing to the one that needs least."""
    whole = sum(size.bytes for size in sizes)
    return [
        Way("all resident", whole, 0),
        *(in_fewer_bits(sizes, way) for way in sizes[0].quantised),
        Way("one component at a time", max(size.bytes for size in sizes), whole),
        Way("backbone a layer at a time", most(sizes, {"backbone"}), whole, "offload=on"),
        Way("all a layer at a time", most(sizes, None), whole),  # what is larger than the budget
    ]


def in_fewer_bits(sizes: Sequence[Size], way: str) -> Way:
    """Backbones quantised, the rest as it is, all resident."""
    device = sum(size.quantised[way] if size.kind == "backbone" else size.bytes for size in sizes)
    return Way(f"all resident, backbone in {way}", device, 0, f"quantize={way}")


def most(sizes: Sequence[Size], kinds: Collection[str] | None) -> int:
    """What the largest component takes, where those of some kinds (None: all) come by layers."""
    return max(
        min(size.bytes, AT_ONCE * size.largest_layer)
        if kinds is None or size.kind in kinds
        else size.bytes
        for size in sizes
    )
