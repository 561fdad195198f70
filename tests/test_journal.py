"""The journal's file: what is believed of it, whose it is, and when it goes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from jobs_cases import open_queue, small_disk, submit

from omnifex_jobs.errors import DiskFull, LostClaim
from omnifex_jobs.files.journal import Journal, Journals

OWNER = {"recipe": "sha256:1", "software": "omnifex 1"}
RECORDS = [b"first", b"", b"\0" * 40, b"the last of them"]


def opened(root: Path, held: bool = True, **owner: str) -> Journal:
    return Journals(root).open("JOB", OWNER | owner, lambda: held)


def written(root: Path, *records: bytes) -> Path:
    """The file of a journal with these records, whose worker has died."""
    journal = opened(root)
    for record in records:
        journal.append(record)
    journal.close()
    return journal.path


def found(root: Path, **owner: str) -> list[bytes]:
    journal = opened(root, **owner)
    records = [journal[index] for index in range(len(journal))]
    journal.close()
    return records


# What is believed


def test_records_come_back_in_their_order(tmp_path: Path) -> None:
    written(tmp_path, *RECORDS)
    assert found(tmp_path) == RECORDS


def test_a_record_may_be_given_in_parts(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"one ", b"and ", b"two")
    journal.close()
    assert found(tmp_path) == [b"one and two"]


def test_a_tail_torn_at_any_byte_is_cut_and_the_journal_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path, *RECORDS)
    whole = path.read_bytes()
    last = len(whole) - len(RECORDS[-1]) - 12  # where the last record's head begins
    for size in range(last, len(whole)):
        path.write_bytes(whole[:size])
        journal = opened(tmp_path)
        assert len(journal) == len(RECORDS) - 1
        journal.append(b"again")
        journal.close()
        assert found(tmp_path) == [*RECORDS[:-1], b"again"]


def test_a_file_of_any_length_gives_whole_records_alone(tmp_path: Path) -> None:
    path = written(tmp_path, *RECORDS)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert found(tmp_path) in [RECORDS[:count] for count in range(len(RECORDS))]


def test_no_flipped_bit_is_ever_believed_nor_anything_after_it(tmp_path: Path) -> None:
    path = written(tmp_path, *RECORDS)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        records = found(tmp_path)
        assert len(records) < len(RECORDS)
        assert records == RECORDS[: len(records)]


def test_zeros_after_the_end_are_no_records(tmp_path: Path) -> None:
    path = written(tmp_path, *RECORDS)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert found(tmp_path) == RECORDS


@pytest.mark.parametrize("other", [{"recipe": "sha256:2"}, {"software": "omnifex 2"}])
def test_a_journal_of_another_recipe_or_software_is_not_read(
    tmp_path: Path, other: dict[str, str]
) -> None:
    path = written(tmp_path, *RECORDS)
    journal = opened(tmp_path, **other)
    assert journal.stranger
    assert not len(journal)
    journal.append(b"new")
    journal.close()
    assert found(tmp_path, **other) == [b"new"]
    path.write_bytes(b"something else")
    assert opened(tmp_path).stranger


# Whose it is


def test_nothing_is_written_before_the_first_record(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journals")
    assert not journal.begun
    assert not journal.stranger
    journal.sync()
    assert not list(tmp_path.iterdir())


def test_what_a_worker_that_lost_the_job_still_writes_is_read_by_nobody(tmp_path: Path) -> None:
    lost = opened(tmp_path)
    lost.append(b"before")
    taken = opened(tmp_path)
    lost.append(b"too late")
    taken.append(b"after")
    taken.close()
    lost.sync()
    lost.close()
    assert found(tmp_path) == [b"before", b"after"]


def test_a_worker_that_lost_the_job_puts_no_file_in_the_place_of_anothers(tmp_path: Path) -> None:
    lost = opened(tmp_path, held=False)
    written(tmp_path, *RECORDS)
    with pytest.raises(LostClaim):
        lost.append(b"too late")
    with pytest.raises(LostClaim):
        opened(tmp_path, held=False)
    lost.restart()
    assert found(tmp_path) == RECORDS
    assert len(list(tmp_path.iterdir())) == 1


def test_a_journal_that_starts_over_forgets_everything(tmp_path: Path) -> None:
    written(tmp_path, *RECORDS)
    journal = opened(tmp_path)
    journal.restart()
    assert not len(journal)
    assert not journal.path.exists()
    journal.append(b"anew")
    journal.close()
    assert found(tmp_path) == [b"anew"]


# When it goes, and when it cannot be written


def test_it_survives_the_death_of_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from omnifex_jobs.files.journal import Journals\n"
        f"journal = Journals(Path(sys.argv[1])).open('JOB', {OWNER!r}, lambda: True)\n"
        "for n in range(3): journal.append(b'%d' % n)\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == -9
    assert found(tmp_path) == [b"0", b"1", b"2"]


def test_it_is_removed_when_its_job_is_over(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"something")
    journal.sync()
    journal.drop()
    journal.drop()
    assert not list(tmp_path.iterdir())


def test_what_ended_jobs_left_behind_is_swept(tmp_path: Path) -> None:
    queue = open_queue(tmp_path / "jobs.db")
    going, ended = submit(queue), submit(queue)
    journals = Journals(tmp_path / "journals")
    assert journals.sweep(queue.over) == 0
    for job_id in (going.id, ended.id, "UNKNOWN"):
        with closing(journals.open(job_id, OWNER, lambda: True)) as journal:
            journal.append(b"work")
    (journals.root / f"{ended.id}.0123.draft").touch()
    queue.cancel(ended.id)
    assert journals.sweep(queue.over) == 3
    assert [path.name for path in journals.root.iterdir()] == [f"{going.id}.journal"]


def test_the_database_says_who_holds_a_job(tmp_path: Path) -> None:
    queue = open_queue(tmp_path / "jobs.db")
    submit(queue)
    worker = queue.register()
    (claim,) = queue.claim(worker)
    assert queue.holds(claim)
    queue.gone(worker)
    queue.rescue()
    (again,) = queue.claim(queue.register())
    assert not queue.holds(claim)
    assert queue.holds(again)


def test_a_record_that_finds_no_room_leaves_those_before_it(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        journal = opened(disk)
        journal.append(b"fits")
        with pytest.raises(DiskFull):
            journal.append(os.urandom(2 << 20))
        journal.append(b"fits too")
        journal.close()
        assert found(disk) == [b"fits", b"fits too"]
