"""A case of a family: what is asked of it, and the call of diffusers that it must equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SMALL = {"width": 16, "height": 16}
Make = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """A request, and the call of the plain pipeline that it must equal, files aside."""

    model: str
    request: Mapping[str, Any]
    call: Mapping[str, Any]
    pipeline: str | None = None  # where it is not the model's own
    files: tuple[str, ...] = ()
    modality: str = "image"
    scheduler: str | None = None
    by: Callable[..., Any] | None = None  # where one pipeline is not all
    beside: tuple[str, ...] = ()  # models that the request names too: networks, or adapters
    looks: str = ""  # what the pipeline calls the pictures that the networks look at
    load: Callable[..., Any] | None = None  # what a user of diffusers does to the pipeline first
    chaotic: bool = False


def both(**fields: Any) -> dict[str, dict[str, Any]]:
    """The same in the words of a request and of a pipeline; `extra` is for both."""
    names = {
        "steps": "num_inference_steps",
        "guidance": "guidance_scale",
        "frames": "num_frames",
    }
    extra = fields.get("extra", {})
    call = {names.get(k, k): v for k, v in fields.items() if k != "extra"}
    own = {k: tuple(v) if isinstance(v, list) else v for k, v in extra.items()}
    return {"request": fields, "call": {**call, **own}}


CUBE = {"prompt": "a small red cube"}
GUIDED = {**CUBE, "negative_prompt": "blurry", "guidance": 5.0}
SHORT = {"extra": {"max_sequence_length": 24}}
MILD = {"guidance": 2.0}  # random weights amplify rounding by guidance, more than trained ones
BEGUN = {"steps": 8, "strength": 0.7}
PICTURE, PAINTED = ("image",), ("image", "mask")
