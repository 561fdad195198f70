"""When a cron line fires: five fields, or six with seconds first, in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from omnifex_jobs.errors import InvalidSchedule

CATCH_UP_MS = 300_000  # missed times of the last minutes are made up for; of older ones only one


def first_after(cron: str, zone: str, moment_ms: int) -> int:
    """The first time after a moment, both in epoch milliseconds; or InvalidSchedule."""
    return _fire(cron, zone, moment_ms, back=False)


def next_to_fire(cron: str, zone: str, fired_ms: int, now_ms: int) -> int:
    """The time that comes after one that has fired; long missed ones are left out but the last."""
    following = first_after(cron, zone, fired_ms)
    if following >= now_ms - CATCH_UP_MS:
        return following
    return max(following, _fire(cron, zone, now_ms, back=True))


def _fire(cron: str, zone: str, moment_ms: int, *, back: bool) -> int:
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(_zone(zone))
    try:
        return round(next(CronSim(cron, moment, reverse=back)).timestamp() * 1000)
    except CronSimError as error:
        raise InvalidSchedule(
            cron, f"{error}; write five fields, such as '0 7 * * mon-fri'"
        ) from error
    except StopIteration:
        raise InvalidSchedule(cron, "no date fits it, so it would never fire") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSchedule(
            name, "no time zone has this name; an example is 'Europe/Paris'"
        ) from error
