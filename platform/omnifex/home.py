"""The folder that a studio lives in, and what all that work in it share."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine as Database

import omnifex_jobs
import omnifex_registry
from omnifex.bell import Bell
from omnifex.errors import OmnifexError
from omnifex.models import Models
from omnifex.plugins import PluginHost
from omnifex_jobs import ArtifactStore, JobQueue
from omnifex_jobs.files.buckets import BucketStore, is_bucket
from omnifex_jobs.files.journal import Journals

DATABASE = "omnifex.db"
ARTIFACTS = "artifacts"
JOURNALS = "journals"
ADDRESS = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # a Path makes one slash of two
SERVER = re.compile("postgres(ql)?([+][a-z0-9]+)?:/", re.IGNORECASE)


class UnsupportedHome(OmnifexError):
    """An address where a folder or a database is needed."""

    code = "unsupported_home"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"home {address!r} is an address; give a folder on this machine, or "
            "postgresql+psycopg://…"
        )


class NoPlaceForFiles(OmnifexError):
    """A database server keeps jobs, not files."""

    code = "no_artifacts"

    def __init__(self) -> None:
        super().__init__(
            "a home on a database server also needs a place for files that all its machines "
            "share; give artifacts= or set $OMNIFEX_ARTIFACTS: a folder, or s3://BUCKET/PREFIX."
        )


@dataclass(frozen=True)
class Home:
    """One home, opened: safe to share between threads; each process opens its own."""

    folder: Path
    database: Database
    queue: JobQueue
    store: ArtifactStore
    models: Models
    plugins: PluginHost
    news: Bell = field(default_factory=Bell)  # a job of this process came, went on or ended
    on_cancel: list[Callable[[str], None]] = field(default_factory=list)  # workers, told a job id

    @property
    def journals(self) -> Journals:
        """What unfinished jobs have computed so far."""
        return Journals(self.folder / JOURNALS)

    def close(self) -> None:
        self.queue.hints.close()
        self.database.dispose()


def open_home(
    home: Path | str | None = None,
    plugins: PluginHost | Iterable[object] = (),
    artifacts: Path | str | None = None,
) -> Home:
    """Open a home, made where it is missing; `plugins` join those that are installed.

    It is a folder, or the address of a database. The files of a database are in a folder, or, as
    those of a folder may be, in a bucket: `artifacts`.
    """
    folder, address = places(home, artifacts)
    host = plugins if isinstance(plugins, PluginHost) else PluginHost(plugins)
    database = omnifex_jobs.open_database(address)
    folder.mkdir(parents=True, exist_ok=True)
    omnifex_jobs.migrate(database)
    omnifex_registry.migrate(database)
    models = Models(omnifex_registry.Registry(database, folder), host)
    store = store_of(folder, files_of(home, artifacts))
    queue = JobQueue(database, kept=Journals(folder / JOURNALS).kept)
    return Home(folder, database, queue, store, models, host)


def places(home: Path | str | None, artifacts: Path | str | None = None) -> tuple[Path, str]:
    """The folder of the files, and the address of the database.

    Of files in a bucket, it is a folder of this machine: for what is used here and not yet done.
    """
    chosen = server_of(home)
    if not chosen:
        folder = home_folder(home)
        return folder, f"sqlite:///{folder / DATABASE}"
    shared = files_of(home, artifacts)
    if not shared:
        raise NoPlaceForFiles
    if not is_bucket(shared):
        return Path(shared).expanduser().resolve(), chosen
    cache = Path(os.environ.get("OMNIFEX_CACHE") or "~/.cache/omnifex").expanduser().resolve()
    return cache / hashlib.sha256(f"{chosen} {shared}".encode()).hexdigest()[:16], chosen


def server_of(home: Path | str | None) -> str:
    """The address of a database server; empty where the home is a folder."""
    chosen = str(home or os.environ.get("OMNIFEX_HOME") or "")
    return chosen if SERVER.match(chosen) else ""


def files_of(home: Path | str | None, artifacts: Path | str | None) -> str:
    """Where the files are, as it was said; the environment's word is for servers."""
    given = artifacts or (server_of(home) and os.environ.get("OMNIFEX_ARTIFACTS"))
    return str(given or "")


def store_of(folder: Path, place: str) -> ArtifactStore:
    kept = folder / ARTIFACTS
    return BucketStore(place, kept) if is_bucket(place) else ArtifactStore(kept)


def home_folder(given: Path | str | None = None) -> Path:
    """The folder that is given, else $OMNIFEX_HOME, else ~/.omnifex."""
    chosen = given or os.environ.get("OMNIFEX_HOME") or "~/.omnifex"
    if ADDRESS.match(str(chosen)):
        raise UnsupportedHome(str(chosen))
    return Path(chosen).expanduser().resolve()
