"""The command line as a user starts it: a process of its own."""

import json
import signal
from pathlib import Path

from studio_cases import TESTS, install_tiles, open_tiles, process, until

from omnifex_jobs import State

OMNIFEX = ("-m", "omnifex")


def test_help_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from omnifex.cli.app import run; run(['--help']); run(['tile', '--help'])\n"
        "print([name for name in ('torch', 'diffusers', 'numpy', 'PIL') if name in sys.modules])"
    )
    with process("-c", code, path=[TESTS, install_tiles(tmp_path / "installed")]) as child:
        said, complaints = child.communicate(timeout=120)
    assert complaints == ""
    assert said.splitlines()[-1] == "[]"


def test_an_error_has_no_traceback_and_exit_code_2(tmp_path: Path) -> None:
    path = [TESTS, install_tiles(tmp_path / "installed")]
    with process(*OMNIFEX, "tile", "red", "--steps", "0", path=path) as child:
        said, complaint = child.communicate(timeout=120)
    assert (child.returncode, said) == (2, "")
    assert complaint == "omnifex: steps is 0, but must be a whole number from 1 to 1000.\n"


def test_ctrl_c_cancels_the_running_job(omnifex_home: Path, tmp_path: Path) -> None:
    path = [TESTS, install_tiles(tmp_path / "installed")]
    slow = ("tile", "red", "--steps", "500", "--pace", "0.1")
    with open_tiles(workers=0) as studio:
        with process(*OMNIFEX, *slow, path=path) as child:
            until(lambda: studio.counts()[State.RUNNING])
            child.send_signal(signal.SIGINT)
            _, complaint = child.communicate(timeout=120)
        (job,) = studio.jobs()
        assert job.status is State.CANCELED
    assert child.returncode == 130
    assert complaint == f"omnifex: canceled job {job.id}\n"


def test_the_command_takes_over_from_a_worker_that_died(omnifex_home: Path, tmp_path: Path) -> None:
    path = [TESTS, install_tiles(tmp_path / "installed")]
    slow = ("tile", "red", "--steps", "30", "--pace", "0.05", "--json")
    with open_tiles(workers=0) as studio, process(*OMNIFEX, "worker", path=path) as worker:
        until(lambda: studio.served)
        with process(*OMNIFEX, *slow, path=path) as child:
            until(lambda: studio.counts()[State.RUNNING])
            worker.kill()
            worker.communicate()
            said, complaint = child.communicate(timeout=120)
    assert (child.returncode, complaint) == (0, "")
    assert json.loads(said)["attempt"] == 2
