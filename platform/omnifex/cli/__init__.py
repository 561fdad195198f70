"""The command line; its entry point imports the rest, so that importing this costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130  # as shells number a process that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 not understood or not possible."""
    from omnifex.cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))
