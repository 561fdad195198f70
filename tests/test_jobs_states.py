import re
from pathlib import Path

import pytest
from jobs_cases import open_queue, submit

from omnifex_jobs import MOVES, JobQueue, State
from omnifex_jobs.database.schema import job
from omnifex_jobs.moving.moves import move
from omnifex_jobs.states import ALLOWED, FINAL, WAITING

PAGE = (Path(__file__).parent.parent / "docs" / "jobs.md").read_text()


def test_the_picture_shows_every_move_and_no_other() -> None:
    arrows = re.findall(r"^    (\w+) --> (\w+): (.+)$", PAGE, re.MULTILINE)
    drawn = {
        (source, target, verb) for source, target, verbs in arrows for verb in verbs.split(", ")
    }
    assert drawn == ALLOWED


def test_the_table_in_the_docs_is_the_table_in_the_code() -> None:
    rows = [f"| {move.source} | {move.target} | {move.verb} | {move.when} |" for move in MOVES]
    assert "\n".join(rows) in PAGE
    assert len(
        [
            line
            for line in PAGE.splitlines()
            if line.startswith(
                ("| blocked", "| scheduled", "| queued", "| running", "| failed |", "| canceled |")
            )
        ]
    ) == len(rows)


def test_every_move_is_named_once_and_its_verb_is_a_method_of_the_queue() -> None:
    assert len(ALLOWED) == len(MOVES)
    assert all(callable(getattr(JobQueue, verb)) for _, _, verb in ALLOWED)


def test_states_are_the_seven_words_of_the_design() -> None:
    assert " ".join(State) == "blocked scheduled queued running succeeded failed canceled"
    assert {*WAITING, *FINAL, State.RUNNING} == set(State)


def test_a_succeeded_job_never_moves() -> None:
    assert not [move for move in MOVES if move.source == State.SUCCEEDED]


def test_a_move_that_is_not_in_the_table_cannot_be_made(tmp_path: Path) -> None:
    queue = open_queue(tmp_path / "jobs.db")
    made = submit(queue)
    with (
        queue._engine.begin() as db,
        pytest.raises(AssertionError, match="no move queued → succeeded"),
    ):
        move(db, "succeed", State.QUEUED, State.SUCCEEDED, job.c.id == made.id)
    assert queue.get(made.id).state == State.QUEUED
