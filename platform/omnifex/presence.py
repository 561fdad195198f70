"""Which workers of a home are alive, and what becomes of the jobs of those that died."""

from __future__ import annotations

import os
import socket
import time

from omnifex_jobs import JobQueue, Worker

SILENT_S = 3.0  # a worker that holds jobs beats several times in this time
ABSENT_S = 15.0  # an idle one says less often that it is there


def served(queue: JobQueue) -> bool:
    """Whether some worker, here or elsewhere, is there to run the jobs."""
    return any(not dead(worker) and silence(worker) < ABSENT_S for worker in queue.workers())


def bury_the_dead(queue: JobQueue) -> None:
    """Free the jobs of processes of this machine that were killed, long before their lease ends.

    A process that is not to be seen from here may live in another container: only silence proves
    that it does not. A worker that was taken for dead loses its claims, and no job runs twice.
    """
    for worker in queue.workers():
        if dead(worker) and silence(worker) > SILENT_S:
            queue.gone(worker.id)


def dead(worker: Worker) -> bool:
    """Whether its process is known to have ended."""
    if worker.host != socket.gethostname() or os.name == "nt":
        return False
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def silence(worker: Worker) -> float:
    """Seconds since it was last heard of."""
    return time.time() - worker.seen_at / 1000
