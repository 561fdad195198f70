"""Every family beside the plain pipelines of diffusers, with tiny random weights.

    python -m benchmarks.parity                          # all, some minutes; fills docs/systems.md
    python -m benchmarks.parity sd "flux mask"     # some; the other rows of the page stay

For each case: what the family makes before it is encoded against what the pipeline makes that is
called directly with the same arguments and seed, over the same components; four jobs of other
seeds, prompts, steps and guidance at once against four such calls; and a job that is cut off after
a random call and resumed from its journal, against the one that was not. Afterwards some real
worker processes are killed with SIGKILL. A case that amplifies rounding is held against what a
change of a millionth in the outputs of its backbone does to it; the table names it.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

import diffusers
import torch
import transformers

from benchmarks.parity_kills import killed
from benchmarks.parity_page import fill, line, reason
from benchmarks.parity_trials import CASES, Row, checkpoints, trial

HEADS = ("case", "alone", "four at once", "jobs a call", "resumed")


def run(names: Sequence[str]) -> list[Row]:
    rows = []
    print(f"{HEADS[0]:22s} {HEADS[1]:>10s} {HEADS[2]:>13s} {HEADS[3]:>12s}  {HEADS[4]}")
    with checkpoints() as models:
        for name in names:
            row = trial(models, name)
            rows.append(row)
            print(line(row), reason(row), flush=True)
        fill(models, rows)
    return rows


def quiet() -> None:
    """No bars and warnings of the libraries between the rows."""
    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=[*CASES], help=", ".join(CASES))
    parser.add_argument("--kills", type=int, default=20, help="real ones, after the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    quiet()
    rows = run(options.names)
    bad = [row.name for row in rows if not row.green]
    print(f"{len(rows) - len(bad)} of {len(rows)} green" + (f"; not: {', '.join(bad)}" * bool(bad)))
    survived = killed(options.kills) if options.kills else True
    return 0 if survived and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
