"""Cases of families in company and after a crash, as `python -m benchmarks.parity` tries them."""

from collections.abc import Iterator

import pytest

from benchmarks.parity_trials import CASES, Checkpoints, checkpoints, trial

QUICK = ("flux control", "sdxl refined")


@pytest.fixture(scope="module")
def models() -> Iterator[Checkpoints]:
    with checkpoints() as made:
        yield made


def check(models: Checkpoints, name: str) -> None:
    row = trial(models, name)
    assert row.green, row
    assert row.calls > 3


@pytest.mark.parametrize("name", QUICK)
def test_four_jobs_at_once_and_one_resumed_make_what_the_pipeline_makes(
    models: Checkpoints, name: str
) -> None:
    check(models, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in QUICK])
def test_so_they_do_for_every_other_case(models: Checkpoints, name: str) -> None:
    check(models, name)
