"""Students of a few steps: what their own scheduler says of how they are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnifex.model_config import backbone_config, component_config
from omnifex.schedulers import SLOT, own_scheduler

if TYPE_CHECKING:
    from omnifex_registry import Model

STEPS = 4


def few_steps(model: Model) -> Mapping[str, Any]:
    """Steps and guidance of a distilled model of Stable Diffusion's kind; empty for others.

    Turbo and progressively distilled students begin their schedule at its end ("trailing") and were
    taught without guidance (Sauer et al. 2023; Salimans and Ho 2022); consistency students come
    with a scheduler of their own (Luo et al. 2023; Zheng et al. 2024), and where the UNet is told
    the guidance, it is embedded and not left out.
    """
    scheduler = own_scheduler(model)
    if scheduler in ("LCMScheduler", "TCDScheduler"):
        told = backbone_config(model).get("time_cond_proj_dim") is not None
        return {"steps": STEPS} if told else {"steps": STEPS, "guidance": 1.0}
    spacing = component_config(model, SLOT).get("timestep_spacing")
    if scheduler.startswith("Euler") and spacing == "trailing":
        return {"steps": STEPS, "guidance": 0.0}
    return {}
