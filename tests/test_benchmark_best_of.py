"""The benchmark of the best of several: it makes what jobs make, and chooses as it says."""

import pytest

from benchmarks.best_of import Candidate, choices, made, report
from benchmarks.prompts import captions
from omnifex.workbench import Workbench


def test_candidates_are_those_of_a_job(tmp_path_factory: pytest.TempPathFactory) -> None:
    (caption,) = captions("image", 1, 5)
    with Workbench(tmp_path_factory.mktemp("bench")) as bench:
        found = made(bench, caption, 2, steps=2)
    assert [one.seed for one in found] == [5, 6]
    assert all(set(one.scores) == {"sharpness", "colourfulness"} for one in found)
    assert sum(told for _, told in found[0].tally.values()) > 0


def test_each_line_counts_what_its_own_choice_got_right() -> None:
    def one(seed: int, sharpness: float, colours: float, right: int) -> Candidate:
        scores = {"sharpness": sharpness, "colourfulness": colours}
        return Candidate(seed, scores, {"shape": (right, 4)})

    jobs = [[one(1, 2, 1, 1), one(2, 3, 2, 2), one(3, 1, 3, 3), one(4, 0, 0, 4)]]
    chosen = {name: choose(jobs[0]).seed for name, choose in choices().items()}
    assert list(chosen.values()) == [1, 2, 3, 4]
    shares = [line.split()[-2:] for line in report(jobs)[1:]]
    assert shares == [["25.0%", "0.0%"], ["50.0%", "0.0%"], ["75.0%", "0.0%"], ["100.0%", "100.0%"]]
