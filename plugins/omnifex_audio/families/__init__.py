"""Other people's checkpoints of sounds: a file a family."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from omnifex import Family

HOMES = {
    "stable_audio": "StableAudio",
    "audioldm2": "AudioLDM2",
    "ace_step": "AceStep",
    "musicldm": "MusicLDM",
    "any": "AnyPipeline",
}


def families() -> list[Family[Any]]:
    """All of them; a checkpoint is the first one's that recognises it."""
    return [
        getattr(import_module(f"omnifex_audio.families.{home}"), name)()
        for home, name in HOMES.items()
    ]
