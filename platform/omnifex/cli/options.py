"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from omnifex.studio import Studio

Home = Annotated[
    str | None,
    typer.Option(
        "--home",
        help="The folder of jobs, models and artifacts, or postgresql+psycopg://…",
        metavar="FOLDER",
        show_default="$OMNIFEX_HOME or ~/.omnifex",
        rich_help_panel="Omnifex",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel="Omnifex")
]
Detach = Annotated[
    bool,
    typer.Option("--detach", help="Queue it and do not wait.", rich_help_panel="Omnifex"),
]


def open_studio(context: typer.Context, home: str | None, owner: str = "") -> Studio:
    """The home, without a worker of its own: most commands only look, or find one at work."""
    from omnifex.studio import Studio

    return Studio(home, workers=0, plugins=context.obj, owner=owner)
