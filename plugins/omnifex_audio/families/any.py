"""Any other pipeline of diffusers that makes sounds, called by its own signature."""

from __future__ import annotations

from omnifex.signatures import signature_of
from omnifex_audio.families.sounds import AudioFamily
from omnifex_registry import Model


class AnyPipeline(AudioFamily):
    """Queue, progress, cancel, resume and sharing as for all; what it needs is its own to say."""

    name = "diffusers"
    precedence = -1
    optional = ("prompt", "audio")

    def recognises(self, model: Model) -> bool:
        signature = signature_of(model.class_name)
        return signature is not None and "audios" in signature.results
