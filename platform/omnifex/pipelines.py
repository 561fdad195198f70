"""The family of an unmodified diffusers pipeline: a plugin says how to call it, and no more."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from omnifex.errors import UnknownSampler
from omnifex.modality import Family, RequestT

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex_registry import Model


class PipelineFamily(Family[RequestT]):
    """A family whose `generate` calls the pipeline of the model's own model_index.json.

    `pipelines` are the classes of diffusers that it knows. The pipeline runs as it is; at its
    component calls the platform batches, resumes and cancels it like any other job.
    """

    pipelines: Collection[str]

    @abstractmethod
    def arguments(
        self, job: JobContext, request: RequestT, model: LoadedModel
    ) -> Mapping[str, Any]:
        """What the pipeline is called with, beside the generator."""

    @abstractmethod
    def media(self, output: Any, request: RequestT) -> Any:
        """What the modality's `encode` takes, out of what the pipeline returned."""

    def recognises(self, model: Model) -> bool:
        return model.class_name in self.pipelines

    def check(self, request: RequestT, model: Model) -> list[str]:
        if request.sampler is not None:
            raise UnknownSampler(
                f"sampler {request.sampler!r} cannot be chosen: model {model.name!r} is sampled "
                "by the scheduler that it comes with; leave the sampler out."
            )
        return []

    def generate(self, job: JobContext, request: RequestT, model: LoadedModel) -> Any:
        pipeline = model.pipeline()
        job.stage("sampling", until=0.90)
        output = pipeline(**self.arguments(job, request, model), generator=job.generator)
        job.stage("decoding", until=0.95)
        return self.media(output, request)
