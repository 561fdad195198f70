"""A network that fails: a proxy before PostgreSQL that drops, swallows and delays (F5)."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from benchmarks.faults_bench import LEASE_S, Bench, Figure, Supervised, none, true, until
from benchmarks.faults_plugin import PULSE
from benchmarks.faults_scenes import asleep, committed_twice
from omnifex_jobs import JobQueue, JobsError, open_database

CUT_S, SWALLOW_S, DELAY_S = 3.0, 16.0, 5.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST, as a firewall does
SLOW = {"steps": 10, "pace": 0.1}


class Proxy:
    """Between workers and a server, on a port of its own; `mode` may change at any time."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.refusing, self.swallowing, self.delay_s = False, False, 0.0
        self._old: set[socket.socket] = set()  # connections that are never heard again
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._run(self._accept)

    def cut(self) -> None:
        """End all connections at once."""
        pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def forget(self) -> None:
        """Swallow for ever what the connections of now say; new ones work (half-open)."""
        self._old.update(end for pair in self._pairs for end in pair)

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listening.accept()
                if self.refusing:
                    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    ours.close()
                    continue
                theirs = socket.create_connection(("127.0.0.1", self._server))
                self._pairs.append((ours, theirs))
                self._run(self._pass, ours, theirs)
                self._run(self._pass, theirs, ours)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                while self.swallowing or source in self._old:
                    time.sleep(0.05)
                time.sleep(self.delay_s)
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def _run(self, what: object, *arguments: object) -> None:
        threading.Thread(target=what, args=arguments, daemon=True).start()  # type: ignore[arg-type]


class Caller:
    """Asks the database all the time, through the proxy; remembers the longest call."""

    def __init__(self, address: str) -> None:
        self.longest_s = 0.0
        self._queue = JobQueue(open_database(address))
        self._stopped = threading.Event()
        self._calling = threading.Thread(target=self._call, daemon=True)
        self._calling.start()

    def stop(self) -> None:
        self._stopped.set()
        self._calling.join()
        self._queue._engine.dispose()

    def _call(self) -> None:
        while not self._stopped.wait(0.05):
            began = time.monotonic()
            with suppress(JobsError):
                self._queue.counts()
            self.longest_s = max(self.longest_s, time.monotonic() - began)


def network_cuts(bench: Bench) -> Iterator[Figure]:
    """F5: all that a network does to a worker; SQLite has none."""
    if bench.server is None:
        yield Figure("F5", "network cuts", "a file has no network", "–", True)
        return
    with closing(Proxy(bench.server.port)) as proxy, asleep(bench), pulse_file() as pulse:
        address = bench.address.replace(f":{bench.server.port}/", f":{proxy.port}/")
        worker = bench.start("cpu:0", address=address)
        worker.until_complete()
        ids = bench.submit(4, **SLOW)
        bench.until_begun(ids)
        drop(proxy)
        caller = Caller(address)
        stopped = swallow(bench, proxy, pulse, ids)
        ids += half_open(bench, proxy)
        caller.stop()
        ids += slow(bench, proxy)
        yield from figures(bench, worker, ids, caller.longest_s, stopped)
        bench.stop(worker)


def figures(
    bench: Bench, worker: Supervised, ids: list[str], longest_s: float, stopped_s: float
) -> Iterator[Figure]:
    lost, claims = len(ids) - bench.succeeded(ids), bench.claims()
    yield none("F5", f"cut, swallowed, half-open, slow; {len(ids)} jobs: lost", lost)
    yield none("F5", "committed twice", committed_twice(claims[one] for one in ids))
    yield true("F5", "the worker is still there", worker.process.poll() is None)
    met = longest_s <= 15
    yield Figure("F5", "longest call meanwhile", f"{longest_s:.1f} s", "≤ 15 s", met)
    met = stopped_s >= 2
    said = f"{stopped_s:.1f} s before"
    yield Figure("F5", f"its job stops, lease of {LEASE_S:.0f} s", said, "≥ 2 s before", met)


@contextmanager
def pulse_file() -> Iterator[Path]:
    """A file that a job touches at each step, for as long as it runs."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "pulse"


def drop(proxy: Proxy) -> None:
    """All connections end, and for a moment there are no new ones."""
    proxy.refusing = True
    proxy.cut()
    time.sleep(CUT_S)
    proxy.refusing = False


def swallow(bench: Bench, proxy: Proxy, pulse: Path, ids: list[str]) -> float:
    """Nothing comes through and nothing is refused; seconds from a job's last step to its lease's
    end."""
    ids += bench.submit(1, f"{PULSE}{pulse}", steps=600, pace=0.1)
    until(pulse.exists)
    proxy.swallowing = True
    time.sleep(SWALLOW_S)
    lease_ends = bench.value(f"SELECT lease_until FROM job WHERE id = '{ids[-1]}'")
    stopped = lease_ends / 1000 - pulse.stat().st_mtime
    proxy.swallowing = False
    bench.home.queue.cancel(ids.pop())
    return stopped


def half_open(bench: Bench, proxy: Proxy) -> list[str]:
    """The other side has forgotten all connections without a word."""
    ids = bench.submit(2, **SLOW)
    bench.until_begun(ids)
    proxy.forget()
    bench.until_over(ids)
    return ids


def slow(bench: Bench, proxy: Proxy) -> list[str]:
    """Each packet takes seconds, longer than a lease altogether."""
    ids = bench.submit(2, **SLOW)
    bench.until_begun(ids)
    proxy.delay_s = DELAY_S
    time.sleep(2 * DELAY_S)
    proxy.delay_s = 0.0
    bench.until_over(ids)
    return ids
