"""Which call is next, and who joins it: the policy alone, with costs that the tests make up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scheduling import POLICIES, measure, missed
from omnifex.engine.scheduling.costs import CallKind, CostModel
from omnifex.engine.scheduling.policy import AGED_S, PATIENCE, SHARE, SLO, Policy, Waiting

NOW = 1000.0
STEP = CallKind("backbone", "__call__", "4x16x16 f32")


def costs(*seconds: float, times: int = 2) -> CostModel:
    """A step of one row takes the first, of two rows the second, and so on; 1 s if not given."""
    model = CostModel()
    for rows, one in enumerate(seconds or (1.0,), start=1):
        for _ in range(times):
            model.observe(STEP, rows, one)
    return model


def job(name: str, remaining: float = 10.0, **facts: Any) -> Waiting:
    """A job that has just come and will not be joined, unless the facts say otherwise."""
    known = {"arrived": NOW, "since": NOW, "expected": remaining, "signature": None, "rows": 1}
    return Waiting(kind=STEP, remaining=remaining, call=name, **{**known, **facts})


def chosen(*waiting: Waiting, model: CostModel | None = None) -> list[str]:
    """The names of those that run next."""
    return [one.call for one in Policy(model or costs()).choose(waiting, NOW)]


# Whose turn it is


def test_a_call_alone_is_next() -> None:
    assert chosen(job("only")) == ["only"]


def test_priority_comes_before_everything() -> None:
    assert chosen(job("short", 1.0), job("urgent", 50.0, priority=1)) == ["urgent"]


def test_the_shortest_goes_first_where_that_makes_nobody_late() -> None:
    assert chosen(job("long", 30.0), job("short", 5.0)) == ["short"]


def test_a_job_is_not_put_off_beyond_its_deadline() -> None:
    tight = job("tight", 30.0, deadline=NOW + 33)
    assert chosen(tight, job("short", 5.0)) == ["tight"]
    assert chosen(tight, job("shorter", 2.0)) == ["shorter"]


def test_what_is_late_anyway_does_not_make_others_late() -> None:
    hopeless = job("hopeless", 4.0, deadline=NOW + 3)
    assert chosen(hopeless, job("tight", 6.0, deadline=NOW + 7)) == ["tight"]


def test_of_the_late_the_shortest_goes_first() -> None:
    late = [job(f"late {s}", s, deadline=NOW - 1) for s in (30.0, 10.0, 20.0)]
    assert chosen(*late) == ["late 10.0"]


def test_as_many_as_possible_are_on_time() -> None:
    big = job("big", 90.0, deadline=NOW + 100)
    small = [job(f"small {n}", 20.0, deadline=NOW + 101) for n in range(5)]
    assert chosen(big, *small) == ["small 0"]


def test_a_deadline_that_was_asked_for_is_kept_before_one_that_was_not() -> None:
    asked = job("asked", 60.0, deadline=NOW + 60)
    assert chosen(asked, *(job(f"other {n}", 10.0) for n in range(8))) == ["asked"]


def test_a_job_without_a_deadline_has_one_by_its_length() -> None:
    waited = job("waited", 10.0, arrived=NOW - (SLO - 1) * 10 + 1)
    assert chosen(job("short", 5.0), waited) == ["waited"]
    assert chosen(job("short", 5.0), job("came now", 10.0)) == ["short"]


def test_a_job_that_nothing_is_known_of_shows_soon_what_it_needs() -> None:
    unknown = job("unknown", 0.0, expected=None)
    assert chosen(job("a", 20.0), unknown, job("b", 3.0)) == ["unknown"]


def test_a_job_that_never_says_how_long_it_takes_falls_behind() -> None:
    secretive = job("secretive", 60.0, expected=None, arrived=NOW - 9)
    assert chosen(secretive, job("open", 30.0)) == ["open"]


def test_bringing_a_component_in_counts_as_work() -> None:
    swapped = job("swapped out", 4.0, load_seconds=8.0)
    assert chosen(swapped, job("resident", 10.0)) == ["resident"]
    assert chosen(swapped, job("resident", 15.0)) == ["swapped out"]


@given(st.lists(st.tuples(st.floats(0.1, 90), st.integers(0, 2), st.floats(-99, 99)), min_size=1))
def test_the_answer_is_one_of_those_asked_and_always_the_same(
    facts: list[tuple[float, int, float]],
) -> None:
    waiting = [
        job(str(number), work, priority=priority, deadline=NOW + due, signature="s")
        for number, (work, priority, due) in enumerate(facts)
    ]
    names = chosen(*waiting)
    assert chosen(*waiting) == names
    assert len(set(names)) == len(names)
    first = next(one for one in waiting if one.call == names[0])
    assert first.priority == max(one.priority for one in waiting)


# Who joins


def test_equal_calls_run_together_where_that_pays() -> None:
    jobs = [job(f"{n}", signature="same") for n in range(3)]
    assert chosen(*jobs, model=costs(1.0, 1.1, 1.2)) == ["0", "1", "2"]
    assert chosen(*jobs, model=costs(1.0, 1.99, 2.98)) == ["0"]


def test_a_batch_ends_where_more_rows_save_nothing() -> None:
    jobs = [job(f"{n}", signature="same") for n in range(6)]
    assert chosen(*jobs, model=costs(1.0, 1.0, 1.5, 2.0, 2.5, 3.0)) == ["0", "1"]


def test_calls_of_other_signatures_and_none_do_not_join() -> None:
    mates = [job("a", 8.0, signature="x"), job("b", signature="y"), job("c"), job("d")]
    assert chosen(*mates, model=costs(1.0, 1.0, 1.0, 1.0)) == ["a"]
    assert len(chosen(mates[2], mates[3], model=costs(1.0, 1.0))) == 1


def test_a_less_urgent_call_joins_a_more_urgent_one() -> None:
    urgent, other = (job(name, signature="same", priority=p) for p, name in ((1, "u"), (0, "o")))
    assert chosen(other, urgent, model=costs(1.0, 1.0)) == ["u", "o"]


def test_who_joins_must_not_make_the_first_late() -> None:
    first = job("first", 10.0, signature="same", deadline=NOW + 10.1)
    other = job("other", 20.0, signature="same", deadline=NOW + 90)
    assert chosen(first, other, model=costs(1.0, 1.0)) == ["first", "other"]
    assert chosen(first, other, model=costs(1.0, 1.5)) == ["first"]


def test_who_joins_must_not_make_one_late_that_waits() -> None:
    first = job("first", 1.0, signature="same", deadline=NOW + 20)
    waits = job("waits", 10.0, deadline=NOW + 11.2)
    other = job("other", 20.0, signature="same", deadline=NOW + 90)
    assert chosen(first, waits, other, model=costs(1.0, 1.1)) == ["first", "other"]
    assert chosen(first, waits, other, model=costs(1.0, 1.5)) == ["first"]


def test_a_member_without_time_to_lose_gains_by_the_batch() -> None:
    first = job("first", 10.0, signature="same", deadline=NOW + 10.5)
    second = job("second", 10.0, signature="same", deadline=NOW + 20)
    late = job("late", 10.0, signature="same", deadline=NOW)
    assert chosen(first, second, late, model=costs(1.0, 1.2, 1.4)) == ["first", "second", "late"]
    assert chosen(first, second, late, model=costs(1.0, 1.2, 1.6)) == ["first", "second"]


def test_more_rows_are_tried_step_by_step_until_they_no_longer_pay() -> None:
    jobs = [job(f"{n}", signature="same") for n in range(8)]
    model = costs()
    policy = Policy(model)
    sizes = []
    for _ in range(12):
        batch = policy.choose(jobs, NOW)
        sizes.append(len(batch))
        model.observe(STEP, len(batch), max(1.0, 0.25 * len(batch)))
    assert sizes[0] == 2
    assert sizes[-1] == 4


def test_what_did_not_pay_is_tried_again_now_and_then() -> None:
    jobs = [job(f"{n}", signature="same") for n in range(2)]
    model = costs(1.0, 2.0)
    sizes = []
    for _ in range(1000):
        batch = Policy(model).choose(jobs, NOW)
        sizes.append(len(batch))
        model.observe(STEP, len(batch), float(len(batch)))
    assert 3 <= sizes.count(2) <= 20


# Nobody waits for ever


def test_an_old_job_has_its_share_whatever_else_is_urgent() -> None:
    urgent = job("urgent", 50.0, priority=9)
    old = NOW - AGED_S - PATIENCE * 5
    waited = 1 / SHARE - 1  # seconds, of calls of one second
    due = job("old", 5.0, arrived=old, since=NOW - waited - 0.01)
    served = job("old", 5.0, arrived=old, since=NOW - waited + 0.01)
    assert chosen(urgent, due) == ["old"]
    assert chosen(urgent, served) == ["urgent"]


def test_the_one_that_aged_first_is_served_first() -> None:
    old = [job(f"old {age}", 5.0, arrived=NOW - age, since=NOW - age) for age in (80, 99, 90)]
    assert chosen(job("urgent", priority=9), *old) == ["old 99"]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0.2, 3)), min_size=1, max_size=4),
    st.floats(0.2, 4),
)
def test_under_an_endless_stream_of_urgent_jobs_every_job_ends_within_its_bound(
    meek: list[tuple[int, float]], urgent_call: float
) -> None:
    kinds = [CallKind("backbone", "__call__", str(number)) for number in range(len(meek) + 1)]
    model = CostModel()
    each = [*(seconds for _, seconds in meek), urgent_call]
    for kind, seconds in zip(kinds, each, strict=True):
        model.observe(kind, 1, seconds)
    left, since = [calls for calls, _ in meek], [0.0] * len(meek)
    now, ends = 0.0, dict[int, float]()

    def waiting() -> Sequence[Waiting]:
        meek_ones = [
            Waiting(
                kinds[n],
                None,
                1,
                arrived=0.0,
                since=since[n],
                expected=calls * each[n],
                remaining=left[n] * each[n],
                call=n,
            )
            for n, (calls, _) in enumerate(meek)
            if left[n]
        ]
        return [*meek_ones, Waiting(kinds[-1], None, 1, arrived=now, since=now, priority=9)]

    while any(left):
        (first,) = Policy(model).choose(waiting(), now)
        number = len(meek) if first.call is None else first.call
        now += each[number]
        if number < len(meek):
            left[number] -= 1
            since[number] = now
            ends.setdefault(number, now) if not left[number] else None
    for number, end in ends.items():
        aged_at = [max(AGED_S, PATIENCE * calls * seconds) for calls, seconds in meek]
        before = [n for n in range(len(meek)) if aged_at[n] <= aged_at[number]]
        work = sum(meek[n][0] * meek[n][1] for n in before)
        calls = sum(meek[n][0] for n in before)
        assert end <= aged_at[number] + work / SHARE + 2 * calls * max(each)


# All of it, in virtual time


@pytest.fixture(scope="module")
def reports() -> list[Any]:
    return [measure(policy, 1.0, seeds=2, count=80) for policy in POLICIES]


def test_more_jobs_are_in_time_and_none_waits_beyond_its_bound(reports: list[Any]) -> None:
    assert missed(reports) == []
    first_come, learning = reports[0], reports[4]
    assert first_come.in_time < 0.5 < 0.83 <= learning.in_time
    assert learning.mean < 0.7 * first_come.mean
    assert learning.broken == 0


def test_virtual_time_is_the_same_every_time(reports: list[Any]) -> None:
    assert measure(reports[4].policy, 1.0, seeds=2, count=80) == reports[4]
