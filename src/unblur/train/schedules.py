"""Optimisers and learning rates, by name."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from unblur.errors import ParameterError

__all__ = ["OPTIMIZERS", "SCHEDULES", "optimizer", "schedule"]

OPTIMIZERS: dict[str, Any] = {"adam": Adam, "adamw": AdamW}
SCHEDULES = ("cosine", "constant", "plateau")
_FIRST = 1e-3


def optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    *,
    lr: float,
    betas: Sequence[float],
    eps: float,
    weight_decay: float,
) -> Optimizer:
    """Build an optimiser of `OPTIMIZERS`.

    Raises:
        ParameterError: There is no such optimiser.
    """
    if name not in OPTIMIZERS:
        raise ParameterError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {name!r}")
    built: Optimizer = OPTIMIZERS[name](
        parameters, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay
    )
    return built


def schedule(
    name: str,
    built: Optimizer,
    *,
    steps: int,
    warmup: int,
    lr_min: float,
    factor: float,
    patience: int,
) -> LRScheduler | ReduceLROnPlateau:
    """Build a schedule of learning rates, stepped after each step, or after each validation.

    Args:
        name: "cosine" falls from the optimiser's rate to `lr_min` at the last step; "constant"
            stays; "plateau" multiplies by `factor` when more than `patience` validations have not
            improved.
        built: the optimiser.
        steps: of the whole run.
        warmup: steps over which the rate rises to its full height first; "plateau" has none.
        lr_min: the lowest rate.
        factor: of "plateau".
        patience: of "plateau".

    Raises:
        ParameterError: There is no such schedule, or no step is left after the warm-up.
    """
    if name not in SCHEDULES:
        raise ParameterError(f"schedule must be one of {', '.join(SCHEDULES)}, got {name!r}")
    if name == "plateau":
        # Keras counts any improvement of more than 1e-4; so do we.
        return ReduceLROnPlateau(
            built,
            factor=factor,
            patience=patience,
            min_lr=lr_min,
            threshold=1e-4,
            threshold_mode="abs",
        )
    if not 0 <= warmup < steps:
        raise ParameterError(f"warmup must leave some of the {steps} steps, got {warmup}")
    height = built.param_groups[0]["lr"]
    lowest = lr_min / height if name == "cosine" and height else 1.0

    def share(step: int) -> float:
        if step < warmup:
            return _FIRST + (1 - _FIRST) * step / warmup
        done = min((step - warmup) / (steps - warmup), 1.0)
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * done)) / 2

    # A function of the step alone: a finished run that is made longer has the rates of the longer.
    return LambdaLR(built, share)
