"""`omnifex doctor` and `omnifex plugins`: what is installed, and what is wrong with it."""

from __future__ import annotations

import json as to_json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import typer

from omnifex.cli import options
from omnifex.plugins import Plugin, PluginHost

LOW_DISK = 2_000_000_000  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `state` is `ok`, `advice` or `broken`."""

    subject: str
    state: str
    said: str


def doctor(context: typer.Context, home: options.Home = None, json: options.Json = False) -> None:
    """Look at everything that Omnifex needs; exit 1 if something is broken."""
    findings = list(examine(context.obj, home))
    healthy = all(finding.state != "broken" for finding in findings)
    if json:
        shown = [asdict(finding) for finding in findings]
        typer.echo(to_json.dumps({"ok": healthy, "findings": shown}))
    else:
        signs = {"ok": "ok", "advice": "! ", "broken": "X "}
        for finding in findings:
            typer.echo(f"{signs[finding.state]}  {finding.subject:<9} {finding.said}")
    if not healthy:
        raise typer.Exit(1)


def examine(plugins: PluginHost, home: str | None) -> Iterator[Finding]:
    yield from attempt("python", python)
    yield from attempt("torch", torch)
    yield from attempt("media", media)
    yield from attempt("home", lambda: look_into(home, plugins))
    yield from attempt("plugins", lambda: look_at(plugins))


def attempt(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What is so broken that it cannot be looked at is a finding too."""
    try:
        yield from look()
    except Exception as error:
        yield Finding(subject, "broken", f"{type(error).__name__}: {error}")


def python() -> Iterator[Finding]:
    import platform

    from omnifex.versions import version

    said = f"Python {platform.python_version()}, omnifex {version()}, {platform.platform()}"
    yield Finding("python", "ok", said)


def torch() -> Iterator[Finding]:
    import torch as installed

    from omnifex.device import find_devices

    yield Finding(
        "torch", "ok", f"torch {installed.__version__}, {installed.get_num_threads()} threads"
    )
    yield Finding("devices", "ok", ", ".join(find_devices()))


def media() -> Iterator[Finding]:
    """The libraries behind the file formats, with the versions that bugs depend on."""
    from importlib.metadata import version

    names = ("diffusers", "transformers", "av", "pillow", "trimesh", "torchaudio")
    yield Finding("media", "ok", ", ".join(f"{name} {version(name)}" for name in names))


def look_into(home: str | None, plugins: PluginHost) -> Iterator[Finding]:
    import shutil

    from omnifex.home import open_home
    from omnifex_jobs import sqlite_advice

    opened = open_home(home, plugins)
    try:
        jobs = sum(opened.queue.counts().values())
        yield Finding("home", "ok", f"{opened.folder}, {jobs} jobs")
        free = shutil.disk_usage(opened.folder).free
        low = "advice" if free < LOW_DISK else "ok"
        yield Finding("disk", low, f"{free / 1e9:.1f} GB free")
        if advice := sqlite_advice(opened.database):
            yield Finding("sqlite", "advice", advice)
        for broken in opened.models.broken():
            yield Finding("model", "broken", str(broken))
        names = [model.name for model in opened.models.list()]
        state = "ok" if names else "advice"
        yield Finding("models", state, ", ".join(names) or "none; `omnifex models add FOLDER`")
    finally:
        opened.close()


def look_at(plugins: PluginHost) -> Iterator[Finding]:
    makes = ", ".join(plugins.modalities) or "nothing"
    yield Finding("plugins", "ok", f"{len(plugins.plugins)} installed; they make {makes}")
    for problem in plugins.problems:
        yield Finding("plugin", "broken", f"{problem.plugin} was set aside: {problem.message}")


def plugins(context: typer.Context, json: options.Json = False) -> None:
    """The installed plugins and what each adds; those that were set aside, and why."""
    host: PluginHost = context.obj
    if json:
        shown = [plugin_object(plugin) for plugin in host.plugins]
        aside = [asdict(problem) for problem in host.problems]
        typer.echo(to_json.dumps({"plugins": shown, "problems": aside}))
        return
    for plugin in host.plugins:
        added = {
            key: value for key, value in plugin_object(plugin).items() if isinstance(value, list)
        }
        said = "; ".join(f"{key} {', '.join(value)}" for key, value in added.items() if value)
        typer.echo(f"{plugin.name} {plugin.version}  {said}")
    for problem in host.problems:
        typer.echo(f"set aside: {problem.plugin}: {problem.message}", err=True)


def plugin_object(plugin: Plugin) -> dict[str, object]:
    return {
        "name": plugin.name,
        "version": plugin.version,
        "modalities": [modality.name for modality in plugin.modalities],
        "families": [family.name for family in plugin.families],
        "scorers": [scorer.name for scorer in plugin.scorers],
        "models": [model.name for model in plugin.models],
    }
