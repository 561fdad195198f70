"""What is PostgreSQL's own: the way to it, its restarts, its late event numbers, its migrations."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jobs_cases import queue_at, submissions, submit
from sqlalchemy import MetaData, insert, inspect

from benchmarks.postgres_server import PostgresServer
from omnifex_jobs import JobQueue, State, migrate, open_database, sqlite_advice
from omnifex_jobs.database import answering
from omnifex_jobs.database.migrate import VERSION_TABLE
from omnifex_jobs.database.opening import now_ms
from omnifex_jobs.database.schema import event, job, metadata
from omnifex_jobs.errors import DatabaseAway, DatabaseBusy, DatabaseNewer, DatabaseUnusable
from omnifex_jobs.finding.find import lock


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    yield postgres.url("empty")
    postgres.drop("empty")


@pytest.fixture
def address(postgres: PostgresServer, migrated: str) -> Iterator[str]:
    yield postgres.url("own", like=migrated)
    postgres.drop("own")


@pytest.fixture
def shared(address: str) -> Iterator[JobQueue]:
    queue = queue_at(address)
    yield queue
    queue._engine.dispose()


def test_the_migrations_make_the_tables_of_the_schema(shared: JobQueue, empty: str) -> None:
    created = open_database(empty)
    metadata.create_all(created)
    assert shape(shared._engine) == shape(created)
    assert sqlite_advice(created) is None
    created.dispose()


def shape(engine: object) -> dict[str, object]:
    """Columns, keys, checks and indexes of every table, in any order."""
    found, look = MetaData(), inspect(engine)
    found.reflect(engine)  # type: ignore[arg-type]
    return {
        name: (
            {(column.name, str(column.type), column.nullable) for column in table.columns},
            {key.name for key in table.primary_key},
            {(key["name"], *key["constrained_columns"]) for key in look.get_foreign_keys(name)},
            {(check["name"], check["sqltext"]) for check in look.get_check_constraints(name)},
            {(index["name"], index["unique"], str(index)) for index in look.get_indexes(name)},
        )
        for name, table in found.tables.items()
        if name != VERSION_TABLE
    }


def test_several_processes_may_migrate_at_once(empty: str) -> None:
    program = (
        "import sys; from omnifex_jobs import migrate, open_database;"
        "engine = open_database(sys.argv[1]); sys.stdin.readline(); migrate(engine)"
    )
    command = [sys.executable, "-c", program, empty]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for process in started:
        process.communicate(b"go\n")
    assert [process.returncode for process in started] == [0] * 4
    queue = queue_at(empty)
    assert queue.submit_many(submissions(1))
    queue._engine.dispose()


def test_a_newer_database_is_refused_and_kept(shared: JobQueue) -> None:
    made = submit(shared)
    with shared._engine.begin() as db:
        db.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(DatabaseNewer, match=r"127\.0\.0\.1:\d+/own was written by a newer Omnifex"):
        migrate(shared._engine)
    assert shared.get(made.id) == made


def test_a_server_that_is_away_is_named_and_found_again(
    shared: JobQueue, postgres: PostgresServer
) -> None:
    made = submit(shared)
    postgres.stop(signal.SIGQUIT)  # as a crash would
    try:
        with pytest.raises(DatabaseAway, match=r"127\.0\.0\.1:\d+/own does not answer"):
            submit(shared)
    finally:
        postgres.start()
    assert [claim.job.id for claim in shared.claim("w")] == [made.id]


def test_a_server_that_dies_in_the_middle_takes_nothing_with_it(address: str) -> None:
    queue = queue_at(address)
    made = submit(queue)
    with queue._engine.connect() as db:
        lock(db, made.id)
        with pytest.raises(DatabaseAway):
            db.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert queue.cancel(made.id).state == State.CANCELED
    queue._engine.dispose()


def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(
    shared: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "ANSWER_S", 0.3)
    with shared._engine.connect() as db:
        raw: Any = db.connection.dbapi_connection
        server = raw.info.backend_pid
        os.kill(server, signal.SIGSTOP)  # it holds the connection, and says nothing
        try:
            with pytest.raises(DatabaseAway, match=r"/own does not answer \(no answer for 0.3 s\)"):
                db.exec_driver_sql("SELECT 1")
        finally:
            os.kill(server, signal.SIGCONT)
    assert submit(shared).state is State.QUEUED


def test_a_way_that_swallows_connections_is_a_database_that_is_away(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        port = silent.getsockname()[1]
        queue = JobQueue(open_database(re.sub(r":\d+/", f":{port}/", address)))
        with pytest.raises(DatabaseAway, match="does not answer"):
            queue.counts()
    queue._engine.dispose()


def test_a_database_that_does_not_exist_is_named_without_its_password(
    postgres: PostgresServer,
) -> None:
    wrong = postgres.url().replace("omnifex@", "omnifex:secret@").replace("/omnifex", "/nowhere")
    with pytest.raises(DatabaseUnusable, match=r'/nowhere cannot be used .*"nowhere"') as caught:
        migrate(open_database(wrong))
    assert "secret" not in str(caught.value)


def test_a_row_that_another_holds_is_not_waited_for_for_ever(shared: JobQueue) -> None:
    made = submit(shared)
    with shared._engine.begin() as db, shared._engine.begin() as other:
        lock(db, made.id)
        other.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(DatabaseBusy, match="stayed locked"):
            lock(other, made.id)


def test_a_commit_that_a_dead_process_had_begun_is_waited_for(shared: JobQueue) -> None:
    made = submit(shared)
    [claim] = shared.claim("w")
    writing = threading.Event()

    def commit_late() -> None:
        with shared._engine.begin() as db:
            lock(db, made.id)
            writing.set()
            time.sleep(0.2)

    late = threading.Thread(target=commit_late)
    late.start()
    assert writing.wait(10)
    assert shared.crashed([claim]) == [made.id]
    late.join()


def test_a_reader_of_all_events_misses_none_that_commits_late(shared: JobQueue) -> None:
    made = submit(shared)
    drawn, seen = threading.Event(), threading.Event()

    def commit_late() -> None:
        with shared._engine.begin() as db:
            lock(db, made.id)
            note = {"job_id": made.id, "kind": "note", "payload": {}, "created_at": 1}
            db.execute(insert(event).values(note))
            drawn.set()
            assert not seen.wait(0.2), "the reader did not wait"

    late = threading.Thread(target=commit_late)
    late.start()
    assert drawn.wait(10)
    other = submit(shared)  # a higher number, committed first
    numbers = [(it.job_id, it.kind) for it in shared.events()]
    seen.set()
    late.join()
    assert numbers == [(made.id, "queued"), (made.id, "note"), (other.id, "queued")]


def test_the_clock_is_the_servers(shared: JobQueue) -> None:
    with shared._engine.begin() as db:
        assert "statement_timestamp" in str(now_ms().compile(db.engine))
        assert db.execute(job.select()).all() == []
