"""Whether what a job made, and what it was made with, is still that; could it be made again?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from omnifex.errors import OmnifexError
from omnifex.home import Home
from omnifex.submission import unchanged
from omnifex_jobs import Job, Recipe
from omnifex_registry import Component, Model, RegistryError
from omnifex_registry.verification import damage


@dataclass(frozen=True)
class Verification:
    """`damaged`: which files or hashes no longer hold; `obstacles`: why it cannot be replayed."""

    job_id: str
    checked: int  # files
    damaged: tuple[str, ...]
    obstacles: tuple[str, ...]
    components: int = 0  # of models, that were read again

    @property
    def ok(self) -> bool:
        """Whether every file, the recipe and the components are what they were."""
        return not self.damaged


def verify(home: Home, job: Job, *, models: bool = True) -> Verification:
    """Read every file of the job and of its models, and hash them and the recipe again.

    Models that are not here any more, or are others now, are an obstacle and no damage.
    """
    damaged, obstacles = list(damages(home, job)), list[str]()
    components: list[tuple[Model, Component]] = []
    try:
        home.plugins.modality(job.modality)
        used = unchanged(home, job.recipe)
        components = parts_of(used) if models else []
    except (OmnifexError, RegistryError) as error:
        obstacles.append(str(error))
    damaged += component_damages(components)
    files = len(job.artifacts)
    return Verification(job.id, files, tuple(damaged), tuple(obstacles), len(components))


def damages(home: Home, job: Job) -> Iterator[str]:
    if Recipe(job.recipe).hash != job.recipe_hash:
        yield f"the recipe of job {job.id} no longer has the hash {job.recipe_hash}"
    for file in job.artifacts:
        if not home.store.verify(file.sha256):
            yield f"the {file.role} {file.name or file.sha256[:12]} is missing or was changed"


def parts_of(model: Model) -> list[tuple[Model, Component]]:
    """The components of a model and of those that it is used with, each once."""
    models = (model, *model.others.values())
    every = [(one, part) for one in models for part in one.components.values()]
    return list({part.id: (one, part) for one, part in every}.values())


def component_damages(parts: Iterable[tuple[Model, Component]]) -> Iterator[str]:
    for model, part in parts:
        if reason := damage(model, part):
            yield f"the {part.role} of model {model.name}: {reason.rstrip('.')}"
