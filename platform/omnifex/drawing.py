"""A lineage as an SVG: one row a generation, each job under those that it came from."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING

from omnifex_jobs import Job, State

if TYPE_CHECKING:
    from omnifex.lineage import Lineage

WIDTH, HEIGHT, GAP_X, GAP_Y = 250, 66, 24, 46  # pixels, of a box and between boxes
COLOURS = {State.SUCCEEDED: "#2da44e", State.FAILED: "#cf222e", State.CANCELED: "#8c959f"}
WAITING = "#bf8700"

Place = tuple[int, int]  # of a box's upper left corner


def drawn(lineage: Lineage) -> str:
    """The whole drawing."""
    places = placed(generations(lineage))
    width = max(x for x, _ in places.values()) + WIDTH + GAP_X
    height = max(y for _, y in places.values()) + HEIGHT + GAP_X
    lines = [arrow(places[e.parent], places[e.child], e.kind) for e in lineage.edges]
    boxes = [
        box(places[job.id], job, lineage.describe(job), job.id == lineage.job_id)
        for job in lineage.jobs
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>'
    )
    return "\n".join([head, *lines, *boxes, "</svg>", ""])


def generations(lineage: Lineage) -> list[list[str]]:
    """The ids, row by row; a job is one row below the lowest that it came from."""
    parents = defaultdict(list)
    for edge in lineage.edges:
        parents[edge.child].append(edge.parent)
    row: dict[str, int] = {}
    left = [job.id for job in lineage.jobs]
    while left:  # a parent may be younger than its child: both were of one graph
        ready = [one for one in left if all(parent in row for parent in parents[one])]
        for one in ready:
            row[one] = 1 + max((row[parent] for parent in parents[one]), default=-1)
        left = [one for one in left if one not in row]
    rows: list[list[str]] = [[] for _ in range(max(row.values()) + 1)]
    for job in lineage.jobs:
        rows[row[job.id]].append(job.id)
    return rows


def placed(rows: list[list[str]]) -> dict[str, Place]:
    """Each row in the middle."""
    widest = max(len(row) for row in rows)
    places = {}
    for number, row in enumerate(rows):
        left = GAP_X + (widest - len(row)) * (WIDTH + GAP_X) // 2
        for column, one in enumerate(row):
            places[one] = (left + column * (WIDTH + GAP_X), GAP_X + number * (HEIGHT + GAP_Y))
    return places


def box(place: Place, job: Job, words: str, chosen: bool) -> str:
    from omnifex.lineage import prompt

    (x, y), colour = place, COLOURS.get(job.state, WAITING)
    lines = (words, prompt(job, 36), job.id)
    said = "".join(
        f'<text x="{x + 10}" y="{y + 20 + 17 * number}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{colour}22" '
        f'stroke="{colour}" stroke-width="{3 if chosen else 1}"/>{said}'
    )


def arrow(parent: Place, child: Place, kind: str) -> str:
    """A line with a dot at the child's end; dashed for one that repeats the other."""
    x1, y1 = parent[0] + WIDTH // 2, parent[1] + HEIGHT
    x2, y2 = child[0] + WIDTH // 2, child[1]
    dash = ' stroke-dasharray="5 4"' if kind in ("replay", "fork") else ""
    return (
        f'<path d="M{x1} {y1} C{x1} {y1 + 24} {x2} {y2 - 24} {x2} {y2}" fill="none" '
        f'stroke="#57606a"{dash}/><circle cx="{x2}" cy="{y2}" r="3" fill="#57606a"/>'
    )
