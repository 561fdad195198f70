"""The process of one device: runs the jobs that its supervisor sends, with an engine of its own.

It writes progress, files and the ends of jobs itself, each write under its claim's token; with the
end of a job it takes the next one, where the supervisor lets it. It never beats: what it has is
held, given back and given up by the supervisor.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from threading import Event, Lock, Thread
from typing import Any

from omnifex.home import Home
from omnifex.worker.forking import belong_to_parent
from omnifex.worker.performer import Performer
from omnifex_jobs import Claim, JobsError

ALIVE_S = 0.5  # between two signs of life; a process whose interpreter hangs gives none

log = logging.getLogger("omnifex.worker")


def serve(
    pipe: Connection[Any, Any],
    environment: Mapping[str, str],
    open_home: Callable[[], Home],
    device: str,
    memory: int | None,
) -> None:
    """The whole life of the process, until it is told to close or its supervisor is gone.

    Its environment is that of its supervisor now, not when the process that it forked from began.
    """
    belong_to_parent()
    os.environ.clear()
    os.environ.update(environment)
    logging.basicConfig(format=f"%(asctime)s %(levelname)s {device} %(message)s")
    try:
        Forked(pipe, open_home(), device, memory).serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(1)  # no supervisor: nobody holds these jobs, and the device is another's to use


class Forked:
    """Does what the supervisor says: start, refill, cancel, release, close."""

    def __init__(
        self, pipe: Connection[Any, Any], home: Home, device: str, memory: int | None
    ) -> None:
        self._pipe, self._home = pipe, home
        self._sending = Lock()
        self._performer = Performer(home, [device], memory, self._say_took, self._say_ended)
        self._verbs: dict[str, Callable[..., object]] = {
            "start": self._performer.start,
            "refill": self._performer.refill,
            "cancel": self._performer.cancel,
            "release": self._performer.ask_back,
            "close": self._close,
        }
        self._closed = Event()

    def serve(self) -> None:
        # Beside: where the database does not answer, "release" must be heard all the same.
        Thread(target=self._keep, name="omnifex-keep", daemon=True).start()
        self._say("ready")
        said = time.monotonic()
        while not self._closed.is_set():
            if self._pipe.poll(ALIVE_S):
                verb, *about = self._pipe.recv()
                self._verbs[verb](*about)
            if time.monotonic() - said >= ALIVE_S:
                self._say("alive", self._performer.status())
                said = time.monotonic()
        self._performer.close()
        self._home.close()

    def _keep(self) -> None:
        while not self._closed.wait(ALIVE_S):
            try:
                self._performer.keep()
            except JobsError as error:
                log.warning("what calls cost could not be written: %s", error)

    def _close(self) -> None:
        self._closed.set()

    def _say_took(self, claim: Claim) -> None:
        self._say("took", claim)

    def _say_ended(self, claim: Claim) -> None:
        self._say("ended", claim.token)

    def _say(self, *words: Any) -> None:
        with self._sending:
            self._pipe.send(words)
