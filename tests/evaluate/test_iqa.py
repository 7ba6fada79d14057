"""Metrics of pyiqa, with a stand-in for the package."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from unblur import evaluate
from unblur.errors import MissingDependency, ParameterError


class Metric:
    def __init__(self, name: str) -> None:
        self.metric_mode = "FR" if name == "lpips" else "NR"
        self.lower_better = True

    def __call__(self, *pictures: torch.Tensor) -> torch.Tensor:
        assert all(picture.shape[1] == 3 for picture in pictures)
        assert all(float(picture.min()) >= 0 and float(picture.max()) <= 1 for picture in pictures)
        if self.metric_mode == "FR":
            return (pictures[0] - pictures[1]).abs().mean()
        return pictures[0].mean()


@pytest.fixture
def pyiqa(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_metric(name: str, **options: Any) -> Metric:
        return Metric(name)

    module = SimpleNamespace(
        list_models=lambda: ["lpips", "niqe"], create_metric=create_metric, __version__="7"
    )
    monkeypatch.setitem(sys.modules, "pyiqa", module)


@pytest.mark.usefixtures("pyiqa")
def test_metrics_are_measured_and_defined() -> None:
    full, none = evaluate.judges(["lpips", "niqe", "lpips"])
    assert (full.reference, none.reference) == (True, False)
    assert full.definition == "pyiqa 7, against the truth, as they lie, lower is better"
    assert none.definition == "pyiqa 7, without reference, lower is better"
    grey = torch.full((1, 1, 4, 4), 0.25)
    assert full.measure(grey, grey + 0.5) == pytest.approx(0.5)
    assert none.measure(grey * 8, None) == pytest.approx(1)


@pytest.mark.usefixtures("pyiqa")
def test_they_become_columns(pairs: Callable[..., Path]) -> None:
    root = pairs(1)
    protocol, variant = evaluate.settle(evaluate.find("folder"), None)
    entrants = evaluate.contenders(["input"], {})
    judges = evaluate.judges(["lpips", "niqe"])
    done = evaluate.run(protocol, variant, protocol.reader(root, variant), entrants, judges=judges)
    (score,) = evaluate.scores(done)
    assert list(score.values) == ["psnr", "ssim", "ssim-matlab3d", "lpips", "niqe"]
    aligned, variant = evaluate.settle(evaluate.find("folder"), None, align=True)
    with pytest.raises(ParameterError, match="lpips compares with the truth pixel by pixel"):
        evaluate.run(aligned, variant, aligned.reader(root, variant), entrants, judges=judges)


@pytest.mark.usefixtures("pyiqa")
def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ParameterError, match="'liqe' is none of pyiqa's"):
        evaluate.judges(["liqe"])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    assert evaluate.judges([]) == ()
    with pytest.raises(MissingDependency, match=r"lpips needs pyiqa: .*'unblur\[iqa\]'"):
        evaluate.judges(["lpips"])
