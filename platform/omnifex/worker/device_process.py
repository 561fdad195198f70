"""The supervisor's side of a device's process: sends it jobs, and replaces it when it dies."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from omnifex.home import Home
from omnifex.worker import forked
from omnifex.worker.forking import context
from omnifex.worker.giving_back import GivingBack, Owed
from omnifex_jobs import Claim, JobsError, Wish

if TYPE_CHECKING:
    from omnifex.engine.memory.resident import Resident

LOOK_S = 0.5  # between two looks at whether it answers and obeys
OBEY_S = 8.0  # for a job to end that was told to stop; longer than most component calls
SILENT_S = 120.0  # without a sign of life: a component may hold Python's lock while it loads
GIVE_BACK_S = 5.0  # for all jobs to go back when the worker stops
CLOSE_S = 5.0
LONGEST_PAUSE_S = 30.0  # between two processes that died before they were ready
KILLED_PAUSE_S = 0.25  # where they were killed (SIGKILL): that says nothing of the next one

log = logging.getLogger("omnifex.worker")


class DeviceProcess:
    """Runs jobs in another process, one after the other where they die; a `Performing`."""

    def __init__(
        self,
        home: Home,
        open_home: Callable[[], Home],
        device: str,
        memory: int | None = None,
        *,
        silent_s: float = SILENT_S,
        obey_s: float = OBEY_S,
    ) -> None:
        self._home, self.device = home, device
        self._arguments = (open_home, torch_name(device), memory)
        self._silent_s, self._obey_s = silent_s, obey_s
        self._changing = threading.Condition()
        self._held: dict[str, Claim] = {}  # by token
        self._waiting: list[Claim] = []  # those of them that the process has not yet
        self._told: dict[str, float] = {}  # when those were told to stop that were
        self._giving_back = GivingBack(home)
        self._refilled: Wish | None = None  # as it was told last
        self._status: Mapping[str, Any] = {}
        self._ready, self._closing = False, threading.Event()
        self._beginnings = 0  # since one was ready
        self._watching = threading.Thread(target=self._watch, name=f"omnifex-{device}", daemon=True)

    # What the worker asks for

    @property
    def engines(self) -> int:
        return int(self._ready)

    @property
    def pid(self) -> int | None:
        """The process that runs the jobs now."""
        pid: int | None = self._process.pid
        return pid

    def open(self) -> None:
        self._home.on_cancel.append(self.cancel)
        self._begin()
        self._watching.start()

    def running(self) -> list[Claim]:
        with self._changing:
            return [*self._held.values(), *self._giving_back.claims()]

    def start(self, claim: Claim) -> bool:
        with self._changing:
            if not self._ready:
                return False
            self._held[claim.token] = claim
            self._waiting.append(claim)
        self._send()
        return True

    def refill(self, wish: Wish | None) -> None:
        """Not while some wait, for one of them may be a suspect."""
        with self._changing:
            alone = any(claim.job.suspect for claim in self._held.values())
            wish = None if self._waiting or alone or not self._ready else wish
            changed, self._refilled = wish != self._refilled, wish
        if changed:
            self._say("refill", wish)

    def cancel(self, job_id: str) -> None:
        with self._changing:
            self._take_waiting([claim for claim in self._waiting if claim.job.id == job_id])
            tokens = [token for token, claim in self._held.items() if claim.job.id == job_id]
            for token in tokens:
                self._told.setdefault(token, time.monotonic())
        if tokens:
            self._say("cancel", job_id)

    def ask_back(self) -> None:
        with self._changing:
            self._take_waiting(list(self._waiting))
        self._say("release")

    def release(self) -> None:
        """What does not come back in time is taken: its journal has all but the call it is at."""
        self._closing.set()
        self.ask_back()
        with self._changing:
            self._changing.wait_for(lambda: not self._held, GIVE_BACK_S)
        if self._held:
            self._take_all()
        self.keep()

    def status(self) -> Mapping[str, Any]:
        return self._status

    def residents(self) -> list[Resident]:
        return []  # they are in the other process; `status` tells of them

    def keep(self) -> None:
        """Give back what could not be given back so far."""
        self._giving_back.settle()

    def close(self) -> None:
        self._closing.set()
        self._say("close")
        self._watching.join(CLOSE_S)
        self._process.kill()
        self._watching.join()

    # Its life

    def _begin(self) -> None:
        ours, theirs = context().Pipe()
        arguments = (theirs, dict(os.environ), *self._arguments)
        kind = context().Process
        process = kind(target=forked.serve, args=arguments, name=self.device, daemon=True)
        process.start()
        theirs.close()
        with self._changing:
            self._pipe, self._process, self._refilled = ours, process, None
        self._beginnings += 1

    def _watch(self) -> None:
        """One process after the other, until the worker stops."""
        while True:
            self._follow()
            self._bury()
            if self._closing.wait(self._pause()):
                return
            self._begin()

    def _pause(self) -> float:
        """Seconds until the next process begins: none after one that had been ready."""
        if not self._beginnings:
            return 0.0
        longest = KILLED_PAUSE_S if self._was_killed() else LONGEST_PAUSE_S
        return min(2.0**self._beginnings / 4, longest)

    def _was_killed(self) -> bool:
        return bool(self._process.exitcode == -signal.SIGKILL)

    def _follow(self) -> None:
        """Hear what it says, until it has died."""
        heard = looked = time.monotonic()
        while True:
            ready = wait([self._pipe, self._process.sentinel], LOOK_S)
            now = time.monotonic()
            if self._pipe in ready:
                if not self._hear():
                    return
                heard = now
            elif self._process.sentinel in ready:
                return
            elif now - looked > LOOK_S * 4:  # it is this process that was not there
                heard = now
            looked = now
            self._look_after(now - heard)

    def _hear(self) -> bool:
        """Take in one thing that it says; False where it will say nothing more."""
        try:
            word, *about = self._pipe.recv()
        except (EOFError, OSError):
            return False
        if word == "ready":
            self._beginnings, self._ready = 0, not self._closing.is_set()
            self._home.news.ring()
        elif word == "took":
            self._hold(*about)
        elif word == "ended":
            self._forget(*about)
        else:
            (self._status,) = about
        return True

    def _hold(self, claim: Claim) -> None:
        """What it took in place of a job; where all is to go back, this too."""
        with self._changing:
            self._held[claim.token] = claim
        if self._closing.is_set():
            self.cancel(claim.job.id)

    def _forget(self, token: str) -> None:
        with self._changing:
            self._held.pop(token, None)
            self._told.pop(token, None)
            self._changing.notify_all()
        self._send()
        self._home.news.ring()

    def _send(self) -> None:
        """Hand over what waits; a job under suspicion has the process to itself."""
        with self._changing:
            while self._waiting and self._may_start(self._waiting[0]):
                with suppress(OSError):
                    self._pipe.send(("start", self._waiting.pop(0)))

    def _may_start(self, claim: Claim) -> bool:
        there = self._there()
        return not there or not any(one.job.suspect for one in [claim, *there])

    def _take_waiting(self, claims: list[Claim]) -> None:
        """Owe what the process never had."""
        for claim in claims:
            self._waiting.remove(claim)
            del self._held[claim.token]
            self._giving_back.owe([Owed([claim])])

    def _there(self) -> list[Claim]:
        """The claims that the process has."""
        return [claim for claim in self._held.values() if claim not in self._waiting]

    def _look_after(self, silent_s: float) -> None:
        """Kill it where it gives no sign of life, or runs what it was told to stop."""
        now = time.monotonic()
        if silent_s > self._silent_s:
            log.error("%s: no sign of life for %.0f s; it is killed", self.device, silent_s)
            self._process.kill()
        elif any(now - told > self._obey_s for told in list(self._told.values())):
            log.error("%s: a job does not stop; its process is killed", self.device)
            self._take_all()

    def _take_all(self) -> None:
        """Kill the process; its jobs go on elsewhere, and none loses an attempt by that."""
        self._owe()
        self._process.kill()

    def _bury(self) -> None:
        """Owe its jobs, and give them back at once where the database can be reached."""
        self._process.kill()  # where it only closed the pipe
        self._process.join()
        self._owe(died=True)
        self._pipe.close()
        if not self._closing.is_set():
            why = died_of(self._process.exitcode)
            log.error("%s: its process %s; another one begins", self.device, why)
        with suppress(JobsError):
            self.keep()

    def _owe(self, *, died: bool = False) -> None:
        """All that is held; what waited in here has nothing to do with a death."""
        with self._changing:
            self._ready, self._status = False, {}
            there = self._there() if died else []
            others = [Owed([one]) for one in self._held.values() if one not in there]
            dead = [Owed(there, died, self._was_killed())] if there else []
            self._giving_back.owe([*others, *dead])
            for table in (self._held, self._waiting, self._told):
                table.clear()

    def _say(self, *words: Any) -> None:
        """To a process that has just died, in vain: its jobs are given back anyhow."""
        with self._changing, suppress(OSError):
            self._pipe.send(words)


def torch_name(slot: str) -> str:
    """`cpu:1` is a second process on the one CPU; every other slot is a device of torch's."""
    return "cpu" if slot.startswith("cpu") else slot


def died_of(code: int | None) -> str:
    """`was killed by SIGSEGV`, or `ended with code 3`."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"
