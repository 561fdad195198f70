"""The plugin host: finds plugins, asks them what they add, sets aside those that fail."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from omnifex import hookspecs
from omnifex.errors import PluginError, UnknownModality, UnsuitableModel
from omnifex.modality import BuiltinModel, Family, Modality
from omnifex.request import Request
from omnifex.scoring import Scorer

if TYPE_CHECKING:
    from omnifex_jobs import Event
    from omnifex_registry import Model

GROUP = "omnifex"


@dataclass(frozen=True)
class Problem:
    """Why a plugin was set aside, or what it did wrong while it ran."""

    plugin: str
    message: str


@dataclass(frozen=True)
class Plugin:
    """One installed plugin and all that it adds."""

    name: str
    version: str
    modalities: tuple[Modality[Any], ...]
    families: tuple[Family[Any], ...]
    models: tuple[BuiltinModel, ...]
    scorers: tuple[Scorer[Any], ...] = ()


class PluginHost:
    """All plugins of one studio or worker.

    `plugins` are modules or objects with hooks, registered beside those that are installed; with
    `entry_points=False` they are all. OMNIFEX_PLUGINS (a comma list) admits only these installed
    plugins, and none when it is empty. Two plugins that add the same name raise PluginError.
    """

    def __init__(self, plugins: Iterable[object] = (), *, entry_points: bool = True) -> None:
        self.problems: list[Problem] = []
        self.plugins: list[Plugin] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        for entry in installed() if entry_points else ():
            self._admit_entry(entry)
        for plugin in plugins:
            self._admit(plugin, name_of(plugin))
        self.modalities: Mapping[str, Modality[Any]] = self._named("modality", "modalities")
        self.models: Mapping[str, BuiltinModel] = self._named("model", "models")
        self.families = tuple(family for plugin in self.plugins for family in plugin.families)
        self.scorers = tuple(scorer for plugin in self.plugins for scorer in plugin.scorers)

    def modality(self, name: str) -> Modality[Any]:
        """The modality of this name, or UnknownModality listing those there are."""
        if name in self.modalities:
            return self.modalities[name]
        hint = "; ".join(f"plugin {p.plugin!r} was set aside: {p.message}" for p in self.problems)
        raise UnknownModality(name, self.modalities, hint)

    def family(self, modality: str, model: Model) -> Family[Any]:
        """The first family that recognises the model for this modality, or UnsuitableModel."""
        in_order = sorted(self.families, key=lambda family: -family.precedence)
        recognising = [family for family in in_order if self._recognises(family, model)]
        for family in recognising:
            if family.modality == modality:
                return family
        makes = ", ".join(sorted({family.modality for family in recognising}))
        fact = f"it makes {makes}" if makes else f"no plugin knows a {model.class_name}"
        raise UnsuitableModel(
            f"model {model.name!r} cannot make {modality}: {fact}; "
            f"leave the model out to use {self.modality(modality).default_model!r}."
        )

    @property
    def listens(self) -> bool:
        """Whether any plugin is to be told of events."""
        return bool(self._manager.hook.job_event.get_hookimpls())

    def emit(self, event: Event) -> None:
        """Tell every plugin; one that raises is noted and does not hold up the others."""
        for name, plugin in self._manager.list_name_plugin():
            try:
                self._call(plugin, "job_event", event=event)
            except Exception as error:
                self._note(name, f"job_event raised {said(error)}")

    def _recognises(self, family: Family[Any], model: Model) -> bool:
        try:
            return family.recognises(model)
        except Exception as error:
            self._note(family.name, f"recognises({model.name!r}) raised {said(error)}")
            return False

    def _admit_entry(self, entry: EntryPoint) -> None:
        try:
            plugin = entry.load()
        except (Exception, SystemExit) as error:
            self._note(entry.name, f"its import failed with {said(error)}")
        else:
            self._admit(plugin, entry.name, entry.dist.version if entry.dist else "")

    def _admit(self, plugin: object, name: str, version: str = "") -> None:
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()  # a misspelt hook would otherwise never be called
            self.plugins.append(self._described(plugin, name, version))
        except Exception as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            self._note(name, said(error))

    def _described(self, plugin: object, name: str, version: str) -> Plugin:
        """What the plugin adds, checked against the contract."""
        modalities = tuple(self._gather(plugin, "register_modalities", Modality))
        families = tuple(self._gather(plugin, "register_families", Family))
        models = tuple(self._gather(plugin, "register_models", BuiltinModel))
        scorers = tuple(self._gather(plugin, "register_scorers", Scorer))
        for modality in modalities:
            check_modality(modality)
        for part in (*families, *scorers):
            require(part, "name", "modality")
        return Plugin(name, version, modalities, families, models, scorers)

    def _gather(self, plugin: object, hook: str, kind: type[Any]) -> Iterator[Any]:
        for items in self._call(plugin, hook):
            for item in items:
                if not isinstance(item, kind):
                    raise PluginError(f"{hook} returned {item!r}, which is no {kind.__name__}")
                yield item

    def _call(self, plugin: object, hook: str, **arguments: Any) -> list[Any]:
        """Call one plugin's hook alone, so that a failure has a name."""
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        results: list[Any] = self._manager.subset_hook_caller(hook, others)(**arguments)
        return results

    def _named(self, kind: str, attribute: str) -> dict[str, Any]:
        """Everything of one kind by name; a name given twice is refused."""
        found: dict[str, tuple[str, Any]] = {}
        for plugin in self.plugins:
            for item in getattr(plugin, attribute):
                if item.name in found:
                    raise PluginError(
                        f"plugins {found[item.name][0]!r} and {plugin.name!r} both add the {kind} "
                        f"{item.name!r}; uninstall one, or name the wanted ones in OMNIFEX_PLUGINS."
                    )
                found[item.name] = plugin.name, item
        return {name: item for name, (_, item) in found.items()}

    def _note(self, plugin: str, message: str) -> None:
        problem = Problem(plugin, message)
        if problem not in self.problems:
            self.problems.append(problem)


def installed() -> list[EntryPoint]:
    """Entry points of the group, in order of name, as OMNIFEX_PLUGINS admits them."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    listed = os.environ.get("OMNIFEX_PLUGINS")
    if listed is None:
        return found
    wanted = {name.strip() for name in listed.split(",")}
    return [entry for entry in found if entry.name in wanted]


def check_modality(modality: Modality[Any]) -> None:
    """Refuse a modality whose class attributes break the contract."""
    require(modality, "name", "title", "Request", "formats", "default_format", "default_model")
    if not (isinstance(modality.Request, type) and issubclass(modality.Request, Request)):
        raise PluginError(f"modality {modality.name!r}: Request is no subclass of omnifex.Request")
    if modality.default_format not in modality.formats:
        raise PluginError(
            f"modality {modality.name!r}: default_format {modality.default_format!r} is not one of "
            f"its formats ({', '.join(modality.formats)})"
        )


def require(part: object, *attributes: str) -> None:
    missing = [name for name in attributes if not hasattr(part, name)]
    if missing:
        raise PluginError(f"{type(part).__name__} lacks {', '.join(missing)}")


def name_of(plugin: object) -> str:
    return str(getattr(plugin, "__name__", type(plugin).__name__))


def said(error: BaseException) -> str:
    """The error's class and its message, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
