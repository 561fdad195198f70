"""The built-in autoencoders and conditioner, with random weights."""

import pytest
import torch

from omnifex_prism.autoencoder import ConvAutoencoder, fold, unfold
from omnifex_prism.conditioner import PhraseConditioner
from omnifex_prism.vocabulary import Vocabulary
from omnifex_video.autoencoder import ClipAutoencoder

PICTURE = {"channels": 3, "latent_channels": 4, "patch": [4, 4], "widths": [8, 16], "depth": 1}
FIELD = {"channels": 4, "latent_channels": 6, "patch": [2, 2, 2], "widths": [8, 8], "depth": 1}


@pytest.mark.parametrize(("space", "patch"), [((8, 12), (2, 4)), ((4, 6, 8), (1, 3, 2))])
def test_folding_and_unfolding_changes_nothing(
    space: tuple[int, ...], patch: tuple[int, ...]
) -> None:
    x = torch.randn(2, 3, *space)
    assert torch.equal(unfold(fold(x, patch), patch), x)


@pytest.mark.parametrize(
    ("config", "samples", "latents"),
    [(PICTURE, (2, 3, 32, 48), (2, 4, 4, 6)), (FIELD, (1, 4, 8, 8, 8), (1, 6, 2, 2, 2))],
)
def test_samples_become_latents_and_samples_again(
    config: dict[str, object], samples: tuple[int, ...], latents: tuple[int, ...]
) -> None:
    model = ConvAutoencoder.from_config({"_class_name": "ConvAutoencoder", **config})
    found = model.encode(torch.randn(samples))
    assert found.shape == latents
    assert model.decode(found).shape == samples


def test_latents_are_standardised_by_the_stored_statistics() -> None:
    model = ConvAutoencoder.from_config(PICTURE)
    x = torch.randn(2, 3, 16, 16)
    plain = model.encode(x)
    model.mean.fill_(0.5)
    model.deviation.fill_(2)
    assert torch.allclose(model.encode(x), (plain - 0.5) / 2, atol=1e-6)


def test_four_frames_become_one() -> None:
    config = {"frame": PICTURE, "latent_channels": 5, "stride": 4, "width": 8}
    model = ClipAutoencoder.from_config(config)
    clip = torch.randn(1, 3, 8, 16, 16)
    latents = model.encode(clip)
    assert latents.shape == (1, 5, 2, 2, 2)
    assert model.decode(latents).shape == clip.shape


def test_a_phrase_is_the_sum_of_its_words_and_silence_has_none() -> None:
    model = PhraseConditioner(words=10, phrases=2, width=8)
    tokens, pooled = model(torch.tensor([[[1, 2], [0, 0]], [[2, 1], [0, 0]], [[0, 0], [0, 0]]]))
    assert tokens.shape == (3, 2, 8)
    assert pooled.shape == (3, 8)
    assert torch.allclose(tokens[0], tokens[1])  # the order of words says nothing
    assert not torch.allclose(tokens[0], tokens[2])
    assert torch.allclose(tokens[0, 1], tokens[2, 1], atol=1e-6)  # what is not said is silence


def test_a_vocabulary_numbers_words_by_role() -> None:
    words = Vocabulary({"colour": ("red", "blue"), "ground": ("red",)}, phrases=2)
    assert words.size == 4
    assert words.encode([{"ground": "red"}]) == [[0, 3], [0, 0]]
    assert words.encode([{"colour": "blue"}, {"colour": "red", "ground": "red"}]) == [
        [2, 0],
        [1, 3],
    ]
