"""Schedules as users make them: a request that is checked now, and submitted at each time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from omnifex.errors import USER_ERRORS, InvalidRequest
from omnifex.home import Home
from omnifex.inputs import given_media
from omnifex.order import checked_order
from omnifex.places import spelt_out
from omnifex.request import validated
from omnifex.submission import submit, understood
from omnifex_jobs.upkeep.schedules import Schedule

log = logging.getLogger("omnifex.worker")


def put(
    home: Home,
    name: str,
    cron: str,
    zone: str,
    modality: str,
    model: str | None,
    fields: Mapping[str, Any],
    owner: str,
) -> Schedule:
    """Makes the schedule, or changes it; a request that could not be submitted is refused now."""
    chosen = home.plugins.modality(modality)
    if given_media(chosen.Request, fields):
        raise InvalidRequest(
            "a schedule takes no files and no jobs; give a request of words alone."
        )
    request = validated(chosen.Request, spelt_out(chosen.Request, fields), modality)
    understood(home, modality, fields, model)
    asked = request.model_dump(mode="json", exclude_unset=True)
    order = {"modality": modality, "model": model, "fields": asked, "owner": owner}
    return home.queue.schedules.put(name, cron, order, zone)


def fire_due(home: Home) -> int:
    """Submits what is due; any number of workers may do so at once. Returns how many jobs."""
    fired = 0
    while due := home.queue.schedules.due():  # of each schedule its next time; there may be more
        made = sum(fire(home, one) for one in due)
        if not made:  # others are at it
            break
        fired += made
    return fired


def fire(home: Home, due: Schedule) -> bool:
    """Submits one time of one schedule; whether it was not yet done."""
    order = checked_order(idempotency_key=due.key, owner=due.order["owner"])
    wanted = (due.order["modality"], due.order["fields"], due.order["model"])
    try:
        job_id: str | None = submit(home, *wanted, order).id
    except USER_ERRORS as error:  # its model is gone, say: the schedule goes on
        log.error("schedule %s could not be submitted: %s", due.name, error)
        job_id = None
    return home.queue.schedules.fired(due, job_id)
