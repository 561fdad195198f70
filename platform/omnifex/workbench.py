"""A place to try plugins: a registry and an engine without the queue around them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from omnifex import styles
from omnifex.engine.context import Listener
from omnifex.engine.engine import Assignment, Engine, Outcome
from omnifex.others import joined
from omnifex.places import spelt_out
from omnifex.plugins import PluginHost
from omnifex.request import validated
from omnifex.scoring import judged, scorer_of
from omnifex.submission import checked
from omnifex_jobs import open_database
from omnifex_registry import Model, Registry, migrate


class Workbench:
    """Runs requests against plugins at once, in this thread; `home` is an empty folder."""

    def __init__(
        self, home: Path, plugins: Iterable[object] = (), *, entry_points: bool = True
    ) -> None:
        self.host = PluginHost(plugins, entry_points=entry_points)
        self.engine = Engine()
        self._database = open_database(f"sqlite:///{home / 'workbench.sqlite'}")
        migrate(self._database)
        self._registry = Registry(self._database, home)
        self.model = cache(self._model)

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()
        self._database.dispose()

    def make(self, modality: str, listener: Listener | None = None, **fields: Any) -> Outcome:
        """The files of one request, made by the modality's default model."""
        return self.engine.run(self.assignment(modality, **fields), listener)

    def assignment(self, modality: str, model: str | None = None, **fields: Any) -> Assignment:
        """A request checked as at submit, ready for `engine.run` or `engine.start`."""
        chosen = self.host.modality(modality)
        request = validated(chosen.Request, spelt_out(chosen.Request, fields), modality)
        record = joined(self.model(model or chosen.default_model), request, self.model)
        record = judged(record, request, modality, self.host.scorers, self.model)
        family = self.host.family(modality, record)
        style = styles.chosen(request, record)
        request = styles.with_usual(request, style)
        checked(family, chosen, request, record, style)
        request = family.completed(request, record)
        provenance = {"modality": modality, "model": record.name, **request.model_dump(mode="json")}
        scorer = scorer_of(request, modality, self.host.scorers, record.others)
        return Assignment(
            "workbench",
            request,
            chosen,
            family,
            record,
            request.seed or 0,
            provenance,
            style=style,
            scorer=scorer,
        )

    def add(self, source: Path, name: str) -> Model:
        """Register a model folder, or a file, that no plugin brings."""
        from omnifex_registry.adding import Wanted, add

        return add(self._registry, source, Wanted(name=name))

    def _model(self, name: str) -> Model:
        """The registered model, added from the plugin that brings it."""
        if name in self.host.models:
            return self._registry.add(self.host.models[name].path, name=name)
        return self._registry.show(name)
