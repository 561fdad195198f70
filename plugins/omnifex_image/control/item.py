"""What a request says of one control network, or of one image prompt."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from omnifex import MediaInput
from omnifex.request import Item, OtherModel

Preprocessor = Literal["canny", "scribble", "depth", "distance"]
NAMES = Preprocessor.__args__  # type: ignore[attr-defined]


class Control(Item):
    """A picture, the network that looks at it, and how much that has to say."""

    form: ClassVar[str] = "MODEL:FILE[:SCALE][:PREPROCESSOR]"

    model: Annotated[str, OtherModel()] = Field(description="A ControlNet or T2I-Adapter, by name.")
    image: Annotated[str, MediaInput("image")] = Field(description="What it looks at.")
    scale: float = Field(default=1.0, ge=0, le=2, description="How much it has to say.")
    start: float = Field(default=0.0, ge=0, lt=1, description="The share of the steps before it.")
    end: float = Field(default=1.0, gt=0, le=1, description="The share of the steps it ends at.")
    preprocess: Preprocessor | None = Field(
        default=None, description="How what it looks at is drawn from the picture."
    )

    @model_validator(mode="after")
    def begins_before_it_ends(self) -> Self:
        if self.start >= self.end:
            raise ValueError("one whose start is below its end")
        return self

    @classmethod
    def from_text(cls, text: str) -> Any:
        model, *rest = text.split(":")
        own: dict[str, Any] = {"model": model}
        if len(rest) > 1 and rest[-1] in NAMES:
            own["preprocess"] = rest.pop()
        if len(rest) > 1 and is_number(rest[-1]):
            own["scale"] = float(rest.pop())
        return {**own, "image": ":".join(rest)} if rest else text


class ImagePrompt(Item):
    """A picture to be told by as if by words, and how much it has to say."""

    form: ClassVar[str] = "MODEL:FILE[:SCALE]"

    model: Annotated[str, OtherModel()] = Field(description="An IP-Adapter, by name.")
    image: Annotated[str, MediaInput("image")] = Field(description="What it looks at.")
    scale: float = Field(default=1.0, ge=0, le=2, description="How much it has to say.")

    @classmethod
    def from_text(cls, text: str) -> Any:
        model, *rest = text.split(":")
        scaled = len(rest) > 1 and is_number(rest[-1])
        own = {"scale": float(rest.pop())} if scaled else {}
        return {"model": model, **own, "image": ":".join(rest)} if rest else text


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
