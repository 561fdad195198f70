"""The oracle: what the world renders is read back; what is wrong is seen to be wrong."""

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchaudio
import trimesh

from omnifex_audio.mel import to_mel, to_wave
from omnifex_mesh.marching import surface
from omnifex_prism.vocabulary import Phrase
from recipes.oracle import audio, image, mesh, video
from recipes.oracle.reading import Reading, Seen, Tally, add, score, share
from recipes.oracle.relations import beside
from recipes.world.audio import Scene as Sound
from recipes.world.audio import render as render_sounds
from recipes.world.image import Scene as Picture
from recipes.world.image import Thing
from recipes.world.modalities import WORLDS

COUNT, SEED = 60, 30_000


def pixels(samples: torch.Tensor) -> np.ndarray:
    """(C, …) in [-1, 1] → (…, C) in 0..255."""
    return ((samples + 1) * 127.5).round().byte().movedim(0, -1).numpy()


def solid(field: torch.Tensor) -> trimesh.Trimesh:
    return surface(field[0].numpy(), (field[1:].movedim(0, -1).numpy() + 1) / 2)


READERS: dict[str, Callable[[Any], Reading]] = {
    "image": lambda scene: image.read(pixels(WORLDS["image"].render([scene])[0])),
    "video": lambda scene: video.read(pixels(WORLDS["video"].render([scene])[0])),
    "audio": lambda scene: audio.read(render_sounds([scene])[0].numpy()),
    "mesh": lambda scene: mesh.read(solid(WORLDS["mesh"].render([scene])[0])),
}


@cache
def readings(modality: str) -> list[tuple[Sequence[Phrase], Reading]]:
    """Scenes that no recipe trains on: what they tell, and what is read from their renderings."""
    rng = Random(SEED)
    scenes = [WORLDS[modality].sample(rng) for _ in range(COUNT)]
    return [(scene.phrases(), READERS[modality](scene)) for scene in scenes]


def total(pairs: Sequence[tuple[Sequence[Phrase], Reading]]) -> Tally:
    found: Tally = {}
    for phrases, reading in pairs:
        found = add(found, score(phrases, reading))
    return found


@pytest.mark.parametrize("modality", WORLDS)
def test_every_kind_of_attribute_is_read_back_from_true_renderings(modality: str) -> None:
    counted = total(readings(modality))
    assert {kind for kind, (right, told) in counted.items() if right < 0.98 * told} == set()
    assert {role for phrases, _ in readings(modality) for p in phrases for role in p} <= {*counted}


@pytest.mark.parametrize("modality", WORLDS)
def test_the_artifact_of_another_prompt_scores_low(modality: str) -> None:
    told, seen = zip(*readings(modality), strict=True)
    assert share(total([*zip(told, seen[1:] + seen[:1], strict=True)])) < 0.5


def test_a_sound_that_went_through_mel_frames_is_read_all_the_same() -> None:
    rng = Random(SEED + 1)
    scenes = [WORLDS["audio"].sample(rng) for _ in range(12)]
    waves = to_wave(to_mel(render_sounds(scenes)))
    pairs = [(s.phrases(), audio.read(w.numpy())) for s, w in zip(scenes, waves, strict=True)]
    assert share(total(pairs)) == 1


def test_a_sound_of_another_rate_and_length_is_read_all_the_same() -> None:
    wave = render_sounds([Sound("tone", "square", "G4", "plucked")])[0]
    slower = torchaudio.functional.resample(wave, 24_000, 16_000)[:40_000].numpy()
    assert audio.read(slower, 16_000).whole == {
        "kind": "tone",
        "waveform": "square",
        "pitch": "G4",
        "envelope": "plucked",
    }


def test_waveforms_that_are_the_same_wave_are_not_held_against_a_sound() -> None:
    told = [{"kind": "sweep", "waveform": "triangle", "pitch": "B5", "direction": "rising"}]
    (sine,) = render_sounds([Sound("sweep", "sine", "B5", direction="rising")])
    assert share(score(told, audio.read(sine.numpy()))) == 1
    (saw,) = render_sounds([Sound("sweep", "sawtooth", "B5", direction="rising")])
    assert score(told, audio.read(saw.numpy()))["waveform"] == (0, 1)


def picture(*things: Thing) -> torch.Tensor:
    return WORLDS["image"].render([Picture("striped", ("blue", "purple"), things)])


STAR, RING = Thing("small", "red", "star", "left"), Thing("large", "white", "ring", "right")


def test_a_soft_noisy_picture_with_a_tint_is_read_all_the_same() -> None:
    kernel = torch.tensor([0.06, 0.24, 0.4, 0.24, 0.06])
    samples = F.pad(picture(STAR, RING), (2, 2, 2, 2), mode="replicate")
    weight = (kernel[:, None] * kernel).expand(3, 1, 5, 5)
    noise = 0.05 * torch.randn(3, 128, 128, generator=torch.Generator().manual_seed(0))
    soft = (
        F.conv2d(samples, weight, groups=3)[0]
        + noise
        + torch.tensor([0.05, -0.05, 0.05])[:, None, None]
    )
    told = Picture("striped", ("blue", "purple"), (STAR, RING)).phrases()
    assert share(score(told, image.read(pixels(soft.clamp(-1, 1))))) == 1


def test_a_picture_of_noise_agrees_with_little() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    told = Picture("plain", ("blue", "red"), (STAR, RING)).phrases()
    assert share(score(told, image.read(noise))) < 0.5


def test_a_thing_that_is_not_there_has_all_its_words_wrong() -> None:
    told = Picture("striped", ("blue", "purple"), (STAR, RING)).phrases()
    counted = score(told, image.read(pixels(picture(RING)[0])))
    assert counted["colour"] == counted["shape"] == counted["size"] == counted["place"] == (1, 2)
    assert counted["number"] == (0, 1)
    assert counted["background"] == counted["ground"] == counted["second ground"] == (1, 1)


RED, BLUE = Seen({"colour": "red"}, (20.0, 60.0)), Seen({"colour": "blue"}, (100.0, 66.0))


@pytest.mark.parametrize(("relation", "right"), [("left of", 1), ("right of", 0), ("above", 0)])
def test_a_relation_is_read_from_the_middles(relation: str, right: int) -> None:
    told = [{}, {"colour": "red", "relation": relation}, {"colour": "blue"}]
    seen = Reading({}, (BLUE, RED), beside((BLUE, RED)))
    assert score(told, seen) == {"colour": (2, 2), "relation": (right, 1), "number": (1, 1)}


def test_words_that_were_not_told_are_free() -> None:
    seen = Reading({"background": "plain", "ground": "blue"}, (RED,), {})
    assert score([{}, {}], seen) == {"number": (1, 1)}


def test_nothing_seen_is_nothing_right() -> None:
    told = [{"colour": "red", "relation": "under"}, {"colour": "blue"}]
    counted = score(told, Reading(None, (), {}))
    assert counted == {"colour": (0, 2), "relation": (0, 1), "number": (0, 1)}
