"""AudioLDM 2 (Liu et al. 2023): a UNet over log-mel latents, told what GPT-2 makes of the words."""

from __future__ import annotations

from omnifex_audio.families.sounds import AudioFamily


class AudioLDM2(AudioFamily):
    """Sounds and music; its speech models take what is to be said as `transcription` in extra."""

    name = "audioldm2"
    pipelines = ("AudioLDM2Pipeline",)
