"""The family of an unmodified diffusers pipeline: what is special about it, mostly as data."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnifex import calling, lora, schedulers, words
from omnifex.modality import Family, RequestT
from omnifex.model_config import autoencoder_scale
from omnifex.pictures import in_one_size, opened
from omnifex.request import media_fields
from omnifex.signatures import Signature, signature_of

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model

DEFAULTED = ("steps", "guidance", "strength")  # fields that are filled in where they are left out


class PipelineFamily(Family[RequestT]):
    """A family whose `generate` calls the pipeline of the model's own model_index.json.

    The pipeline runs as it is; at its component calls the platform batches, resumes and cancels it
    like any other job. Fields of the request become its arguments by its own signature, and a field
    that it has no argument for is refused.
    """

    pipelines: Collection[str] = ()
    """The classes of diffusers that it knows, as model_index.json names them."""
    tasks: Mapping[str, Mapping[str, str]] = {}
    """By the class of the model: the media given ("image", "image mask") and who takes them."""
    fields: Mapping[str, str] = {}
    """Fields of the request by the pipeline's name for them, where that is not the usual one."""
    constants: Mapping[str, Any] = {}
    """Arguments of every call."""
    optional: Collection[str] = ()
    """Fields of files that the pipelines of this family take, and can do without."""
    beside: Collection[str] = ()
    """Fields that name other models, and that the family itself knows what to do with."""
    steps: int | None = None
    """How many where the request says nothing; the pipeline's own default if None."""
    guidance: float | None = None
    """How much where the request says nothing; the pipeline's own default if None."""
    samplers: Collection[str] | None = None
    """Those that fit, by name; all of the model's kind if None."""
    options: Collection[str] = ()
    """Names in `extra` that the family itself knows what to do with."""
    stages: Mapping[str, str] = {}
    """Further pipelines of one request: what their slots begin with, and their class."""
    multiple: int = 1
    """What the sides of a picture are a multiple of, besides what its latents ask for."""
    patch: int = 1
    """Latents that the backbone takes as one, on a side."""

    def recognises(self, model: Model) -> bool:
        return model.class_name in self.pipelines

    def pipeline_for(self, request: RequestT, model: Model) -> str:
        """The class that does what is asked."""
        tasks = self.tasks.get(model.class_name, {})
        return tasks.get(" ".join(calling.media_given(request)), model.class_name)

    def named(self, signature: Signature, model: Model) -> Mapping[str, str]:
        """The request's fields that this model can use, with the pipeline's names for them."""
        return calling.named(signature, self.fields)

    def check(self, request: RequestT, model: Model) -> list[str]:
        schedulers.check_sampler(request.sampler, model, self.schedulers(model))
        notes = lora.check(getattr(request, "lora", []), model) + words.check(request, model)
        signature = signature_of(self.pipeline_for(request, model))
        if signature is None:
            return notes
        named = self.named(signature, model)
        usable = (*named, "sampler", "lora", "embedding", "extra", *self.beside)
        calling.refuse_unusable(request, model, usable, f"a {signature.class_name}")
        calling.refuse_missing(request, model, self.needed(request, named))
        calling.check_size(request, model, self.size_multiple(model))
        steps = request.steps or self.own_values(request, model).get("steps")
        calling.check_strength(request, model, steps)
        own = (*self.options, *calling.of_stages(self.stages))
        calling.check_extra(request, model, signature, named.values(), own)
        return [*notes, *calling.idle_negative(request)]

    def needed(self, request: RequestT, named: Mapping[str, str]) -> Iterator[str]:
        """The fields without which there is nothing to do."""
        wanted = ("prompt", *media_fields(type(request)))
        return (field for field in wanted if field in named and field not in self.optional)

    def defaults(self, request: RequestT, model: Model) -> Mapping[str, Any]:
        own = self.own_values(request, model)
        return {field: value for field, value in own.items() if value is not None}

    def own_values(self, request: RequestT, model: Model) -> Mapping[str, Any]:
        """What the model uses for fields that are left out; None is left to the pipeline."""
        signature = signature_of(self.pipeline_for(request, model))
        if signature is None:
            return super().defaults(request, model)
        named = self.named(signature, model)
        usual = {field: signature.default(named[field]) for field in DEFAULTED if field in named}
        return {**usual, **{f: v for f, v in self.usual(model).items() if f in named}}

    def usual(self, model: Model) -> Mapping[str, Any]:
        """The family's own values for fields that are left out."""
        own = {"steps": self.steps, "guidance": self.guidance}
        return {field: value for field, value in own.items() if value is not None}

    def size_multiple(self, model: Model) -> int:
        return math.lcm(self.multiple, autoencoder_scale(model) * self.patch)

    def schedulers(self, model: Model) -> Mapping[str, str]:
        """The samplers that fit, with the scheduler of each."""
        names = schedulers.schedulers_of(model)
        wanted = names if self.samplers is None else self.samplers
        return {name: names[name] for name in wanted if name in names}

    def generate(self, job: JobContext, request: RequestT, model: LoadedModel) -> Any:
        return self.media(self.output(job, request, model), request)

    def output(self, job: JobContext, request: RequestT, model: LoadedModel) -> Any:
        """What the pipeline returns."""
        pipeline = self.pipeline(request, model)
        job.stage("sampling", until=0.90)
        output = pipeline(**self.arguments(job, request, model), generator=job.generator)
        job.stage("decoding", until=0.95)
        return output

    def pipeline(self, request: RequestT, model: LoadedModel) -> Any:
        """The pipeline that does what is asked, with the sampler that is asked for."""
        pipeline = model.pipeline(
            self.pipeline_class(request, model),
            adapters=self.adapters(request, model),
            **self.components(request, model),
        )
        words.teach(pipeline, getattr(request, "embedding", []), model)
        return pipeline

    def pipeline_class(self, request: RequestT, model: LoadedModel) -> Any:
        """The class itself; None for that of the model's model_index.json."""
        import diffusers

        return getattr(diffusers, self.pipeline_for(request, model.record), None)

    def adapters(self, request: RequestT, model: LoadedModel) -> Mapping[str, Any]:
        """The LoRAs and words that are asked for, by the slot of what they change."""
        own = words.adapters(getattr(request, "embedding", []), model)
        return {**lora.adapters(getattr(request, "lora", []), model.record), **own}

    def components(self, request: RequestT, model: LoadedModel) -> Mapping[str, Any]:
        """What goes before the model's own components in the pipeline."""
        return self.sampled(request, model)

    def sampled(self, request: RequestT, model: LoadedModel) -> Mapping[str, Any]:
        """The scheduler that is asked for, in its slot; empty where the model's own is to do."""
        if request.sampler is None:
            return {}
        chosen = self.schedulers(model.record)[request.sampler]
        own = model.fresh(schedulers.SLOT).config
        return {schedulers.SLOT: schedulers.new_scheduler(chosen, own)}

    def arguments(
        self, job: JobContext, request: RequestT, model: LoadedModel
    ) -> Mapping[str, Any]:
        """What the pipeline is called with, beside the generator."""
        signature = signature_of(self.pipeline_for(request, model.record))
        assert signature is not None, f"{self.name} has no pipeline of diffusers"
        named = self.named(signature, model.record)
        values = calling.given(request, named) | self.pictures(job, request, model, signature)
        constants = {name: v for name, v in self.constants.items() if name in signature}
        return {
            **constants,
            **{named[field]: value for field, value in values.items() if field in named},
            **signature.given(getattr(request, "extra", {})),
        }

    def stage(
        self, job: JobContext, request: RequestT, model: LoadedModel, name: str, **given: Any
    ) -> Any:
        """What a further pipeline returns for these arguments, and those that `extra` has for it.

        Its slots begin with the stage's name; what it lacks it has in common with the first one.
        """
        import diffusers

        class_name, part = self.stages[name], model.part(f"{name}_")
        own_words = getattr(request, "embedding", [])
        adapters = words.adapters(own_words, part)
        pipeline = part.pipeline(getattr(diffusers, class_name), adapters=adapters)
        words.teach(pipeline, own_words, part)
        names = {f"{name}_{argument}": argument for argument in calling.argument_names(class_name)}
        extra = getattr(request, "extra", {})
        own = {names[full]: value for full, value in extra.items() if full in names}
        return pipeline(**{**given, **own}, generator=job.generator)

    def pictures(
        self, job: JobContext, request: RequestT, model: LoadedModel, signature: Signature
    ) -> dict[str, Any]:
        """The request's pictures in the size asked for, or else in their own, and that size."""
        kinds = media_fields(type(request))
        files = {f: job.input(getattr(request, f)) for f in calling.media_given(request)}
        found = {
            field: opened(file, "L" if field == "mask" else "RGB")
            for field, file in files.items()
            if kinds[field] == "image"
        }
        begins = "strength" in signature or "mask_image" in signature  # with them, not from noise
        return in_one_size(
            found,
            getattr(request, "width", None),
            getattr(request, "height", None),
            self.size_multiple(model.record) if begins else None,
        )

    def media(self, output: Any, request: RequestT) -> Any:
        """What the modality's `encode` takes, out of what the pipeline returned."""
        return output
