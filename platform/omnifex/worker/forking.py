"""How the processes of devices begin: forked from one that has imported what they need.

A replacement is there in a tenth of a second in place of the seconds that torch takes, and all
processes share one copy of the code. That one process never touches a device: its forks may.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")

PRELOADED = [
    "omnifex.worker.forked",
    "omnifex.worker.reporter",
    "omnifex.engine.engine",
    "omnifex.generate",
    "omnifex.worker.preloaded",
]
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def context() -> Any:
    """The way to start processes here; Windows cannot fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(PRELOADED)
    return forking


def ask_elsewhere(question: Callable[[], T]) -> T:
    """The answer of a process of its own, so that torch and devices are not touched in this one."""
    ours, theirs = context().Pipe()
    asked = context().Process(target=_answer, args=(theirs, question), daemon=True)
    asked.start()
    theirs.close()
    answer: T = ours.recv()
    asked.join()
    return answer


def _answer(pipe: Connection[Any, Any], question: Callable[[], Any]) -> None:
    pipe.send(question())


def belong_to_parent() -> None:
    """End with the process that made this one, and leave signals to it.

    Ctrl-C and some service managers tell every process of a group to stop, but only the supervisor
    knows how: it gives the jobs back first.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() == 1:  # it died before that
            os._exit(1)
