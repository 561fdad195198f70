"""Models that are told a class in place of words: its number or its name is the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex.errors import InvalidRequest, closest
from omnifex.model_config import backbone_config
from omnifex_image.families.pictures import ImageFamily
from omnifex_image.modality import ImageRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model


class ClassFamily(ImageFamily):
    """`id2label` in model_index.json has the names: {"207": "golden retriever, retriever"}."""

    def check(self, request: ImageRequest, model: Model) -> list[str]:
        if request.prompt:
            label_of(request.prompt, model)
        return super().check(request, model)

    def arguments(
        self, job: JobContext, request: ImageRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        told = {"class_labels": [label_of(request.prompt, model.record)]} if request.prompt else {}
        return {**super().arguments(job, request, model), **told}


class DiffusionTransformer(ClassFamily):
    """DiT (Peebles and Xie 2023), guided between a class and none."""

    name = "dit"
    pipelines = ("DiTPipeline",)
    fields = {"prompt": "class_labels"}
    samplers = ("ddim", "ddpm", "dpm-solver++")


class Consistency(ClassFamily):
    """Consistency models (Song et al. 2023): pixels in one or two steps; any class without one."""

    name = "consistency"
    pipelines = ("ConsistencyModelPipeline",)
    optional = ("prompt",)
    fields = {"prompt": "class_labels"}
    samplers = ()


class Unconditional(ImageFamily):
    """Pixels out of noise alone, such as progressively distilled students make in a few steps."""

    name = "pixels"
    pipelines = ("DDPMPipeline", "DDIMPipeline")
    samplers = ()


def label_of(prompt: str, model: Model) -> int:
    """The class of this number or name, or InvalidRequest."""
    if prompt.strip().isdecimal():
        return numbered(int(prompt), model)
    names, wanted = labels(model), prompt.strip().lower()
    if wanted in names:
        return names[wanted]
    near = closest(wanted, names) or "; give the number of a class"
    raise InvalidRequest(f"model {model.name!r} knows no class {prompt!r}{near}.")


def numbered(label: int, model: Model) -> int:
    config = backbone_config(model)
    count = config.get("num_embeds_ada_norm") or config.get("num_class_embeds") or 0
    if label >= count:
        raise InvalidRequest(f"model {model.name!r} has {count} classes, from 0; {label} is none.")
    return label


def labels(model: Model) -> dict[str, int]:
    """The number of each name; a class may have several, between commas."""
    return {
        name.strip().lower(): int(number)
        for number, names in (model.config.get("id2label") or {}).items()
        for name in str(names).split(",")
    }
