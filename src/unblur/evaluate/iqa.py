"""Learned and no-reference metrics through pyiqa, where it is installed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unblur.errors import MissingDependency, ParameterError

__all__ = ["Judge", "judges"]


@dataclass(frozen=True)
class Judge:
    """A metric of pyiqa.

    Attributes:
        name: such as "lpips".
        definition: the package with its version, and what is compared.
        reference: whether it needs the truth.
        measure: of pictures (1, C, H, W) in [0, 1], with the truth or None.
    """

    name: str
    definition: str
    reference: bool
    measure: Callable[[Tensor, Tensor | None], float]


def judges(names: Sequence[str], device: str = "cpu") -> tuple[Judge, ...]:
    """Set up metrics of pyiqa by name.

    Raises:
        MissingDependency: pyiqa is not installed.
        ParameterError: It has no such metric.
    """
    if not names:
        return ()
    try:
        import pyiqa
    except ImportError as error:
        raise MissingDependency(
            f"metric {names[0]} needs pyiqa: install it with `pip install 'unblur[iqa]'`"
        ) from error
    known = set(pyiqa.list_models())
    for name in names:
        if name not in known:
            raise ParameterError(f"metric {name!r} is none of pyiqa's: `pyiqa -ls` lists them")
    return tuple(_judge(pyiqa, name, device) for name in dict.fromkeys(names))


def _judge(pyiqa: Any, name: str, device: str) -> Judge:
    metric = pyiqa.create_metric(name, device=torch.device(device), as_loss=False)
    reference = metric.metric_mode == "FR"

    def measure(restored: Tensor, truth: Tensor | None) -> float:
        pictures = (restored, truth) if reference else (restored,)
        shown = [
            picture.float().clamp(0, 1).expand(-1, 3, -1, -1).to(device)
            for picture in pictures
            if picture is not None
        ]
        with torch.no_grad():
            return float(metric(*shown))

    better = "lower" if metric.lower_better else "higher"
    compared = "against the truth, as they lie" if reference else "without reference"
    version = getattr(pyiqa, "__version__", "of unknown version")
    return Judge(name, f"pyiqa {version}, {compared}, {better} is better", reference, measure)
