"""Whether what a job made is still what it made, and could be made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omnifex.errors import OmnifexError
from omnifex.home import Home
from omnifex.submission import unchanged
from omnifex_jobs import Job, Recipe
from omnifex_registry import RegistryError


@dataclass(frozen=True)
class Verification:
    """`damaged`: which files or hashes no longer hold; `obstacles`: why it cannot be replayed."""

    job_id: str
    checked: int  # files
    damaged: tuple[str, ...]
    obstacles: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every file and the recipe are what they were."""
        return not self.damaged


def verify(home: Home, job: Job) -> Verification:
    """Read every file of the job, and hash it and the recipe again."""
    damaged, obstacles = tuple(damages(home, job)), tuple(hindrances(home, job))
    return Verification(job.id, len(job.artifacts), damaged, obstacles)


def damages(home: Home, job: Job) -> Iterator[str]:
    if Recipe(job.recipe).hash != job.recipe_hash:
        yield f"the recipe of job {job.id} no longer has the hash {job.recipe_hash}"
    for file in job.artifacts:
        if not home.store.verify(file.sha256):
            yield f"the {file.role} {file.name or file.sha256[:12]} is missing or was changed"


def hindrances(home: Home, job: Job) -> Iterator[str]:
    try:
        home.plugins.modality(job.modality)
        unchanged(home, job.recipe)
    except (OmnifexError, RegistryError) as error:
        yield str(error)
