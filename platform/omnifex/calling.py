"""From a typed request to the call of a pipeline, by the pipeline's own signature."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnifex.errors import InvalidRequest, closest
from omnifex.places import item_fields
from omnifex.request import Request, media_fields
from omnifex.signatures import RESERVED, Signature, signature_of

if TYPE_CHECKING:
    from omnifex_registry import Model

# What pipelines call the fields of requests, the usual name first.
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt",),
    "negative_prompt": ("negative_prompt",),
    "steps": ("num_inference_steps",),
    "guidance": ("guidance_scale",),
    "width": ("width",),
    "height": ("height",),
    "image": ("image",),
    "mask": ("mask_image",),
    "strength": ("strength",),
    "frames": ("num_frames", "video_length"),
    "seconds": ("audio_end_in_s", "audio_length_in_s", "audio_duration", "duration"),
    "lyrics": ("lyrics",),
    "video": ("video",),
    "audio": ("audio",),
}
SIZES = ("width", "height")


def named(signature: Signature, own: Mapping[str, str]) -> dict[str, str]:
    """The request's fields that the pipeline can use, with its names for them.

    `own` are names that this pipeline alone has; an empty one says that it has no use for a field.
    """
    usual = {
        field: next((name for name in names if name in signature), "")
        for field, names in ARGUMENTS.items()
    }
    return {field: name for field, name in {**usual, **own}.items() if name}


def given(request: Request, fields: Collection[str]) -> dict[str, Any]:
    """Those of the fields that hold something."""
    values = {field: getattr(request, field, None) for field in fields}
    return {field: value for field, value in values.items() if value not in (None, "")}


def refuse_unusable(request: Request, model: Model, usable: Collection[str], maker: str) -> None:
    """Name the first field that was given and that the model has no use for."""
    # Where a model has no use for the prompt, nobody loses anything by having written one.
    fields = (*ARGUMENTS, "sampler", "extra", *item_fields(type(request)))
    for field in given(request, fields):
        if field not in (*usable, "prompt") and getattr(request, field):
            raise InvalidRequest(
                f"model {model.name!r} cannot use {field}: {maker} takes none; "
                "leave it out or choose another model."
            )


def refuse_missing(request: Request, model: Model, fields: Iterable[str]) -> None:
    """Name the first field that the model needs and that was not given."""
    for field in fields:
        if getattr(request, field, None) in (None, ""):
            raise InvalidRequest(f"model {model.name!r} needs {article(field)} {field}; give one.")


def article(field: str) -> str:
    return "an" if field[0] in "aeiou" else "a"


def idle_negative(request: Request) -> list[str]:
    """A warning where a negative prompt is given and there is no guidance to apply it."""
    negative, guidance = getattr(request, "negative_prompt", None), request.guidance
    if not negative or guidance is None or guidance > 1:
        return []
    return [f"the negative prompt does nothing at guidance {guidance:g}; it begins above 1"]


def check_size(request: Request, model: Model, multiple: int) -> None:
    """Refuse a size that the model's latents cannot have, naming the nearest ones."""
    for field, side in given(request, SIZES).items():
        if side % multiple:
            below, above = side - side % multiple, side - side % multiple + multiple
            nearest = f"{below} or {above}" if below else f"{above}"
            raise InvalidRequest(
                f"{field} is {side}, but model {model.name!r} makes multiples of {multiple}; "
                f"ask for {nearest}."
            )


def check_strength(request: Request, model: Model, steps: int | None) -> None:
    """Refuse a strength so low that no step is left to take."""
    strength = getattr(request, "strength", None)
    if strength is not None and steps and int(steps * strength) < 1:
        raise InvalidRequest(
            f"strength {strength} of {steps} steps leaves model {model.name!r} no step to take; "
            f"raise strength to {math.ceil(100 / steps) / 100} or take more steps."
        )


def check_extra(
    request: Request,
    model: Model,
    signature: Signature,
    taken: Collection[str],
    own: Collection[str] = (),
) -> None:
    """Refuse arguments that the pipeline does not have, or that a field is there for.

    `own` are names that the family itself knows what to do with.
    """
    for name in getattr(request, "extra", {}):
        if name in RESERVED or name in taken:
            raise InvalidRequest(f"extra has {name!r}, which the request's own fields decide.")
        if name not in signature and name not in own:
            known = [one for one in signature.arguments if one not in (*RESERVED, *taken)]
            raise InvalidRequest(
                f"extra has {name!r}, which a {signature.class_name} (model {model.name!r}) does "
                f"not take{closest(name, [*known, *own])}; it takes: {', '.join([*known, *own])}."
            )


def of_stages(stages: Mapping[str, str]) -> list[str]:
    """The names that `extra` has for the arguments of later stages: `prior_guidance_scale`."""
    return [
        f"{stage}_{argument}"
        for stage, class_name in stages.items()
        for argument in argument_names(class_name)
    ]


def argument_names(class_name: str) -> list[str]:
    signature = signature_of(class_name)
    return [] if signature is None else [n for n in signature.arguments if n not in RESERVED]


def media_given(request: Request) -> Iterator[str]:
    """The fields of files that hold one, in the order that the request's type has them in."""
    return (name for name in media_fields(type(request)) if getattr(request, name) is not None)
