"""Workers on a Ray cluster: Ray places two actors on each GPU and restarts them; no more than that.

One of the two is a supervisor with one device: it claims from the database as any worker does. The
other has imported all that it takes, and is there when the first has died. No job is in Ray, so
whatever becomes of Ray, none is lost.
"""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from omnifex.errors import OmnifexError
from omnifex.home import Home, files_of, open_home, places
from omnifex.worker.actor import RayWorker
from omnifex_jobs.files.buckets import is_bucket

NAMESPACE = "omnifex"
GROW_S = 5.0  # between two looks for nodes that have joined
STOP_S = 30.0

log = logging.getLogger("omnifex.worker")


class NoRay(OmnifexError):
    """Ray is asked for and not installed."""

    code = "no_ray"

    def __init__(self) -> None:
        super().__init__("Ray is not installed; `pip install 'omnifex[ray]'` brings it.")


class FolderOnManyNodes(OmnifexError):
    """SQLite, which is on one machine, for a cluster of several."""

    code = "folder_on_many_nodes"

    def __init__(self, folder: str, nodes: int) -> None:
        super().__init__(
            f"home {folder} is a folder of one machine, but the Ray cluster has {nodes} nodes; "
            "give --home postgresql+psycopg://… and a shared folder in $OMNIFEX_ARTIFACTS."
        )


class Slot(NamedTuple):
    """A device of the cluster, and the two actors on it."""

    group: Any
    actors: list[Any]


class RayCluster:
    """All actors of one home on one cluster; as many as it has GPUs, also those that join later."""

    def __init__(
        self, home: Home, open_home: Callable[[], Home], address: str | None = None, **options: Any
    ) -> None:
        self._ray = imported_ray()
        self._home, self._open_home, self._options = home, open_home, options
        self._ray.init(
            address=address, namespace=NAMESPACE, log_to_driver=False, ignore_reinit_error=True
        )
        self.slots: list[Slot] = []
        self._stopping = threading.Event()
        self._growing = threading.Thread(target=self._grow, name="omnifex-ray", daemon=True)

    def start(self) -> None:
        """Place the actors, or FolderOnManyNodes."""
        self._check_home()
        self._place()
        self._growing.start()

    def stop(self) -> None:
        """Let all give back what runs; then take the actors from Ray."""
        self._stopping.set()
        self._growing.join()
        actors = [actor for slot in self.slots for actor in slot.actors]
        stopping = [actor.stop.remote() for actor in actors]
        self._ray.wait(stopping, num_returns=len(stopping), timeout=STOP_S)
        for actor in actors:
            self._ray.kill(actor)
        self._ray.shutdown()

    def _grow(self) -> None:
        while not self._stopping.wait(GROW_S):
            try:
                self._check_home()
                self._place()
            except Exception:  # the head may be away for a moment; the actors work on
                log.exception("ray")

    def _place(self) -> None:
        gpus = int(self._ray.cluster_resources().get("GPU", 0))
        for _ in range(len(self.slots), gpus or 1):
            self.slots.append(self._slot("GPU" if gpus else "CPU"))

    def _slot(self, resource: str) -> Slot:
        """Two actors on one device, which a group of Ray's keeps together, also after restarts."""
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        group = placement_group([{resource: 1}])
        half = {"num_cpus": 0, f"num_{resource.lower()}s": 0.5}
        placed = self._ray.remote(RayWorker).options(
            **half,
            max_restarts=-1,
            max_task_retries=-1,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group),
        )
        about = (group.id.hex(), pickle.dumps(self._open_home), self._options)
        return Slot(group, [placed.remote(*about) for _ in range(2)])

    def _check_home(self) -> None:
        nodes = sum(node["Alive"] for node in self._ray.nodes())
        if nodes > 1 and self._home.database.dialect.name == "sqlite":
            raise FolderOnManyNodes(str(self._home.folder), nodes)


def opener(home: str | None) -> Callable[[], Home]:
    """Opens the home in the processes of other nodes, whose environment is not this one's."""
    folder, address = places(home)
    if address.startswith("sqlite"):
        return partial(open_home, str(folder))
    place = files_of(home, None)
    return partial(open_home, address, artifacts=place if is_bucket(place) else str(folder))


def imported_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise NoRay from error
    return ray
