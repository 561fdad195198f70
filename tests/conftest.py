"""What every test stands on: one thread of torch and a home of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.postgres_server import PostgresServer

if TYPE_CHECKING:
    from omnifex_jobs import JobQueue


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """More threads than cores slow tiny tensors down, and change their last bits."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def ears_for_ctrl_c() -> None:
    """A shell makes what it starts in the background deaf to Ctrl-C, which some tests send."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def omnifex_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $OMNIFEX_HOME; nothing of the user's is read or written."""
    home = tmp_path / "home"
    monkeypatch.setenv("OMNIFEX_HOME", str(home))
    monkeypatch.delenv("OMNIFEX_PLUGINS", raising=False)
    monkeypatch.setenv("OMNIFEX_SIGN", "no")  # exact bytes, where a test does not ask otherwise
    return home


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests; what they test is not the disk."""
    server = PostgresServer(fsync="off")
    yield server
    server.close()


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> str:
    """A database with all tables, to be copied."""
    from jobs_cases import queue_at

    queue_at(postgres.url("migrated"))._engine.dispose()
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of either kind: what holds for one holds for the other."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.db'}"
        return
    server = request.getfixturevalue("postgres")
    yield server.url(tmp_path.name, like=request.getfixturevalue("migrated"))
    server.drop(tmp_path.name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """As above, without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.db'}"
        return
    server = request.getfixturevalue("postgres")
    yield server.url(tmp_path.name)
    server.drop(tmp_path.name)


@pytest.fixture
def open_queue_at(database_url: str) -> Iterator[Callable[[], JobQueue]]:
    """Opens the database again and again, as processes would; all are closed at the end."""
    from jobs_cases import queue_at

    opened: list[JobQueue] = []

    def another() -> JobQueue:
        opened.append(queue_at(database_url))
        return opened[-1]

    yield another
    for queue in opened:
        queue._engine.dispose()


@pytest.fixture
def queue(open_queue_at: Callable[[], JobQueue]) -> JobQueue:
    """An empty queue, on SQLite and on PostgreSQL."""
    return open_queue_at()
