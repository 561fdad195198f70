"""Every pipeline's jobs make the same alone, joined with others, and resumed from a journal."""

import pytest
import torch
from tiny_pipelines import TINY

from benchmarks.pipelines import PERTURBATION, Trial, trial

FAST = ("sd15", "flux", "dit", "stable_audio")
NAMES = [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in sorted(TINY)
]


@pytest.mark.parametrize("name", NAMES)
def test_a_pipelines_jobs_make_together_what_they_make_alone(name: str) -> None:
    state = torch.get_rng_state()
    found = trial(name)
    if TINY[name].chaotic:  # rounding is carried as far as it goes
        assert found.perturbed > 10 * PERTURBATION
        assert found.difference <= 10 * found.perturbed
    else:
        assert found.difference <= 1e-5
    assert found.batch > 1  # backbone calls were joined
    assert found.resumed
    assert torch.equal(state, torch.get_rng_state())


def test_a_trial_that_differs_does_not_agree() -> None:
    found = Trial("sd15", 1.0, 1.0, 2e-5, 1.0, calls=8, batch=3.1, resumed=True)
    assert not found.agrees
    assert Trial("kandinsky", 1.0, 1.0, 2e-5, 3e-6, calls=8, batch=3.1, resumed=True).agrees
