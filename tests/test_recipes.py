"""The recipes: scenes are rendered and told, and training can be stopped and resumed."""

import random
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from recipes import decoder, flow
from recipes.data import Latents
from recipes.latents import autoencoder, encode, vocabulary
from recipes.training import Asked, rate_at, train
from recipes.world import video as world_video
from recipes.world.modalities import WORLDS

SHAPES = {
    "image": (3, 128, 128),
    "video": (3, 24, 96, 96),
    "audio": (1, 128, 192),
    "mesh": (4, 48, 48, 48),
}


@pytest.mark.parametrize("modality", WORLDS)
def test_a_scene_is_rendered_in_its_range_and_told_in_known_words(modality: str) -> None:
    world, rng = WORLDS[modality], random.Random(5)
    scenes = [world.sample(rng) for _ in range(4)]
    samples = world.render(scenes)
    assert samples.shape == (4, *SHAPES[modality])
    assert samples.abs().max() <= 1
    assert samples.flatten(1).std(1).min() > 0.01  # none is blank
    words = vocabulary(modality)
    ids = torch.tensor([words.encode(scene.phrases()) for scene in scenes])
    assert ids.shape[1:] == (words.phrases, len(words.roles))
    assert ids.max() < words.size


@pytest.mark.parametrize("modality", WORLDS)
def test_the_same_seed_draws_the_same_scenes(modality: str) -> None:
    world = WORLDS[modality]
    assert world.sample(random.Random(1)) == world.sample(random.Random(1))
    assert world.sample(random.Random(1)) != world.sample(random.Random(2))


@pytest.mark.parametrize("modality", WORLDS)
def test_the_autoencoder_of_a_world_fits_its_samples(modality: str) -> None:
    world = WORLDS[modality]
    model = world.new_autoencoder().eval()
    samples = world.render([world.sample(random.Random(3))])
    with torch.inference_mode():
        assert model.decode(model.encode(samples)).shape == samples.shape


def test_words_are_left_out_and_some_prompts_are_silent() -> None:
    ids, draw = torch.ones(1, 2, 4).long(), torch.Generator().manual_seed(0)
    data = Latents(torch.zeros(1, 1), ids, torch.ones(1), draw)
    _, ids = data.batch(2000)
    silent = (ids.flatten(1).sum(1) == 0).float().mean()
    assert 0.07 < silent < 0.13
    assert 0.04 < 1 - ids[ids.flatten(1).sum(1) > 0].float().mean() < 0.12


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)


def squared(model: nn.Module, stream: str, latents: Tensor, ids: Tensor) -> Tensor:
    found: Tensor = model.layer(latents)  # type: ignore[operator]
    return (found - latents.flip(1)).square()


def test_training_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    torch.save(
        {
            "latents": torch.randn(16, 3).half(),
            "ids": torch.ones(16, 1, 1).short(),
            "deviation": torch.ones(3),
        },
        tmp_path / "tiny_latents_1.pt",
    )

    def run(steps: int) -> dict[str, Tensor]:
        torch.manual_seed(0)
        options = Asked(steps=steps, out=tmp_path, device="cpu", restart=False)
        train(Tiny(), "tiny", {"tiny": 4}, squared, options, shipped=dict)
        saved: dict[str, Tensor] = torch.load(tmp_path / "tiny.pt", weights_only=True)
        return saved

    first, second = run(5), run(8)
    assert (first["step"], second["step"]) == (5, 8)
    assert second["losses"]["tiny"][:5] == first["losses"]["tiny"]  # type: ignore[call-overload]
    assert len(second["losses"]["tiny"]) == 8  # type: ignore[call-overload]


def test_the_rate_warms_up_and_falls() -> None:
    rates = [rate_at(step, 1000) for step in range(1000)]
    assert rates[0] < rates[50] < rates[300] == max(rates)
    assert rates[-1] < 0.01 * max(rates)


def test_a_decoder_learns_and_the_encoder_stays(tmp_path: Path) -> None:
    encoded = encode("video", 64, seed=1, out=tmp_path)
    torch.save(encoded, tmp_path / "video_latents_1.pt")
    before = autoencoder("video", tmp_path).state_dict()
    decoder.train(Asked(steps=2, out=tmp_path, device="cpu", restart=False))
    after = autoencoder("video", tmp_path).state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed
    assert all(name.startswith(("up.", "frame.up.")) for name in changed)


def test_the_frames_that_a_decoder_learns_from_are_those_of_the_clip() -> None:
    scene = world_video.sample(random.Random(3))
    which = torch.tensor([20, 4, 11])
    frames, weights = decoder.draw(scene, which)
    assert torch.allclose(frames, WORLDS["video"].render([scene])[0][:, which], atol=1e-6)
    assert weights.shape == (1, 3, 96, 96)
    assert (weights.flatten(1).amax(1) > 0).all()


def test_some_frames_are_decoded_as_all_of_them_are() -> None:
    torch.manual_seed(0)
    model, which = WORLDS["video"].new_autoencoder().eval(), torch.tensor([[3, 17], [8, 0]])
    latents = torch.randn(2, 24, 6, 6, 6)
    with torch.inference_mode():
        some, every = decoder.decoded(model, latents, which), model.decode(latents)
    for row, at in enumerate(which):
        assert torch.allclose(some[row], every[row][:, at], atol=1e-5)


class Answers(nn.Module):
    """Always heads for the same data, and remembers what it was shown."""

    def __init__(self, data: Tensor) -> None:
        super().__init__()
        self.data = data
        self.shown: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor, stream: str, ids: Tensor) -> Tensor:
        self.shown.append((x, t))
        return (x - self.data) / t.view(-1, 1, 1)


@pytest.mark.parametrize("stream", ["image", "video"])
def test_a_flow_is_held_to_the_data_wherever_it_begins(stream: str) -> None:
    torch.manual_seed(0)
    data, ids = torch.randn(1, 3, 50).expand(8, 3, 50), torch.ones(8, 1, 1).long()
    right, wrong = (Answers(value) for value in (data[:1], torch.zeros(1)))
    assert flow.errors_of(right, stream, data, ids).max() < 1e-5
    assert flow.errors_of(wrong, stream, data, ids).mean() > 0.5


def test_half_of_the_clips_begin_with_a_draft() -> None:
    torch.manual_seed(0)
    data, ids = torch.full((64, 3, 50), 3.0), torch.ones(64, 1, 1).long()
    model = Answers(torch.full((1,), -3.0))  # what it drafts is all wrong
    flow.errors_of(model, "video", data, ids)
    (_, first), (x, t) = model.shown
    assert first.tolist() == [1.0] * 32
    clear = x.mean((1, 2))[t < 0.5], (torch.arange(64) < 32)[t < 0.5]
    assert len(clear[0]) > 3
    assert ((clear[0] < 0) == clear[1]).all()
