"""What calls cost: learned online, robust to single slow calls, kept for the next worker."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from studio_cases import open_tiles

from omnifex.engine.engine import Engine
from omnifex.engine.scheduling.costs import CallKind, CostModel
from omnifex.worker.costs import CostBook
from omnifex_jobs import CallCost, ComponentCost, keep_costs, known_costs, migrate, open_database

STEP = CallKind("backbone", "__call__", "4x16x16 f32")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'omnifex.db'}")
    migrate(database)
    yield database
    database.dispose()


def learned(*seconds: float, rows: int = 1) -> CostModel:
    """A model that saw calls of so many rows take so long, one after the other."""
    costs = CostModel()
    for one in seconds:
        costs.observe(STEP, rows, one)
    return costs


def curve(**seconds: float) -> CostModel:
    """A model that saw, twice, one row take `r1` seconds, two rows `r2`, and so on."""
    costs = CostModel()
    for rows, one in seconds.items():
        costs.observe(STEP, int(rows[1:]), one)
        costs.observe(STEP, int(rows[1:]), one)
    return costs


# Learning


def test_what_was_never_seen_is_not_known() -> None:
    costs = learned(1.0)
    other = CallKind("backbone", "__call__", "4x32x32 f32")
    assert (costs.seconds(other, 1), costs.load_seconds("backbone")) == (None, None)
    assert (costs.most_rows(other), costs.times(other, 1), costs.peak_bytes(other, 1)) == (0, 0, 0)


def test_a_slow_first_call_is_forgotten_with_the_second() -> None:
    assert learned(9.0).seconds(STEP, 1) == 9.0
    assert learned(9.0, 0.1).seconds(STEP, 1) == 0.1


def test_single_slow_calls_hardly_move_an_estimate() -> None:
    assert learned(*[0.1] * 20, 50.0).seconds(STEP, 1) == pytest.approx(0.1, rel=0.06)


def test_an_estimate_follows_a_device_that_becomes_slower() -> None:
    assert learned(*[0.1] * 50, *[0.3] * 50).seconds(STEP, 1) == pytest.approx(0.3, rel=0.02)


def test_noise_is_averaged_out() -> None:
    chance = random.Random(1)
    noisy = [0.2 * chance.lognormvariate(0, 0.2) for _ in range(200)]
    assert learned(*noisy).seconds(STEP, 1) == pytest.approx(0.2, rel=0.15)


def test_calls_of_several_threads_are_all_counted() -> None:
    costs = CostModel()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: costs.observe(STEP, n % 3 + 1, 0.1), range(300)))
    assert sum(costs.times(STEP, rows) for rows in (1, 2, 3)) == 300


# Rows


def test_between_numbers_of_rows_that_were_seen_it_is_a_straight_line() -> None:
    costs = curve(r1=0.1, r4=0.16, r8=0.32)
    assert costs.seconds(STEP, 4) == 0.16
    assert costs.seconds(STEP, 2) == pytest.approx(0.12)
    assert costs.seconds(STEP, 6) == pytest.approx(0.24)


def test_more_rows_than_ever_go_on_as_the_last_ones_did() -> None:
    assert curve(r1=0.1, r4=0.16).seconds(STEP, 8) == pytest.approx(0.24)
    assert curve(r1=0.1, r2=0.09).seconds(STEP, 4) == pytest.approx(0.09)  # not below zero
    assert curve(r1=0.1, r2=0.9).seconds(STEP, 4) == pytest.approx(1.8)  # not above proportion


def test_where_one_number_of_rows_is_known_more_are_taken_to_be_dear() -> None:
    assert curve(r2=0.2).seconds(STEP, 6) == pytest.approx(0.6)


def test_fewer_rows_than_ever_are_taken_to_save_half_of_their_share() -> None:
    assert curve(r4=0.4).seconds(STEP, 1) == pytest.approx(0.25)


def test_peaks_of_memory_are_never_guessed_too_small() -> None:
    costs = CostModel()
    costs.observe(STEP, 2, 0.1, peak_bytes=1000)
    costs.observe(STEP, 2, 0.1, peak_bytes=900)
    assert [costs.peak_bytes(STEP, rows) for rows in (1, 2, 4)] == [1000, 1000, 2000]


# Keeping


def test_a_model_goes_on_where_another_stopped() -> None:
    costs = curve(r1=0.1, r2=0.15)
    costs.observe_load("backbone", 3.0)
    again = CostModel()
    again.restore(*costs.dump())
    assert again.dump() == costs.dump()
    assert again.seconds(STEP, 2) == 0.15
    assert again.load_seconds("backbone") == 3.0


def test_what_is_known_here_already_is_not_overwritten() -> None:
    costs = learned(0.5)
    costs.restore([CallCost("backbone", "__call__", STEP.shape, 1, 9.0, 0, 5)])
    assert costs.seconds(STEP, 1) == 0.5


def test_changes_are_told_once() -> None:
    costs = curve(r1=0.1, r2=0.15)
    assert len(costs.changes()[0]) == 2
    costs.observe(STEP, 2, 0.15)
    costs.observe_load("backbone", 3.0)
    calls, loads = costs.changes()
    assert [(row.rows, row.count) for row in calls] == [(2, 3)]
    assert loads == [ComponentCost("backbone", 3.0)]
    assert costs.changes() == ([], [])


def test_the_database_keeps_the_latest_of_each_kind_of_device(database: Database) -> None:
    first = CallCost("backbone", "__call__", STEP.shape, 1, 0.5, 100, 1)
    second = CallCost("backbone", "__call__", STEP.shape, 1, 0.4, 120, 2)
    keep_costs(database, "NVIDIA H200", [first], [ComponentCost("backbone", 3.0)])
    keep_costs(database, "NVIDIA H200", [second], [ComponentCost("backbone", 2.0)])
    keep_costs(database, "cpu", [], [])
    assert known_costs(database, "NVIDIA H200") == ([second], [ComponentCost("backbone", 2.0)])
    assert known_costs(database, "cpu") == ([], [])


def test_a_restarted_worker_knows_what_calls_cost(tmp_path: Path) -> None:
    with open_tiles(tmp_path) as studio:
        studio.submit("tile", prompt="red").result(60)
    database = open_database(f"sqlite:///{tmp_path / 'omnifex.db'}")
    engine = Engine("cpu")
    CostBook(database).restore(engine)
    database.dispose()
    known, _ = engine.dispatcher.costs.dump()
    assert {row.method for row in known} >= {"__call__", "job"}
    assert all(row.seconds > 0 and row.count > 0 for row in known)
    with open_tiles(tmp_path) as studio:
        job = studio.submit("tile", prompt="blue")
        job.result(60)
        etas = [event.payload["eta"] for event in job.events() if event.kind == "progress"]
    assert etas
    assert None not in etas
