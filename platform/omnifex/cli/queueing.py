"""The options of a submission that say how a job is queued, not what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

PANEL = "Queue"


def option(kind: Any, text: str, *names: str, **shown: Any) -> Any:
    return Annotated[kind, typer.Option(*names, help=text, rich_help_panel=PANEL, **shown)]


SECONDS: dict[str, Any] = {"show_default": False, "metavar": "SECONDS"}
QUEUEING: dict[str, Any] = {
    "priority": option(int, "Higher runs first."),
    "deadline": option(float | None, "In which it should be done.", **SECONDS),
    "delay": option(float | None, "Until it may begin.", **SECONDS),
    "expires": option(float | None, "After which it is not worth beginning.", **SECONDS),
    "timeout": option(float | None, "That an attempt may take.", **SECONDS),
    "stall_timeout": option(float | None, "That it may be without progress.", **SECONDS),
    "queue": option(str | None, "The queue, by name.", show_default="default"),
    "batch": option(str | None, "A name that many jobs share."),
    "tag": option(list[str] | None, "A word to find it by; may be repeated."),
    "owner": option(str, "In whose name.", show_default=False),
    "unique": option(
        bool, "Give the job that asks for the same (but the seed), while it lasts.", "--unique"
    ),
    "unique_key": option(str | None, "Give the job that has this key, while it lasts."),
    "idempotency_key": option(str | None, "Give the job that had this key before, for ever."),
    "after": option(list[str] | None, "A job to wait for, by id; may be repeated."),
    "on_failure": option(str, "If a job that it waits for is lost: fail, cancel or run."),
}
DEFAULTS = {"priority": 0, "owner": "", "unique": False, "on_failure": "fail"}


def order_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The words of `Studio.submit`, but for the owner, who is the studio's."""
    order = {name: value for name, value in given.items() if name in QUEUEING}
    order["tags"], order["after"] = order.pop("tag") or (), order["after"] or ()
    order["unique"] = order.pop("unique_key") or order["unique"]
    del order["owner"]
    return order
