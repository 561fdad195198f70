"""The benchmark of the engine's overhead: both ways do the same work, and it counts rightly."""

import json
from collections.abc import Iterator

import pytest

from benchmarks import overhead
from benchmarks.overhead import CASES, workbench
from benchmarks.side_by_side import Comparison, Times, side_by_side, spread
from omnifex.workbench import Workbench


@pytest.fixture(scope="module")
def bench() -> Iterator[Workbench]:
    with workbench() as made:
        yield made


@pytest.mark.parametrize(
    ("name", "calls"), [("idle", 200), ("nano", 2), ("sd15", 5), ("flux", 5), ("prism", 4)]
)
def test_the_engine_and_the_hand_make_the_same_bytes(
    bench: Workbench, name: str, calls: int
) -> None:
    case = CASES[name](bench, 2)
    assert case.calls == calls
    assert case.by_hand() == case.by_engine()


def test_a_case_whose_ways_differ_is_not_timed(bench: Workbench) -> None:
    case = overhead.Case("odd", lambda: b"one", lambda: b"other", 1)
    with pytest.raises(SystemExit, match="odd: the engine and the hand made different bytes"):
        overhead.measure(case, 1)


def test_the_report_is_of_all_cases_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    overhead.main(["nano", "--rounds", "2", "--steps", "1", "--json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert found["case"] == "nano"
    assert found["least_cpu"]["baseline"] > 0
    overhead.main(["nano", "--rounds", "2", "--steps", "1"])
    assert "nano: 1 component calls a job" in capsys.readouterr().out


def test_each_work_is_done_once_a_round_and_the_baseline_twice() -> None:
    done: list[str] = []
    found = side_by_side(lambda: done.append("a"), lambda: done.append("b"), rounds=3, warm_up=0)
    assert (done.count("a"), done.count("b")) == (6, 3)
    assert [len(times.cpu) for times in (found.baseline, found.ours, found.again)] == [3, 3, 3]


def test_the_least_and_the_median_are_of_equal_rounds() -> None:
    columns = [Times(cpu, cpu) for cpu in ([10.0, 20.0], [11.0, 24.0], [10.0, 20.0])]
    found = Comparison(*columns)
    assert found.least().ratio == pytest.approx(1.1)
    assert found.median().ratio == pytest.approx(1.15)
    assert found.least().noise == found.median().noise == 1.0
    assert spread(2.0, 3.0) == spread(3.0, 2.0) == 1.5
