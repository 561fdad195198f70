"""What an engine is at, in the plain values that `omnifex top` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnifex.engine.engine import Engine
    from omnifex.engine.memory.resident import Resident


def engine_status(engine: Engine) -> dict[str, Any]:
    """Memory in bytes; `queue` counts the calls that wait for the device."""
    return {
        "device": str(engine.device),
        "memory_used": engine.residency.taken,
        "memory_budget": engine.residency.budget,
        "components": [component_status(resident) for resident in engine.residents()],
        "jobs": engine.watch.jobs,
        "queue": len(engine.dispatcher.waiting),
        **{name: round(value, 3) for name, value in engine.watch.rates().items()},
    }


def component_status(resident: Resident) -> dict[str, Any]:
    component = resident.component
    return {
        "id": component.id,
        "role": component.role,
        "class": component.class_name,
        "bytes": resident.bytes,
        "tier": str(resident.tier),
    }
