"""Learning rates by their formulas."""

import math
from typing import Any

import pytest
import torch

from unblur.errors import ParameterError
from unblur.train.schedules import optimizer, schedule


def rates(name: str, steps: int, warmup: int) -> list[float]:
    weight = torch.nn.Parameter(torch.zeros(1))
    built = optimizer("adam", [weight], lr=0.1, betas=(0.9, 0.9), eps=1e-8, weight_decay=0)
    rule = schedule(name, built, steps=steps, warmup=warmup, lr_min=0.01, factor=0.5, patience=1)
    found = []
    for step in range(steps):
        found.append(built.param_groups[0]["lr"])
        weight.grad = torch.ones(1)
        built.step()
        if name == "plateau":
            rule.step(1.0 if step < 3 else 0.5)
        else:
            rule.step()
    return found


def test_cosine_rises_and_falls() -> None:
    found = rates("cosine", 20, 5)
    rise = [0.1 * (1e-3 + (1 - 1e-3) * n / 5) for n in range(5)]
    fall = [0.01 + 0.09 * (1 + math.cos(math.pi * n / 15)) / 2 for n in range(15)]
    assert found == pytest.approx(rise + fall, rel=1e-6)


def test_a_longer_run_goes_on_with_its_own_rates() -> None:
    def begun(steps: int) -> tuple[torch.optim.Optimizer, Any]:
        weights = [torch.nn.Parameter(torch.zeros(1))]
        built = optimizer("adam", weights, lr=0.1, betas=(0.9, 0.9), eps=1e-8, weight_decay=0)
        rule = schedule("cosine", built, steps=steps, warmup=2, lr_min=0.01, factor=1, patience=1)
        return built, rule

    short, rule = begun(6)
    for _ in range(6):
        short.step()
        rule.step()
    assert short.param_groups[0]["lr"] == pytest.approx(0.01)
    longer, resumed = begun(12)
    longer.load_state_dict(short.state_dict())
    resumed.load_state_dict(rule.state_dict())
    for step in range(7, 13):
        longer.step()
        resumed.step()
        wanted = 0.01 + 0.09 * (1 + math.cos(math.pi * (step - 2) / 10)) / 2
        assert longer.param_groups[0]["lr"] == pytest.approx(wanted, rel=1e-6)


def test_constant_stays() -> None:
    assert rates("constant", 4, 0) == pytest.approx([0.1] * 4)


def test_plateau_reduces_after_its_patience() -> None:
    # The first value is the best so far; two more that are no better reduce the rate once.
    assert rates("plateau", 6, 0) == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.05])


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(ParameterError, match="schedule must be one of cosine, constant, plateau"):
        rates("linear", 4, 0)
    with pytest.raises(ParameterError, match="warmup must leave some of the 4 steps, got 4"):
        rates("cosine", 4, 4)
    with pytest.raises(ParameterError, match="optimizer must be one of adam, adamw"):
        optimizer("lion", [], lr=1, betas=(0, 0), eps=1, weight_decay=0)
