"""What the engine costs one job: the same modules called through it and by hand.

    python -m benchmarks.overhead                   # all cases
    python -m benchmarks.overhead nano --rounds 100
    python -m benchmarks.overhead prism --profile   # where the time between the calls goes

`idle` calls a component that does nothing; `nano` and `prism` are the platform's own loop against
one written for the model alone; `sd15` and `flux` are tiny random pipelines of diffusers, called as
its documentation says and by the engine. Each round runs the hand, the engine and the hand again,
by turns; what the hand differs from itself is the noise of the machine. CPU time is the process's,
with one thread of torch's. The target is at most 2 % and 0.15 ms a component call; `idle` and
`nano` do so little in a call that only the second says anything of them.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.overhead_cases import Case, RawPlugin, idle, nano, prism
from benchmarks.overhead_pipelines import flux, plugin, sd15
from benchmarks.side_by_side import Figure, side_by_side
from omnifex.workbench import Workbench

PERCENT, MILLISECONDS = 2.0, 0.15  # targets: of the job, and of a call
CASES: Mapping[str, Callable[[Workbench, int], Case]] = {
    "idle": idle,
    "nano": nano,
    "sd15": sd15,
    "flux": flux,
    "prism": prism,
}


@dataclass(frozen=True)
class Overhead:
    """One case: each way's least and median, by CPU and by wall, in milliseconds a job."""

    case: str
    calls: int
    least_cpu: Figure
    median_cpu: Figure
    least_wall: Figure
    median_wall: Figure

    @property
    def percent(self) -> float:
        return (self.least_cpu.ratio - 1) * 100

    @property
    def call_ms(self) -> float:
        """What the engine adds to one call."""
        return (self.least_cpu.ratio - 1) * self.least_cpu.baseline / self.calls

    @property
    def kept(self) -> bool:
        return self.percent <= PERCENT and self.call_ms <= MILLISECONDS


@contextmanager
def workbench() -> Iterator[Workbench]:
    """An engine with the models of all cases, which remembers no text: the hand does not either."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with Workbench(folder, [RawPlugin(folder), plugin(folder)]) as bench:
            bench.engine.dispatcher.memo.budget = 0
            yield bench


def measure(case: Case, rounds: int) -> Overhead:
    if case.by_hand() != case.by_engine():
        raise SystemExit(f"{case.name}: the engine and the hand made different bytes")
    found = side_by_side(case.by_hand, case.by_engine, rounds)
    return Overhead(
        case.name,
        case.calls,
        found.least("cpu"),
        found.median("cpu"),
        found.least("wall"),
        found.median("wall"),
    )


def run(names: Sequence[str], steps: int, rounds: int) -> list[Overhead]:
    with workbench() as bench:
        return [measure(CASES[name](bench, steps), rounds) for name in names]


def profiled(names: Sequence[str], steps: int, rounds: int) -> None:
    """Print what the engine's way spends most of its own time on."""
    with workbench() as bench:
        for name in names:
            case = CASES[name](bench, steps)
            profiler = cProfile.Profile()
            with profiler:
                for _ in range(rounds):
                    case.by_engine()
            pstats.Stats(profiler).sort_stats("tottime").print_stats("omnifex|lock|thread", 25)


def print_report(found: Sequence[Overhead]) -> None:
    for one in found:
        print(f"\n{one.case}: {one.calls} component calls a job")
        print("                by hand    engine     ratio   by hand again")
        for name in ("least_cpu", "median_cpu", "least_wall", "median_wall"):
            figure: Figure = getattr(one, name)
            print(
                f"  {name.replace('_', ' '):<12}{figure.baseline:8.2f} ms {figure.ours:6.2f} ms"
                f"  {figure.ratio:8.4f}   ×{figure.noise:.4f}"
            )
        print(
            f"  overhead {one.percent:+.2f} % and {one.call_ms:+.4f} ms a call, by least CPU; "
            f"target ≤ {PERCENT:g} % and ≤ {MILLISECONDS:g} ms: {'kept' if one.kept else 'missed'}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], default=[], metavar="CASE")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    names = options.cases or [*CASES]
    if options.profile:
        return profiled(names, options.steps, options.rounds)
    found = run(names, options.steps, options.rounds)
    if options.json:
        print(json.dumps([asdict(one) for one in found]))
    else:
        print_report(found)


if __name__ == "__main__":
    main()
