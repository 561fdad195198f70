"""A disk that forgets at a power cut what was not synced, and what the queue and the store lose."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.faults_power import OnSQLite, suffered
from benchmarks.forgetful_disk import ForgetfulDisk
from omnifex_jobs.database import sqlite


@pytest.fixture
def disk() -> Iterator[ForgetfulDisk]:
    if not ForgetfulDisk.usable():
        pytest.skip("mounting by /dev/fuse needs root")
    with ForgetfulDisk() as disk:
        yield disk


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def test_what_was_not_synced_is_gone_and_so_is_what_no_folder_was_synced_to_hold(
    disk: ForgetfulDisk,
) -> None:
    (disk.folder / "kept").mkdir()
    for name in ("both", "bytes", "entry", "renamed"):
        (disk.folder / name).write_bytes(b"old")
    sync(disk.folder / "both")
    disk.settle()
    (disk.folder / "both").write_bytes(b"new")
    sync(disk.folder / "both")
    (disk.folder / "bytes").write_bytes(b"newer than new")
    (disk.folder / "bytes").rename(disk.folder / "kept" / "bytes")
    (disk.folder / "renamed").rename(disk.folder / "kept" / "renamed")
    sync(disk.folder / "kept")
    (disk.folder / "entry").unlink()
    (disk.folder / "fresh").write_bytes(b"fresh")
    sync(disk.folder / "fresh")
    disk.cut()
    found = {p.name: p.read_bytes() for p in disk.folder.rglob("*") if p.is_file()}
    assert found == {"both": b"new", "bytes": b"old", "entry": b"old", "renamed": b"old"}
    assert sorted(os.listdir(disk.folder / "kept")) == ["bytes", "renamed"]


@pytest.mark.parametrize(("synchronous", "left"), [("OFF", 0), ("FULL", 4), ("EXTRA", 5)])
def test_it_knows_a_careless_database_from_a_careful_one(
    disk: ForgetfulDisk, synchronous: str, left: int
) -> None:
    """With FULL alone a journal that was deleted comes back: its folder was not synced."""
    path = disk.folder / "some.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA synchronous={synchronous}")
    db.execute("CREATE TABLE number (n)")
    disk.settle()
    for number in range(5):
        db.execute("INSERT INTO number VALUES (?)", [number])
    db.close()
    disk.cut()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM number").fetchone() == (left,)
    db.close()


@pytest.mark.parametrize(
    "driver", dict.fromkeys([sqlite3, sqlite.safest_driver()]), ids=lambda it: it.__name__
)
def test_a_power_cut_loses_nothing_that_was_acknowledged(
    disk: ForgetfulDisk, driver: ModuleType
) -> None:
    heard = suffered(OnSQLite(disk, driver), random.Random(3), 2)
    assert heard.submitted
    assert (heard.lost, heard.undone, heard.broken, heard.unsound) == (0, 0, [], 0)
