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
from omnifex_registry.records import Model, version_of
from omnifex_registry.rows import (
    delete_model,
    drop_alias,
    drop_aliases_of,
    drop_unused,
    insert_model,
    put_alias,
    read_alias,
    read_models,
    read_stamp,
    users_of,
    write_settings,
    write_styles,
)
from omnifex_registry.sources.owned import Owned

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,89}")  # and a version: @ and 8 signs
_ATTEMPTS = 5  # of a transaction that another process got in the way of

T = TypeVar("T")


class Registry:
    """The models of one database; paths inside `home` move with it."""

    def __init__(self, engine: Engine, home: Path | str) -> None:
        self._engine = engine
        self._home = Path(home).resolve()
        self.owned = Owned(self._home)

    def add(
        self,
        folder: Path | str,
        *,
        name: str | None = None,
        family: str | None = None,
        variant: str | None = None,
        source: Mapping[str, Any] | None = None,
        replace: bool = False,
        keep: bool = False,
        check: Callable[[Model], None] | None = None,
        place: Callable[[Model], Path] | None = None,
    ) -> Model:
        """Registers a folder in the diffusers layout where it lies; files are not copied.

        The name defaults to the folder's. Adding a model again changes nothing, and costs no
        hashing while its files are untouched; one whose files changed, or that moved, is brought
        up to date. NameTaken where the name belongs to other contents in another folder, unless
        `replace`, or `keep`, which keeps the old ones as a version, `name@version`. `check` may
        still refuse a model that was identified, and `place` move its folder then. A call that
        fails leaves the registry as it was.
        """
        try:
            layout = read_layout(folder)
            name = _checked(default_name(layout.path) if name is None else name)
            stamp = file_stamp(layout)
            known = self._untouched(name, layout.path, stamp)
            if known and family in (None, known.family) and variant == known.variant:
                return known
            model = _identified(layout, name, family, variant, source)
            if check:
                check(model)
            self._demand_free(model, replace or keep)
            if place:
                layout = read_layout(place(model))
                model, stamp = _moved(model, layout), file_stamp(layout)
        except OSError as error:
            raise BadModelFolder(
                f"{error.filename} cannot be read ({error.strerror}); check its permissions."
            ) from error
        return self._transact(lambda db: self._put(db, model, stamp, replace, keep))

    def list(self) -> builtins.list[Model]:
        """All models, by name."""
        with self._reading() as db:
            return read_models(db, self._home)

    def show(self, name: str) -> Model:
        """The model of this name or alias; UnknownModel lists the registered ones."""
        with self._reading() as db:
            return self._one(db, name)

    def holding(self, name: str, components: Mapping[str, str]) -> Model:
        """The version of the model that has these components by role; else the one of today."""
        version = f"{name}@{version_of(components)}"
        with self._reading() as db:
            return next(iter(read_models(db, self._home, version)), None) or self._one(db, name)

    def alias(self, alias: str, name: str) -> Model:
        """Lets `alias` stand for a model from now on; NameTaken where a model is called that."""
        return self._transact(lambda db: self._name_also(db, _checked(alias), name))

    def unalias(self, alias: str) -> bool:
        """Whether there was such an alias; it is gone now."""
        return self._transact(lambda db: drop_alias(db, alias))

    def users(self, model: Model) -> dict[str, builtins.list[str]]:
        """By role, the names of all models that have the same component."""
        with self._reading() as db:
            users = users_of(db, _ids(model))
        return {role: users[part.id] for role, part in model.components.items()}

    def set(self, name: str, settings: Mapping[str, Any]) -> Model:
        """Says how the model is to be run, in place of what was said before."""
        return self._transact(lambda db: self._settle(db, name, settings))

    def set_style(self, name: str, style: str, values: Mapping[str, Any] | None) -> Model:
        """Gives a model a preset of this name in place of what had it; None takes it away."""
        return self._transact(lambda db: self._restyle(db, name, style, values))

    def remove(self, name: str) -> builtins.list[str]:
        """Forgets a model; returns the ids of components that no model has now.

        Files that the home owns are deleted, those that another model has too stay for that one;
        files that lie elsewhere are not touched.
        """
        model = self.show(name)
        unused = self._transact(lambda db: self._take_out(db, self._one(db, model.name)))
        if all(other.path != model.path for other in self.list()):
            self.owned.discard(model.path)
        return unused

    def _untouched(self, name: str, path: Path, stamp: str) -> Model | None:
        """The model of this name, if it was identified from these very files."""
        with self._reading() as db:
            if read_stamp(db, self._home, name, path) != stamp:
                return None
            return self._one(db, name)

    def _demand_free(self, model: Model, replace: bool) -> None:
        with self._reading() as db:
            self._refuse_taken(db, model, replace)

    def _refuse_taken(self, db: Connection, model: Model, replace: bool) -> None:
        """NameTaken where the name belongs to something else."""
        if read_alias(db, model.name):
            raise NameTaken(model.name, self._one(db, model.name).path)
        for known in read_models(db, self._home, model.name):
            if not (replace or known.path == model.path or _same_content(known, model)):
                raise NameTaken(model.name, known.path)

    def _put(self, db: Connection, model: Model, stamp: str, replace: bool, keep: bool) -> Model:
        self._refuse_taken(db, model, replace or keep)
        found = read_models(db, self._home, model.name)
        for known in found:
            if keep and known.path != model.path and not _same_content(known, model):
                self._set_aside(db, known)
            model = dataclasses.replace(
                model,
                family=model.family or known.family,
                added_at=known.added_at,
                settings=known.settings,
                styles=known.styles,
                source=model.source or known.source,
                aliases=known.aliases,
            )
            delete_model(db, known)
        insert_model(db, self._home, model, stamp)
        for known in found:
            drop_unused(db, _ids(known))
        return model

    def _set_aside(self, db: Connection, model: Model) -> None:
        """Keeps a model whose name is about to be another's, for jobs that were made with it."""
        version = dataclasses.replace(model, name=f"{model.name}@{model.version}", aliases=())
        if not read_models(db, self._home, version.name):
            stamp = read_stamp(db, self._home, model.name, model.path) or ""
            insert_model(db, self._home, version, stamp)

    def _settle(self, db: Connection, name: str, settings: Mapping[str, Any]) -> Model:
        self._one(db, name)
        write_settings(db, name, settings)
        return self._one(db, name)

    def _restyle(
        self, db: Connection, name: str, style: str, values: Mapping[str, Any] | None
    ) -> Model:
        model = self._one(db, name)
        kept = {known: said for known, said in model.styles.items() if known != style}
        write_styles(db, model.name, kept if values is None else {**kept, style: dict(values)})
        return self._one(db, name)

    def _take_out(self, db: Connection, model: Model) -> builtins.list[str]:
        delete_model(db, model)
        drop_aliases_of(db, model.name)
        return drop_unused(db, _ids(model))

    def _name_also(self, db: Connection, alias: str, name: str) -> Model:
        for known in read_models(db, self._home, alias):
            raise NameTaken(alias, known.path)
        put_alias(db, alias, self._one(db, name).name)
        return self._one(db, name)

    def _one(self, db: Connection, name: str) -> Model:
        found = read_models(db, self._home, name)
        if not found and (meant := read_alias(db, name)):
            found = read_models(db, self._home, meant)
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


def _identified(
    layout: Layout,
    name: str,
    family: str | None,
    variant: str | None,
    source: Mapping[str, Any] | None,
) -> Model:
    return Model(
        name=name,
        family=family,
        class_name=layout.class_name,
        path=layout.path,
        components={slot.role: identify(slot, variant) for slot in layout.slots},
        config=layout.config,
        added_at=time.time_ns() // 1_000_000,
        source=source or {},
        variant=variant,
    )


def _moved(model: Model, layout: Layout) -> Model:
    places = {slot.role: slot.path for slot in layout.slots}
    parts = {
        role: dataclasses.replace(part, path=places[role])
        for role, part in model.components.items()
    }
    return dataclasses.replace(model, path=layout.path, components=parts)


def _same_content(one: Model, other: Model) -> bool:
    return one.class_name == other.class_name and _by_role(one) == _by_role(other)


def _by_role(model: Model) -> dict[str, str]:
    return {role: part.id for role, part in model.components.items()}


def _ids(model: Model) -> set[str]:
    return set(_by_role(model).values())


def default_name(place: Path) -> str:
    """What a folder or file is called, in signs that a name may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", place.name)[:90].strip("-._")


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise BadName(name)
    return name
