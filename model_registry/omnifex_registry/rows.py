"""Models as rows of the tables: written, read and dropped inside the caller's transaction."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from omnifex_registry.layout import component_folder
from omnifex_registry.records import Component, Model
from omnifex_registry.schema import aliases, components, model_components, models


def stored_path(path: Path, home: Path) -> str:
    """A path inside the home is kept relative, so that the home can be moved."""
    inside = path.is_relative_to(home)
    return (path.relative_to(home) if inside else path).as_posix()


def read_models(db: Connection, home: Path, name: str | None = None) -> list[Model]:
    """All models by name, or the one of this name."""
    query = select(models).order_by(models.c.name)
    if name is not None:
        query = query.where(models.c.name == name)
    return [_model(db, home, row) for row in db.execute(query).all()]


def read_stamp(db: Connection, home: Path, name: str, path: Path) -> str | None:
    """The file stamp under which the folder was identified for this name."""
    here = models.c.path == stored_path(path, home)
    return db.scalar(select(models.c.stamp).where(models.c.name == name, here))


def insert_model(db: Connection, home: Path, model: Model, stamp: str) -> None:
    _insert_components(db, {part.id: part for part in model.components.values()})
    row = {
        "name": model.name,
        "family": model.family,
        "class_name": model.class_name,
        "path": stored_path(model.path, home),
        "config": dict(model.config),
        "settings": dict(model.settings),
        "styles": dict(model.styles),
        "source": dict(model.source),
        "variant": model.variant,
        "stamp": stamp,
        "added_at": model.added_at,
    }
    links = [
        {"model": model.name, "role": role, "component": part.id}
        for role, part in model.components.items()
    ]
    db.execute(insert(models), row)
    db.execute(insert(model_components), links)


def write_settings(db: Connection, name: str, settings: Mapping[str, Any]) -> None:
    db.execute(update(models).where(models.c.name == name).values(settings=dict(settings)))


def write_styles(db: Connection, name: str, styles: Mapping[str, Any]) -> None:
    db.execute(update(models).where(models.c.name == name).values(styles=dict(styles)))


def put_alias(db: Connection, alias: str, model: str) -> None:
    drop_alias(db, alias)
    db.execute(insert(aliases), {"alias": alias, "model": model})


def drop_alias(db: Connection, alias: str) -> bool:
    return bool(db.execute(delete(aliases).where(aliases.c.alias == alias)).rowcount)


def drop_aliases_of(db: Connection, model: str) -> None:
    db.execute(delete(aliases).where(aliases.c.model == model))


def read_alias(db: Connection, alias: str) -> str | None:
    """The name of the model that the alias stands for."""
    return db.scalar(select(aliases.c.model).where(aliases.c.alias == alias))


def users_of(db: Connection, ids: Collection[str]) -> dict[str, list[str]]:
    """The names of the models that have each of the components."""
    query = (
        select(model_components.c.component, model_components.c.model)
        .where(model_components.c.component.in_(ids))
        .order_by(model_components.c.model)
        .distinct()
    )
    users: dict[str, list[str]] = {component: [] for component in ids}
    for component, model in db.execute(query):
        users[component].append(model)
    return users


def delete_model(db: Connection, model: Model) -> None:
    """Takes the model away; its components stay until `drop_unused`."""
    db.execute(delete(model_components).where(model_components.c.model == model.name))
    db.execute(delete(models).where(models.c.name == model.name))


def drop_unused(db: Connection, ids: Collection[str]) -> list[str]:
    """Drops those of the components that no model has; returns their ids."""
    query = select(model_components.c.component).where(model_components.c.component.in_(ids))
    unused = sorted(set(ids).difference(db.scalars(query)))
    db.execute(delete(components).where(components.c.id.in_(unused)))
    return unused


def _insert_components(db: Connection, parts: dict[str, Component]) -> None:
    known = set(db.scalars(select(components.c.id).where(components.c.id.in_(parts))))
    new = [_component_row(part) for part in parts.values() if part.id not in known]
    if new:
        db.execute(insert(components), new)


def _component_row(part: Component) -> dict[str, Any]:
    return {
        "id": part.id,
        "library": part.library,
        "class_name": part.class_name,
        "bytes": part.bytes,
        "parameters": part.parameters,
        "dtypes": dict(part.dtypes),
        "weightless": part.weightless,
    }


def _model(db: Connection, home: Path, row: Row[Any]) -> Model:
    path = home / row.path
    known_as = select(aliases.c.alias).order_by(aliases.c.alias)
    query = (
        select(model_components.c.role, components)
        .join_from(model_components, components)
        .where(model_components.c.model == row.name)
        .order_by(model_components.c.role)
    )
    return Model(
        name=row.name,
        family=row.family,
        class_name=row.class_name,
        path=path,
        components={part.role: _component(path, row, part) for part in db.execute(query)},
        config=row.config,
        added_at=row.added_at,
        settings=row.settings,
        styles=row.styles,
        source=row.source,
        variant=row.variant,
        aliases=tuple(db.scalars(known_as.where(aliases.c.model == row.name))),
    )


def _component(model_path: Path, model: Row[Any], row: Row[Any]) -> Component:
    return Component(
        id=row.id,
        role=row.role,
        library=row.library,
        class_name=row.class_name,
        path=component_folder(model_path, row.role, model.config[row.role]),
        bytes=row.bytes,
        parameters=row.parameters,
        dtypes=row.dtypes,
        weightless=row.weightless,
        variant=model.variant,
    )
