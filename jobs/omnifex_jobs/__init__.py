"""Jobs: their states, their database, their queue and the files they make. Never imports torch."""

from omnifex_jobs.database.migrate import migrate
from omnifex_jobs.database.opening import open_database, reading, sqlite_advice
from omnifex_jobs.errors import JobsError
from omnifex_jobs.files.artifacts import ArtifactStore, StoredFile
from omnifex_jobs.finding.lineage import Edge, Lineage
from omnifex_jobs.finding.search import Wanted
from omnifex_jobs.order.costs import CallCost, ComponentCost, keep_costs, known_costs
from omnifex_jobs.queue import JobQueue
from omnifex_jobs.recipe import Recipe
from omnifex_jobs.records import (
    Artifact,
    Attempt,
    Claim,
    Event,
    Job,
    JobError,
    Progress,
    Report,
    Submission,
    TracePart,
    Wish,
    Worker,
    new_id,
)
from omnifex_jobs.states import MOVES, RULES, State

__all__ = [
    "MOVES",
    "RULES",
    "Artifact",
    "ArtifactStore",
    "Attempt",
    "CallCost",
    "Claim",
    "ComponentCost",
    "Edge",
    "Event",
    "Job",
    "JobError",
    "JobQueue",
    "JobsError",
    "Lineage",
    "Progress",
    "Recipe",
    "Report",
    "State",
    "StoredFile",
    "Submission",
    "TracePart",
    "Wanted",
    "Wish",
    "Worker",
    "keep_costs",
    "known_costs",
    "migrate",
    "new_id",
    "open_database",
    "reading",
    "sqlite_advice",
]
