"""The commands, put together: one for each installed modality, and those for the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from omnifex.cli import INTERRUPTED, doctor, jobs, models, rules, serving
from omnifex.cli.demo import demo
from omnifex.cli.generation import command_for
from omnifex.cli.inspect import inspect
from omnifex.cli.top import top
from omnifex.plugins import PluginHost

# typer 0.29 brings its own click and does not export the base of its usage errors.
UsageError: Any = typer.BadParameter.__base__


def run(arguments: Sequence[str]) -> int:
    """The exit code; what the user did wrong is one sentence on stderr."""
    try:
        code = app(PluginHost())(list(arguments), prog_name="omnifex", standalone_mode=False)
    except UsageError as error:
        return refuse("usage", one_line(error.format_message()), arguments)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # `omnifex jobs | head`
        sys.stderr.close()
        return 1
    except Exception as error:
        from omnifex.errors import USER_ERRORS

        if not isinstance(error, USER_ERRORS):
            raise
        return refuse(str(getattr(error, "code", "error")), str(error), arguments)
    return code if isinstance(code, int) else 0


def app(plugins: PluginHost) -> typer.Typer:
    """All commands; `plugins` reach them as the context's object."""
    commands = typer.Typer(
        name="omnifex",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "obj": plugins},
    )
    commands.callback()(root)
    for modality in plugins.modalities.values():
        make = commands.command(modality.name, rich_help_panel="Make", help=title(modality))
        make(command_for(modality))
    commands.command(rich_help_panel="Make")(demo)
    commands.add_typer(jobs.commands, name="jobs", rich_help_panel="See and manage")
    commands.add_typer(rules.queues, name="queues", rich_help_panel="See and manage")
    commands.add_typer(rules.schedules, name="schedules", rich_help_panel="See and manage")
    commands.add_typer(models.commands, name="models", rich_help_panel="See and manage")
    commands.command(rich_help_panel="See and manage")(inspect)
    commands.command(rich_help_panel="See and manage")(doctor.plugins)
    commands.command(rich_help_panel="See and manage")(top)
    commands.command(rich_help_panel="Run")(serving.worker)
    commands.command(rich_help_panel="Run")(doctor.doctor)
    return commands


def title(modality: Any) -> str:
    return f"{modality.title}, from a prompt."


def show_version(wanted: bool) -> None:
    if wanted:
        from omnifex.versions import version

        typer.echo(f"omnifex {version()}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=show_version),
    ] = False,
) -> None:
    """Pictures, clips, sounds and solids from text: one queue, one home, every modality."""


def refuse(code: str, message: str, arguments: Sequence[str]) -> int:
    """Say why nothing was done; a program that asked for JSON gets that too."""
    typer.echo(f"omnifex: {message}", err=True)
    if "--json" in arguments:
        typer.echo(json.dumps({"error": {"code": code, "message": message}}))
    return 2


def one_line(text: str) -> str:
    return " ".join(text.split())
