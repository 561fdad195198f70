"""`omnifex demo`: one thing of each modality, all at once."""

from __future__ import annotations

import json as to_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio
from omnifex.errors import PluginError

if TYPE_CHECKING:
    from omnifex.modality import Modality
    from omnifex.plugins import PluginHost

SEED = 7


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.")] = Path(
        "demo"
    ),
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Make an example of every modality at once: image.png, video.mp4, audio.wav, mesh.glb, …"""
    from omnifex.cli.making import hand_over, tell
    from omnifex.cli.watch import watch
    from omnifex.description import job_object

    out.mkdir(parents=True, exist_ok=True)
    with open_studio(context, home) as studio:
        modalities = installed(context.obj)
        jobs = [studio.submit(m.name, prompt=m.example_prompt, seed=SEED) for m in modalities]
        watch(studio, jobs, quiet=json)
        names = [out / f"{m.name}.{m.default_format}" for m in modalities]
        places = [hand_over(job, name) for job, name in zip(jobs, names, strict=True)]
        if json:
            typer.echo(to_json.dumps({"jobs": [job_object(job) for job in jobs]}))
        else:
            for job, files in zip(jobs, places, strict=True):
                tell(job, files)
    if not all(places):
        raise typer.Exit(1)


def installed(plugins: PluginHost) -> list[Modality[Any]]:
    """The modalities that there are, or PluginError."""
    if not plugins.modalities:
        raise PluginError("no installed plugin makes anything; see `omnifex plugins`.")
    return list(plugins.modalities.values())
