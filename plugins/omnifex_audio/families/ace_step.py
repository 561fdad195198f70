"""ACE-Step 1.5 (2025): songs with lyrics, by flow matching over a waveform's latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex import InvalidRequest
from omnifex.model_config import backbone_config
from omnifex_audio.families.sounds import AudioFamily
from omnifex_audio.modality import AudioRequest

if TYPE_CHECKING:
    from omnifex.engine.context import JobContext
    from omnifex.engine.model import LoadedModel
    from omnifex.signatures import Signature
    from omnifex_registry import Model


class AceStep(AudioFamily):
    """From words, or as a cover of a sound, which is then as long; a turbo has no guidance.

    A cover needs the model's `audio_tokenizer` and `audio_token_detokenizer`.
    """

    name = "ace-step"
    pipelines = ("AceStepPipeline",)
    fields = {"audio": "src_audio"}
    samplers = ("euler",)

    def check(self, request: AudioRequest, model: Model) -> list[str]:
        if request.audio is not None and "audio_tokenizer" not in model.components:
            raise InvalidRequest(
                f"model {model.name!r} cannot use audio: it was added without an audio_tokenizer; "
                "leave audio out, or add a model that has one."
            )
        return super().check(request, model)

    def pipeline_class(self, request: AudioRequest, model: LoadedModel) -> Any:
        from omnifex_audio.families.ace_cover import SeededAceStepPipeline

        given = request.audio is not None
        return SeededAceStepPipeline if given else super().pipeline_class(request, model)

    def named(self, signature: Signature, model: Model) -> Mapping[str, str]:
        named = {**super().named(signature, model)}
        if turbo(model):
            named.pop("guidance")
        return named

    def arguments(
        self, job: JobContext, request: AudioRequest, model: LoadedModel
    ) -> Mapping[str, Any]:
        own: dict[str, Any] = {"guidance_scale": 1.0} if turbo(model.record) else {}
        if request.audio is not None:
            own |= {"task_type": "cover", "audio_duration": None}
        return {**own, **super().arguments(job, request, model)}


def turbo(model: Model) -> bool:
    return bool(backbone_config(model).get("is_turbo"))
