import re
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jobs_cases import open_queue, submissions, submit
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from omnifex_jobs import JobQueue, State, Wish, migrate, open_database, reading, sqlite_advice
from omnifex_jobs.database import sqlite
from omnifex_jobs.database.migrate import HEAD, upgrade
from omnifex_jobs.database.schema import metadata
from omnifex_jobs.database.sqlite import LOG_PAGES
from omnifex_jobs.errors import (
    DatabaseBusy,
    DatabaseNewer,
    DatabaseUnusable,
    JobsError,
    UnsupportedDatabase,
)

try:
    from pysqlite3 import dbapi2 as pysqlite3
except ImportError:
    pysqlite3 = sqlite3
DRIVERS = [sqlite3] if pysqlite3 is sqlite3 else [sqlite3, pysqlite3]


def pragma(path: Path, driver: ModuleType, name: str) -> object:
    engine = open_database(f"sqlite:///{path}", driver=driver)
    with reading(engine) as db:
        value = db.exec_driver_sql(f"PRAGMA {name}").scalar()
    engine.dispose()
    return value


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_wal_is_used_only_where_sqlite_is_sound(tmp_path: Path, driver: ModuleType) -> None:
    faulty = sqlite.vulnerable(driver.sqlite_version_info)
    assert pragma(tmp_path / "a.db", driver, "journal_mode") == ("truncate" if faulty else "wal")
    assert pragma(tmp_path / "a.db", driver, "wal_autocheckpoint") == (0 if faulty else LOG_PAGES)
    assert pragma(tmp_path / "a.db", driver, "synchronous") == 2
    assert pragma(tmp_path / "a.db", driver, "foreign_keys") == 1
    assert pragma(tmp_path / "a.db", driver, "busy_timeout") == 30_000


@pytest.mark.skipif(len(DRIVERS) == 1, reason="needs two SQLite libraries")
def test_an_old_and_a_new_sqlite_share_one_database(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    old, new = beside(path, "sqlite3"), beside(path, "pysqlite3.dbapi2")
    answers = [told(process, order) for _ in range(3) for process in (old, new) for order in "sjc"]
    for process in (old, new):
        process.communicate()
    made, modes, claimed = answers[0::3], answers[1::3], answers[2::3]
    assert claimed == made
    assert modes[-1] == f"wal {LOG_PAGES}" or not sqlite.vulnerable(sqlite3.sqlite_version_info)
    assert all(mode.endswith(" 0") for mode in modes[0::2])


# Never two SQLite libraries in one process: they do not see each other's locks.
PROGRAM = """
import importlib, sys
from pathlib import Path
from jobs_cases import open_queue, submit
queue = open_queue(Path(sys.argv[1]), importlib.import_module(sys.argv[2]))
def journal():
    with queue._engine.connect() as db:
        names = ("journal_mode", "wal_autocheckpoint")
        return " ".join(str(db.exec_driver_sql(f"PRAGMA {name}").scalar()) for name in names)
orders = {"s": lambda: submit(queue).id, "j": journal, "c": lambda: queue.claim("w")[0].job.id}
print("ready", flush=True)
for order in sys.stdin:
    print(orders[order.strip()](), flush=True)
"""


def beside(path: Path, driver: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROGRAM, str(path), driver]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parent
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def told(process: "subprocess.Popen[str]", order: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    print(order, file=process.stdin, flush=True)
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("version", "faulty"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 1), True),
        ((3, 50, 4), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(
    version: tuple[int, ...], faulty: bool
) -> None:
    assert sqlite.vulnerable(version) == faulty


def test_the_doctor_hears_of_a_faulty_sqlite(tmp_path: Path) -> None:
    for driver in DRIVERS:
        engine = open_database(f"sqlite:///{tmp_path / 'a.db'}", driver=driver)
        advice = sqlite_advice(engine)
        assert (advice is not None) == sqlite.vulnerable(driver.sqlite_version_info)
        assert advice is None or driver.sqlite_version in advice


def test_the_doctor_hears_of_a_network_file_system() -> None:
    mounts = [["/dev/a", "/", "ext4"], ["host:/x", "/home", "nfs4"], ["/dev/b", "/home/me", "xfs"]]
    assert sqlite.network_kind(Path("/home/you/jobs.db"), mounts) == "nfs4"
    assert sqlite.network_kind(Path("/home/me/jobs.db"), mounts) is None
    assert sqlite.network_kind(Path("/tmp/jobs.db"), mounts) is None


def test_the_safest_driver_is_the_default(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    assert engine.dialect.loaded_dbapi is sqlite.safest_driver()
    sound = [it for it in DRIVERS if not sqlite.vulnerable(it.sqlite_version_info)]
    assert sqlite.safest_driver() is (sound[0] if sound else sqlite3)


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "postgresql://host", "sqlite://", "sqlite:///:memory:", "no url"]
)
def test_another_database_is_refused_by_name(url: str) -> None:
    with pytest.raises(UnsupportedDatabase, match="use sqlite:///PATH") as caught:
        open_database(url)
    assert url in str(caught.value)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, driver: ModuleType) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 500)
    engine = open_database(f"sqlite:///{path}", driver=driver)
    with pytest.raises(DatabaseUnusable, match=r"notes\.txt cannot be used"):
        migrate(engine)
    assert path.read_text() == "dear diary " * 500


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=str(tmp_path)):
        migrate(open_database(f"sqlite:///{tmp_path}"))


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnusable, match="file"):
        open_database(f"sqlite:///{tmp_path}/file/jobs.db")


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_database_locked_by_another_program_is_named(
    tmp_path: Path, driver: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue(tmp_path / "jobs.db", driver)
    monkeypatch.setattr(sqlite, "PATIENCE_S", 0.05)
    other = driver.connect(tmp_path / "jobs.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusy, match=r"jobs\.db stayed locked"):
        submit(queue)
    assert queue.find() == []
    other.execute("ROLLBACK")
    other.close()
    assert submit(queue).state == State.QUEUED
    queue._engine.dispose()


@pytest.mark.parametrize("driver", DRIVERS)
def test_many_threads_write_through_one_queue(tmp_path: Path, driver: ModuleType) -> None:
    queue = open_queue(tmp_path / "jobs.db", driver)
    threads = [threading.Thread(target=lambda: [submit(queue) for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.counts()[State.QUEUED] == 40
    queue._engine.dispose()


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    migrated = open_queue(tmp_path / "migrated.db")._engine
    created = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    metadata.create_all(created)
    assert tables(migrated) == tables(created)


FIRST = """
INSERT INTO recipe VALUES ('sha256:1', '{"prompt":"a red circle"}', 'a red circle', 1);
INSERT INTO job VALUES ('01A', 'sha256:1', 'image', 'prism', 'queued', 2, '{}', 'k', 7200000,
    NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL, NULL, 0.0, '', 0, 0, NULL, NULL, NULL);
INSERT INTO worker VALUES ('01W', 'here', 1, '["cpu"]', '0.1', 1, 1, NULL);
"""


def test_a_database_of_the_first_version_is_upgraded_with_its_jobs(
    empty_database: str,
) -> None:
    engine = open_database(empty_database)
    with engine.begin() as db:
        upgrade(db, "0001")
        for statement in filter(str.strip, FIRST.split(";")):
            db.exec_driver_sql(statement)
    migrate(engine)
    queue = JobQueue(engine)
    assert [it.id for it in queue.workers()] == ["01W"]
    assert [it.id for it in queue.find(text="circle")] == ["01A"]
    [claim] = queue.claim("w")
    assert (claim.job.id, claim.job.recipe, claim.job.queue) == (
        "01A",
        {"prompt": "a red circle"},
        "default",
    )
    engine.dispose()


def tables(engine: object) -> dict[str, list[str]]:
    """Every table and index as SQL, its words sorted: the order of lines says nothing."""
    query = text("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
    with engine.connect() as db:  # type: ignore[attr-defined]
        words = re.compile(r"[,()]|[^\s,()]+")  # a later column stands beside the last bracket
        rows = {name: sorted(words.findall(sql)) for name, sql in db.execute(query)}
    return {name: words for name, words in rows.items() if name != "omnifex_jobs_version"}


def test_head_is_the_newest_migration() -> None:
    versions = Path(sqlite.__file__).parent / "migrations" / "versions"
    assert max(path.name for path in versions.glob("*.py")).startswith(HEAD)


def test_a_newer_database_is_refused_and_kept(tmp_path: Path) -> None:
    queue = open_queue(tmp_path / "jobs.db")
    made = submit(queue)
    with queue._engine.begin() as db:
        db.exec_driver_sql("UPDATE omnifex_jobs_version SET version_num = '9999'")
    with pytest.raises(
        DatabaseNewer, match=r"jobs\.db was written by a newer Omnifex .*'9999'"
    ) as caught:
        migrate(queue._engine)
    assert caught.value.code == "database_newer"
    assert queue.get(made.id) == made


def test_several_processes_may_migrate_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from omnifex_jobs import migrate, open_database;"
        "engine = open_database(sys.argv[1]); sys.stdin.readline(); migrate(engine)"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'new' / 'jobs.db'}"]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for process in started:
        process.communicate(b"go\n")
    assert [process.returncode for process in started] == [0] * 4
    assert open_queue(tmp_path / "new" / "jobs.db").submit_many(submissions(1))


def test_the_schema_compiles_for_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    indexes = [index for table in metadata.sorted_tables for index in table.indexes]
    made += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    assert any("seq BIGSERIAL NOT NULL" in it for it in made)
    assert sum("WHERE state = 'queued'" in it for it in made) == 2


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in JobsError.__subclasses__()]
    assert len(set(codes)) == len(codes)
    assert "jobs" not in codes


def test_importing_the_package_imports_neither_torch_nor_alembic() -> None:
    program = "import sys, omnifex_jobs; print({'torch', 'alembic'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_what_is_done_for_every_job_is_prepared_once(tmp_path: Path) -> None:
    queue = open_queue(tmp_path / "omnifex.db")
    queue.submit_many(submissions(9))
    [claim] = queue.claim("w")
    prepared: list[tuple[object, ...]] = []

    def asked(action: int, *about: object) -> int:
        """SQLite asks for leave for all that a statement will touch, when it prepares it."""
        if action not in (sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_PRAGMA):
            prepared.append(about)
        return sqlite3.SQLITE_OK

    def one() -> None:
        nonlocal claim
        [claim] = queue.succeed(claim, then=Wish())
        queue.succeed(claim)
        [claim] = queue.claim("w")

    one()
    with queue._engine.connect() as db:
        raw: Any = db.connection.dbapi_connection
        raw.set_authorizer(asked)
    one()  # whoever asks for leave makes all statements be prepared again
    prepared.clear()
    one()
    assert prepared == []
