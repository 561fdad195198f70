"""The models of a home: those that users add, and those that come with plugins."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omnifex.compose import check_stages, compose
from omnifex.errors import OmnifexError
from omnifex.plugins import PluginHost
from omnifex.settings import settings_of
from omnifex.styles import style_from
from omnifex_registry import Model, Registry, RegistryError

INSIDE = (
    3  # parts of a path that are the same wherever a plugin is installed: package, models, name
)


class BuiltinStays(OmnifexError):
    """An attempt to remove a model that would come back at its next use."""

    code = "builtin_model"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"model {name!r} comes with an installed plugin and stays while that is installed; "
            "leave the plugin out with OMNIFEX_PLUGINS, or uninstall it."
        )


class Models:
    """Looks models up by name; a plugin's model is registered when it is first asked for."""

    def __init__(self, registry: Registry, plugins: PluginHost) -> None:
        self._registry, self._plugins = registry, plugins
        self._builtin = plugins.models
        self._registered: set[str] = set()

    def add(
        self,
        source: Path | str,
        *,
        name: str | None = None,
        family: str | None = None,
        variant: str | None = None,
        revision: str | None = None,
        file: str | None = None,
        base: str | None = None,
        copy: bool = False,
        update: bool = False,
        accept_license: bool = False,
    ) -> Model:
        """Register a model: a folder, an archive, a single file, or a hub's id ("org/name").

        A folder in the diffusers layout stays where it is, unless `copy` puts it into the home;
        what comes from elsewhere is the home's own, or linked from the hub's cache. Adding again is
        cheap, and brings a changed folder up to date. The options: docs/registry.md.
        """
        from omnifex_registry.adding import Wanted, add
        from omnifex_registry.fitting import check_fit  # it imports torch

        for builtin in self._builtin.keys() & {name, Path(source).name}:
            self._register(builtin)  # so that its name is taken
        wanted = Wanted(
            name=name,
            family=family,
            variant=variant,
            revision=revision,
            file=file,
            base=base,
            copy=copy,
            update=update,
            accept_license=accept_license,
            check=check_fit,
        )
        return add(self._registry, source, wanted)

    def compose(self, name: str, base: str, *, update: bool = False, **stages: str) -> Model:
        """Register a model of several stages, whose components are those of registered models.

        `compose("sdxl-fine", base="sdxl", refiner="sdxl-refiner")`: no weights are copied. Which
        stages there are is the family's to say; docs/systems.md lists them.
        """
        first = self.show(base)
        check_stages(first, stages, self._plugins.families)
        others = {stage: self.show(model) for stage, model in stages.items()}
        return compose(self._registry, name, first, others, update=update)

    def set(self, name: str, **settings: Any) -> Model:
        """Change how the model's backbone is run; a setting that is None goes back to its default.

        `attention`, `compile`, `autotune`, `graphs`, `cache`, `threshold`, `interval`: see Settings
        and docs/engine.md. Jobs submitted before keep the settings of their time.
        """
        from omnifex.engine.acceleration.settings import check  # it imports torch

        model = self.show(name)
        kept = {key: value for key, value in model.settings.items() if key not in settings}
        given = {key: value for key, value in settings.items() if value is not None}
        chosen = settings_of({**kept, **given}, name)
        if chosen.chosen:
            check(chosen, model)
        return self._registry.set(name, chosen.chosen)

    def style(self, name: str, style: str, **values: Any) -> Model:
        """Give a model a style, which requests choose by `style`; it replaces one of that name.

        `prompt` and `negative_prompt` are words with a place for {prompt}, or words that are put
        behind it; `steps`, `guidance` and `sampler` are for requests that leave them out.
        """
        said = style_from(values, style).model_dump(exclude_none=True)
        return self._registry.set_style(self.show(name).name, style, said)

    def unstyle(self, name: str, style: str) -> bool:
        """Whether the model had such a style; it is gone now."""
        model = self.show(name)
        self._registry.set_style(model.name, style, None)
        return style in model.styles

    def list(self) -> builtins.list[Model]:
        """All models that can be used, by name."""
        for _ in self.broken():
            pass
        return self._registry.list()

    def show(self, name: str) -> Model:
        """The model of this name or alias; UnknownModel lists the registered ones."""
        if name in self._builtin:
            self._register(name)
            return self._registry.show(name)
        self.list()  # the error names what can be used
        return self._registry.show(name)

    def remove(self, name: str) -> builtins.list[str]:
        """Forget a model; returns the ids of components that no model has now.

        Of its files, those that the home owns and no other model has are deleted.
        """
        if name in self._builtin and self.show(name).path == self._builtin[name].path.resolve():
            raise BuiltinStays(name)
        return self._registry.remove(name)

    def holding(self, name: str, components: Mapping[str, str]) -> Model:
        """The version of a model that has these components by role; else the one of today."""
        if name in self._builtin:
            self._register(name)
        return self._registry.holding(name, components)

    def alias(self, alias: str, name: str) -> Model:
        """Let `alias` stand for a model, until it is given to another one."""
        return self._registry.alias(alias, self.show(name).name)

    def unalias(self, alias: str) -> bool:
        """Whether there was such an alias; it is gone now."""
        return self._registry.unalias(alias)

    def users(self, model: Model) -> dict[str, builtins.list[str]]:
        """By role, the names of all models that have the same component."""
        return self._registry.users(model)

    def verify(self, name: str) -> dict[str, str]:
        """Why components are not what was added, by role; every file is read again."""
        from omnifex_registry.verification import damaged

        return dict(damaged(self.show(name)))

    def broken(self) -> Iterator[RegistryError]:
        """Register the plugins' models; yields why one of them cannot be used."""
        for name in self._builtin:
            try:
                self._register(name)
            except RegistryError as error:
                yield error

    def _register(self, name: str) -> None:
        """Once a process; it is hashed once a home, and again when its files have changed.

        It takes the place of one whose folder is gone, and sets one aside that comes from another
        installation of its plugin.
        """
        if name not in self._registered:
            path = self._builtin[name].path.resolve()
            known = {model.name: model.path for model in self._registry.list()}.get(name, path)
            gone, again = not known.exists(), known.parts[-INSIDE:] == path.parts[-INSIDE:]
            self._registry.add(path, name=name, replace=gone, keep=again and not gone)
            self._registered.add(name)
