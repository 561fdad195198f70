"""Tracks: faults that follow each other on one home; most run beside other tracks.

A track has a process, a home, supervisors and, for PostgreSQL, a server of its own, so that no
fault of one is felt in another, but for the cores that all of them share.
"""

from __future__ import annotations

import ctypes
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks import faults_scenes as scenes
from benchmarks.faults_bench import Bench, Figure, opened
from benchmarks.faults_clock import wrong_clocks
from benchmarks.faults_disk import disk_full
from benchmarks.faults_network import network_cuts
from benchmarks.faults_power import power_cuts
from benchmarks.faults_queue import backlog, contention
from benchmarks.faults_schedules import schedules_kept
from benchmarks.faults_submits import duplicate_submits
from benchmarks.postgres_server import die_with_parent

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux


@dataclass(frozen=True)
class Options:
    """What the command line says; how often what is done."""

    seed: int
    kills: int
    jobs: int
    stops: int
    outages: int
    cuts: int
    keys: int
    seconds: float
    backlog: int
    databases: Sequence[str]
    log: Path
    only: Sequence[str]
    beside: int


Scene = Callable[[Bench, Options], Iterator[Figure]]


class Track(NamedTuple):
    scenes: Mapping[str, Scene]
    supervisors: int = 0  # that are there from the start, with two devices each


# The longest first, so that none of them is left over in the end.
TRACKS = (
    Track(
        {
            "kills": lambda bench, options: scenes.kills(bench, options.kills, options.jobs),
            "poison": lambda bench, options: scenes.poison(bench),
        },
        supervisors=2,
    ),
    Track(
        {
            "zombies": lambda bench, options: scenes.zombies(bench, options.stops),
            "supervisor": lambda bench, options: scenes.supervisor_killed(bench),
            "hang": lambda bench, options: scenes.hang(bench),
            "cancel": lambda bench, options: scenes.cancels(bench),
            "stop": lambda bench, options: scenes.told_to_stop(bench),
        },
        supervisors=2,
    ),
    Track(
        {
            "database": lambda bench, options: scenes.database_away(bench, options.outages),
            "network": lambda bench, options: network_cuts(bench),
            "clocks": lambda bench, options: wrong_clocks(bench),
        },
        supervisors=1,
    ),
    Track(
        {
            "schedule": lambda bench, options: schedules_kept(bench, options.seconds),
            "disk": lambda bench, options: disk_full(bench),
            "submits": lambda bench, options: duplicate_submits(bench, options.keys),
        }
    ),
    Track({"power": lambda bench, options: power_cuts(bench, options.cuts)}),
)
# Those that measure the queue, and so have the machine to themselves.
QUIET = (
    Track({"contention": lambda bench, options: contention(bench)}),
    Track({"backlog": lambda bench, options: backlog(bench, options.backlog)}),
)
SCENES = [name for track in (*TRACKS, *QUIET) for name in track.scenes]


@dataclass
class Heard:
    """What came of a track on one kind of database."""

    kind: str
    figures: list[Figure] = field(default_factory=list)
    jobs: int = 0
    violations: list[str] = field(default_factory=list)
    cpu_s: float = 0.0


def played(options: Options) -> Iterator[Heard]:
    """All tracks with scenes that were asked for, so many beside each other."""
    for tracks, beside in ((TRACKS, options.beside), (QUIET, 1)):
        with ProcessPoolExecutor(beside, get_context("spawn")) as processes:
            playing = {
                processes.submit(play, options, kind, tracks.index(track), tracks is QUIET): kind
                for track in tracks
                if wanted(track, options)
                for kind in options.databases
            }
            for one, kind in playing.items():
                try:
                    yield one.result()
                except Exception as error:  # a fault of these benchmarks; the others go on
                    traceback.print_exc()
                    yield Heard(kind, violations=[f"a track broke off: {error!r}"])


def wanted(track: Track, options: Options) -> list[str]:
    return [name for name in track.scenes if name in (options.only or SCENES)]


def play(options: Options, kind: str, index: int, quiet: bool) -> Heard:
    """One track, in a process of its own."""
    track = (QUIET if quiet else TRACKS)[index]
    names, heard = wanted(track, options), Heard(kind)
    die_with_parent(signal.SIGKILL)
    adopt_orphans()
    before = cpu_s()
    chance = random.Random(f"{options.seed} {kind} {names}")
    with options.log.open("ab") as log, opened(kind, chance, log) as bench:
        for _ in range(track.supervisors):
            bench.start("cpu:0", "cpu:1")
        for name in names:
            began, used = time.monotonic(), cpu_s()
            heard.figures += track.scenes[name](bench, options)
            took = f"{time.monotonic() - began:.0f} s, {cpu_s() - used:.0f} s of CPU"
            print(f"  {name} on {kind} took {took}", flush=True)
        heard.jobs, heard.violations = len(bench.acknowledged), bench.violations()
        heard.cpu_s = cpu_s() - before
    return heard


def adopt_orphans() -> None:
    """Let what a killed supervisor leaves behind count as this process's, for `cpu_s` (Linux)."""
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(SUBREAPER, 1)


def cpu_s() -> float:
    """Of this process and all that it ever started; those that nobody has waited for are there."""
    here = psutil.Process()
    return sum(map(used_s, [here, *here.children(recursive=True)]))


def used_s(process: psutil.Process) -> float:
    """With all that it has waited for."""
    with suppress(psutil.NoSuchProcess):
        return float(sum(process.cpu_times()[:4]))
    return 0.0
