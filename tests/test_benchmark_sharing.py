"""The benchmarks of what models share and of latent space count rightly."""

import json

import pytest
import torch

from benchmarks import latent, sharing


def test_six_models_take_what_their_distinct_components_take(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sharing.main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["models"] == 6
    assert found["distinct"] == found["components"] - 3 - 2 - 1  # a T5, a CLIP, an autoencoder
    assert found["disk_bytes"] == found["distinct_bytes"]
    assert found["memory_bytes"] == found["distinct_bytes"] + found["computed_bytes"]
    assert found["separate"] > found["distinct_bytes"]


def test_latents_are_a_48th_of_the_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    latent.main(["--width", "8", "--sizes", "64", "--rounds", "1", "--json"])
    pixel, small = json.loads(capsys.readouterr().out)
    assert (pixel["elements"], small["elements"]) == (3 * 64 * 64, 4 * 8 * 8)
    assert pixel["elements"] == 48 * small["elements"]
    assert pixel["peak_bytes"] > 10 * small["peak_bytes"]


def test_the_peak_counts_what_is_alive_at_once() -> None:
    with latent.Peak() as peak:
        for _ in range(3):
            x = torch.ones(1000) + 1
            del x
    assert 4000 <= peak.most <= 8000
