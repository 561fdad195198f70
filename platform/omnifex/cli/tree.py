"""A lineage as a tree in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from omnifex.cli.show import COLOURS
from omnifex.lineage import prompt
from omnifex_jobs import Job

if TYPE_CHECKING:
    from omnifex.lineage import Lineage

KINDS = {"waits": "", "takes": "", "replay": "replay: ", "fork": "fork: "}


def tree(lineage: Lineage) -> None:
    """Each job once with all that came of it; where it comes again, by its id alone."""
    page, shown = Console(soft_wrap=True, highlight=False), set[str]()
    for root in lineage.roots():
        trunk = Tree(label(lineage, root))
        shown.add(root.id)
        grow(lineage, trunk, root.id, shown)
        page.print(trunk)
    if lineage.records.cut:
        page.print(f"only the nearest {len(lineage.jobs)} jobs are shown")


def grow(lineage: Lineage, trunk: Tree, job_id: str, shown: set[str]) -> None:
    for edge, child in lineage.children(job_id):
        if child.id in shown:
            trunk.add(f"[dim]{KINDS[edge.kind]}{child.id}, see above[/]")
            continue
        shown.add(child.id)
        branch = trunk.add(KINDS[edge.kind] + label(lineage, child))
        grow(lineage, branch, child.id, shown)


def label(lineage: Lineage, job: Job) -> str:
    colour = COLOURS.get(job.state, "yellow")
    chosen = "bold " if job.id == lineage.job_id else ""
    return f"{job.id} [{chosen}{colour}]{lineage.describe(job)}[/] {escape(prompt(job))}"
