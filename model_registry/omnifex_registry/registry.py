"""The registry: which models this home knows, and which components they share."""

import builtins
import dataclasses
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from omnifex_registry.errors import BadModelFolder, BadName, NameTaken, UnknownModel
from omnifex_registry.identify import identify
from omnifex_registry.layout import Layout, file_stamp, read_layout
from omnifex_registry.records import Model
from omnifex_registry.rows import (
    delete_model,
    drop_unused,
    insert_model,
    read_models,
    read_stamp,
    write_settings,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ATTEMPTS = 5  # of a transaction that another process got in the way of

T = TypeVar("T")


class Registry:
    """The models of one database; paths inside `home` move with it."""

    def __init__(self, engine: Engine, home: Path | str) -> None:
        self._engine = engine
        self._home = Path(home).resolve()

    def add(
        self,
        folder: Path | str,
        *,
        name: str | None = None,
        family: str | None = None,
        replace: bool = False,
    ) -> Model:
        """Registers a folder in the diffusers layout where it lies; files are not copied.

        The name defaults to the folder's. Adding a model again changes nothing, and costs no
        hashing while its files are untouched; one whose files changed, or that moved, is brought
        up to date. NameTaken where the name belongs to other contents in another folder, unless
        `replace`. A call that fails leaves the registry as it was.
        """
        try:
            layout = read_layout(folder)
            name = _checked(_default_name(layout.path) if name is None else name)
            stamp = file_stamp(layout)
            known = self._untouched(name, layout.path, stamp)
            if known and family in (None, known.family):
                return known
            model = _identified(layout, name, family)
        except OSError as error:
            raise BadModelFolder(
                f"{error.filename} cannot be read ({error.strerror}); check its permissions."
            ) from error
        return self._transact(lambda db: self._put(db, model, stamp, replace))

    def list(self) -> builtins.list[Model]:
        """All models, by name."""
        with self._reading() as db:
            return read_models(db, self._home)

    def show(self, name: str) -> Model:
        """The model of this name; UnknownModel lists the registered ones."""
        with self._reading() as db:
            return self._one(db, name)

    def set(self, name: str, settings: Mapping[str, Any]) -> Model:
        """Says how the model is to be run, in place of what was said before."""
        return self._transact(lambda db: self._settle(db, name, settings))

    def remove(self, name: str) -> builtins.list[str]:
        """Forgets a model, not its files; returns the ids of components that no model has now."""
        return self._transact(lambda db: self._take_out(db, self._one(db, name)))

    def _untouched(self, name: str, path: Path, stamp: str) -> Model | None:
        """The model of this name, if it was identified from these very files."""
        with self._reading() as db:
            if read_stamp(db, self._home, name, path) != stamp:
                return None
            return self._one(db, name)

    def _put(self, db: Connection, model: Model, stamp: str, replace: bool) -> Model:
        found = read_models(db, self._home, model.name)
        for known in found:
            if not (replace or known.path == model.path or _same_content(known, model)):
                raise NameTaken(model.name, known.path)
            model = dataclasses.replace(
                model,
                family=model.family or known.family,
                added_at=known.added_at,
                settings=known.settings,
            )
            delete_model(db, known)
        insert_model(db, self._home, model, stamp)
        for known in found:
            drop_unused(db, _ids(known))
        return model

    def _settle(self, db: Connection, name: str, settings: Mapping[str, Any]) -> Model:
        self._one(db, name)
        write_settings(db, name, settings)
        return self._one(db, name)

    def _take_out(self, db: Connection, model: Model) -> builtins.list[str]:
        delete_model(db, model)
        return drop_unused(db, _ids(model))

    def _one(self, db: Connection, name: str) -> Model:
        found = read_models(db, self._home, name)
        if not found:
            raise UnknownModel(name, [model.name for model in read_models(db, self._home)])
        return found[0]

    def _reading(self) -> Connection:
        # An engine of omnifex_jobs begins any other transaction as a writing one.
        return self._engine.connect().execution_options(read_only=True)

    def _transact(self, action: Callable[[Connection], T]) -> T:
        """One transaction, tried again where another process got in between."""
        for _ in range(_ATTEMPTS - 1):
            try:
                with self._engine.begin() as db:
                    return action(db)
            except IntegrityError:
                continue
        with self._engine.begin() as db:
            return action(db)


def _identified(layout: Layout, name: str, family: str | None) -> Model:
    return Model(
        name=name,
        family=family,
        class_name=layout.class_name,
        path=layout.path,
        components={slot.role: identify(slot) for slot in layout.slots},
        config=layout.config,
        added_at=time.time_ns() // 1_000_000,
    )


def _same_content(one: Model, other: Model) -> bool:
    return one.class_name == other.class_name and _by_role(one) == _by_role(other)


def _by_role(model: Model) -> dict[str, str]:
    return {role: part.id for role, part in model.components.items()}


def _ids(model: Model) -> set[str]:
    return set(_by_role(model).values())


def _default_name(folder: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name)[:100].strip("-._")


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise BadName(name)
    return name
