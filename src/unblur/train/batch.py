"""What training steps are made of: pairs of pictures, or sharp crops that become pairs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from unblur.blur.synthesis import Plan, Synthesis, render
from unblur.errors import InputError

__all__ = ["Batch", "Crops", "join"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs of pictures.

    Attributes:
        blurred: (B, 3, h, w), display-encoded, in [0, 1].
        sharp: the truth, of the same shape.
        names: where each pair came from.
        kernels: (B, k, k) of synthetic blurs, as `Sample.kernels`; None of others.
        plans: one a pair, of synthetic blurs.
        reference: another pair under the same blur, sharp before blurred: what a calibrated network
            takes its prior from.
        evidence: (B, 16, h, w), what a deconvolution gives, for a network that finishes it;
            `blurred` then has the classical result, where that network begins.

    Example:
        >>> half = Batch(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), ("a.png",))
        >>> len(join([half, half]).blurred)
        2
    """

    blurred: Tensor
    sharp: Tensor
    names: tuple[str, ...]
    kernels: Tensor | None = None
    plans: tuple[Plan, ...] = ()
    reference: tuple[Tensor, Tensor] | None = None
    evidence: Tensor | None = None

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """Move the pictures to a device."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        pair = self.reference
        return replace(
            self,
            blurred=moved(self.blurred),
            sharp=moved(self.sharp),
            kernels=None if self.kernels is None else moved(self.kernels),
            evidence=None if self.evidence is None else moved(self.evidence),
            reference=None if pair is None else (moved(pair[0]), moved(pair[1])),
        )


@dataclass(frozen=True, eq=False)
class Crops:
    """Sharp crops and what shall happen to them: a batch that is rendered where it is needed.

    Attributes:
        pictures: (B, 3, H, W), larger than the patches by the margin on every side.
        plans: one a crop.
        settings: with which the plans were drawn.
        names: where each crop came from.
        others: crops of other pictures for the same plans; None where no reference is wanted.
    """

    pictures: Tensor
    plans: tuple[Plan, ...]
    settings: Synthesis
    names: tuple[str, ...]
    others: Tensor | None = None

    def to(self, device: torch.device, *, non_blocking: bool = False) -> Self:
        """Move the crops to a device."""
        others = self.others
        return replace(
            self,
            pictures=self.pictures.to(device, non_blocking=non_blocking),
            others=None if others is None else others.to(device, non_blocking=non_blocking),
        )

    def render(self) -> Batch:
        """Do to each crop what its plan says."""
        sample = render(self.pictures, self.plans, self.settings)
        reference = None
        if self.others is not None:
            # The same blur on another day: the noise is another one.
            plans = [replace(plan, seed=plan.seed + 1) for plan in self.plans]
            second = render(self.others, plans, self.settings)
            reference = (second.sharp, second.blurred)
        return Batch(
            sample.blurred, sample.sharp, self.names, sample.kernels, self.plans, reference
        )


Part = TypeVar("Part", Batch, Crops)


def join(parts: Sequence[Part]) -> Part:
    """Put batches together, one after the other.

    Raises:
        InputError: Their pictures have different sizes.
    """
    tensors = (
        ("blurred", "sharp", "kernels", "evidence")
        if isinstance(parts[0], Batch)
        else ("pictures", "others")
    )
    changes: dict[str, Any] = {
        name: _joined([getattr(part, name) for part in parts]) for name in tensors
    }
    for name in ("names", "plans"):
        changes[name] = tuple(each for part in parts for each in getattr(part, name))
    pairs = [pair for part in parts if (pair := getattr(part, "reference", None)) is not None]
    if pairs:
        changes["reference"] = tuple(_joined(each) for each in zip(*pairs, strict=True))
    return replace(parts[0], **changes)


def _joined(tensors: Sequence[Tensor | None]) -> Tensor | None:
    there = [tensor for tensor in tensors if tensor is not None]
    if len({tensor.shape[1:] for tensor in there}) > 1:
        sizes = ", ".join(sorted({f"{t.shape[-1]} x {t.shape[-2]}" for t in there}))
        raise InputError(
            f"the pictures of a batch must have one size, got {sizes}: cut patches (data.patch), "
            "scale the pictures (data.side), or take one at a time (data.batch)"
        )
    return torch.cat(there) if there else None
