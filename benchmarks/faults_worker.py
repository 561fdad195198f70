"""The supervisor that the faults hit: `omnifex worker` with the specks and a short lease."""

from __future__ import annotations

import logging
import sys
from functools import partial

from benchmarks.faults_plugin import open_speck_home
from omnifex.cli.serving import told_to_stop
from omnifex.worker.supervisor import Supervisor


def main(address: str, artifacts: str, lease_s: str, clock: str, *slots: str) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    opener = partial(open_speck_home, address, artifacts or None, clock)
    home = opener()
    supervisor = Supervisor(home, opener, slots, lease_s=float(lease_s), at_once=4)
    with told_to_stop() as told:
        supervisor.start()
        told.wait()
        supervisor.stop()
    home.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
