"""The shared transformer: any stream goes in as latents and comes out as velocities."""

import pytest
import torch

from omnifex_registry.backbones import FlowTransformer
from omnifex_registry.backbones.flow_transformer import OPEN, Stream, velocity_of, wave_embedding

CONFIG = {
    "width": 32,
    "depth": 2,
    "heads": 2,
    "waist": 8,
    "condition_width": 16,
    "streams": {
        "image": {"channels": 4, "grid": [4, 6], "patch": [2, 2]},
        "video": {"channels": 3, "grid": [2, 4, 4], "patch": [1, 2, 2]},
    },
}


@pytest.fixture
def backbone() -> FlowTransformer:
    torch.manual_seed(0)
    model = FlowTransformer.from_config(CONFIG)
    for parameter in model.parameters():  # nothing at zero, so that everything has an effect
        torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def told(rows: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return {
        "tokens": torch.randn(rows, 3, 16, generator=draw),
        "pooled": torch.randn(rows, 16, generator=draw),
    }


@pytest.mark.parametrize(
    ("channels", "grid", "patch"), [(4, (4, 6), (2, 2)), (2, (2, 4, 6), (1, 2, 3))]
)
def test_cutting_into_tokens_and_joining_them_changes_nothing(
    channels: int, grid: tuple[int, ...], patch: tuple[int, ...]
) -> None:
    stream = Stream(channels, grid, patch)
    latents = torch.randn(3, channels, *grid)
    tokens = stream.cut(latents)
    assert tokens.shape == (3, stream.tokens, stream.token_width)
    assert torch.equal(stream.join(tokens), latents)


def test_a_token_holds_one_patch() -> None:
    stream = Stream(1, (4, 4), (2, 2))
    tokens = stream.cut(torch.arange(16.0).view(1, 1, 4, 4))
    assert tokens[0, 0].tolist() == [0, 1, 4, 5]


@pytest.mark.parametrize("stream", ["image", "video"])
def test_every_stream_gives_velocities_of_its_own_shape(
    backbone: FlowTransformer, stream: str
) -> None:
    kind = backbone.streams[stream]
    latents = torch.randn(2, kind.channels, *kind.grid)
    velocity = backbone(latents, torch.tensor([0.2, 0.8]), stream=stream, **told(2))
    assert velocity.shape == latents.shape
    assert velocity.isfinite().all()


def test_rows_of_a_batch_do_not_touch_each_other(backbone: FlowTransformer) -> None:
    latents, t, condition = torch.randn(2, 4, 4, 6), torch.tensor([0.1, 0.9]), told(2)
    together = backbone(latents, t, stream="image", **condition)
    for row in range(2):
        one = slice(row, row + 1)
        alone = {name: tensor[one] for name, tensor in condition.items()}
        found = backbone(latents[one], t[one], stream="image", **alone)
        assert torch.allclose(found, together[one], atol=1e-5)


def test_time_prompt_and_place_matter(backbone: FlowTransformer) -> None:
    latents, condition = torch.randn(1, 4, 4, 6), told(1)
    reference = backbone(latents, torch.tensor([0.5]), stream="image", **condition)
    later = backbone(latents, torch.tensor([0.6]), stream="image", **condition)
    other = condition | {"tokens": condition["tokens"].flip(1) * 2}
    prompted = backbone(latents, torch.tensor([0.5]), stream="image", **other)
    moved = backbone(latents.roll(2, 3), torch.tensor([0.5]), stream="image", **condition)
    assert not torch.allclose(reference, later)
    assert not torch.allclose(reference, prompted)
    assert not torch.allclose(reference, moved.roll(-2, 3))


def test_later_frames_are_seen_by_earlier_ones(backbone: FlowTransformer) -> None:
    latents, t, condition = torch.randn(1, 3, 2, 4, 4), torch.tensor([0.5]), told(1)
    reference = backbone(latents, t, stream="video", **condition)
    latents[:, :, 1] += 1
    assert not torch.allclose(
        backbone(latents, t, stream="video", **condition)[:, :, 0], reference[:, :, 0]
    )


def test_times_are_told_apart() -> None:
    waves = wave_embedding(torch.tensor([0.0, 0.5, 0.501]), 16)
    assert waves.shape == (3, 16)
    assert not torch.allclose(waves[1], waves[2])


def data_from(guess: torch.Tensor, latents: torch.Tensor, t: float) -> torch.Tensor:
    return latents - t * velocity_of(guess, latents, torch.tensor([t]))


def test_of_pure_noise_the_guess_decides_and_of_clear_latents_these() -> None:
    guess, latents = torch.randn(1, 4, 4, 6), torch.randn(1, 4, 4, 6)
    assert torch.allclose(data_from(guess, latents, 1.0), guess, atol=1e-5)
    assert torch.allclose(data_from(guess, latents, 1e-3), latents, atol=0.01)


def test_a_guess_that_deviates_as_expected_gets_no_worse() -> None:
    draw = torch.Generator().manual_seed(3)
    data, off, noise = torch.randn(3, 1, 4, 64, 64, generator=draw)
    for t in (0.05, 0.2, 0.5, 0.9):
        found = data_from(data + OPEN * off, (1 - t) * data + t * noise, t)
        best = OPEN * t / (t**2 + ((1 - t) * OPEN) ** 2) ** 0.5  # of two independent estimates
        assert (found - data).square().mean().sqrt().item() == pytest.approx(best, rel=0.02)
