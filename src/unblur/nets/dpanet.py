"""DPA-Net: a picture restored by what a distortion prior says about its blur, place by place.

Source: I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021.
"""

import re
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from unblur.errors import ParameterError, WeightsError
from unblur.nets.blind_wiener import HOP, BlindWiener
from unblur.nets.dpa import DPA
from unblur.nets.dpe import DPE, LEVELS, Prior
from unblur.nets.local_statistics import WINDOW, set_window
from unblur.nets.network import NetSpec, Network, Shapes, pad_to_multiple

__all__ = ["WIDTHS", "DPANet", "resample_prior"]

# The variants: channels at the finest level.
WIDTHS = {"small": 16, "base": 32}

_MULTIPLE = 2 ** (LEVELS - 1)
# Measured: float32, blind form, for each channel of the finest level.
_BYTES_PER_CHANNEL = 44
# Measured 122, of the blind Wiener filter by itself, before the rest begins (255 for both at width
# 24); and its filters and weights.
_BYTES_OF_WIENER, _BYTES_OF_FILTERS = 130, 64 << 20


class DPANet(Network):
    """Estimator and restorer together.

    Blind, the prior comes from the picture itself and the network is called as any other. With a
    prior from a calibration pair, `prior(sharp, blurred)` is called once, its result kept, and
    `restore` called for every later picture of that lens.

    Args:
        width: channels at the finest level, such as those of `WIDTHS`.
        blocks: K of the restorer.
        prior_blocks: K of the estimator.
        blind: whether the prior comes from the blurred picture alone.
        step: side of the squares of pixels that become channels, so that the finest level has the
            picture's resolution divided by it; above 1 in the blind form only. With 2 it learns
            five times as fast on a CPU, and sees twice as far.
        wiener: whether a blind Wiener filter comes before both parts (with `step` 2 only): they see
            the picture that it deconvolved, and beside it what it added. This is no part of the
            paper.

    Raises:
        ParameterError: `step` is not 1 or 2, or not 1 where the network is not blind, or there is a
            filter where it is not 2.

    Source:
        I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021, figure 2.

    Example:
        >>> network = DPANet(blocks=1, prior_blocks=1, blind=False)
        >>> sharp, blurred, later = torch.rand(3, 1, 3, 9, 14)
        >>> prior = network.prior(sharp, blurred)
        >>> network.restore(later, prior).shape
        torch.Size([1, 3, 9, 14])
    """

    title: ClassVar[str] = "DPA-Net"
    licence: ClassVar[str] = "none published"

    def __init__(
        self,
        *,
        width: int = 16,
        blocks: int = 10,
        prior_blocks: int = 4,
        blind: bool = True,
        step: int = 1,
        wiener: bool = False,
    ) -> None:
        super().__init__()
        if step not in ((1, 2) if blind else (1,)):
            raise ParameterError(f"step must be 1, or 2 in a blind network, got {step}")
        if wiener and step == 1:
            raise ParameterError("wiener must be false where step is 1, got true")
        self.window: int | None = None
        self.width, self.blocks, self.prior_blocks, self.blind = width, blocks, prior_blocks, blind
        self.step, self.wiener = step, wiener
        colours, extra = 3 * step**2, step**2 if wiener else 0
        self.blind_wiener = BlindWiener() if wiener else None
        self.estimator = DPE(colours + extra if blind else 6, width=width, blocks=prior_blocks)
        self.restorer = DPA(width=width, blocks=blocks, colours=colours, extra=extra)

    @property
    def spec(self) -> NetSpec:
        """What running this network needs to know.

        The halo is the radius of the theoretical receptive field. A block adds 14 pixels, since its
        two convolutions reach 1, 2 and 4 pixels at the three levels; what stands around the blocks
        adds the rest, 4 more on the way through the estimator. A filter comes before all that.
        """
        radius = self.step * max(14 * self.blocks + 34, 14 * self.prior_blocks + 38)
        radius += self.step - 1 + (BlindWiener.halo if self.wiener else 0)
        held = _BYTES_PER_CHANNEL * self.width // self.step**2
        return NetSpec(
            multiple_of=HOP if self.wiener else _MULTIPLE * self.step,
            halo=radius if self.window is None else radius + self.window // 2,
            global_statistics=self.window is None,
            bytes_per_pixel=max(held, _BYTES_OF_WIENER if self.wiener else 0),
            bytes_fixed=_BYTES_OF_FILTERS if self.wiener else 0,
            # With less, windows near the core have other spectra: 35 grey levels were seen.
            least_halo=BlindWiener.halo if self.wiener else NetSpec.least_halo,
        )

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """Build the network whose entries have these shapes.

        Raises:
            WeightsError: No width or depth of this architecture gives these entries.

        Example:
            >>> entries = DPANet(width=4, blocks=3, blind=False).state_dict()
            >>> found = DPANet.from_shapes({name: each.shape for name, each in entries.items()})
            >>> found.width, found.blocks, found.prior_blocks, found.blind
            (4, 3, 4, False)
        """
        first = tuple(shapes.get("estimator.encoder.extract.first.weight", ()))
        blocks, prior_blocks = (_count_blocks(shapes, part) for part in ("restorer", "estimator"))
        known = len(first) == 4 and first[0] > 0 and first[1] in (3, 6, 12, 16)
        if not known or not blocks * prior_blocks:
            raise WeightsError(
                f"weights do not fit {cls.title}: estimator.encoder.extract.first.weight must be "
                f"(width, 3, 6, 12 or 16, 3, 3), got {first or 'none'}, and both networks must "
                f"have residual blocks, got {prior_blocks} and {blocks}"
            )
        network = cls(
            width=first[0],
            blocks=blocks,
            prior_blocks=prior_blocks,
            blind=first[1] != 6,
            step=2 if first[1] >= 12 else 1,
            wiener=first[1] == 16,
        )
        return network.expect(shapes)

    def local(self, window: int | None = WINDOW) -> Self:
        """Take means over windows, so that tiles agree with the whole.

        Args:
            window: side in pixels of the picture; None goes back to means over the whole picture.
        """
        set_window(self, window and max(window // self.step, 1))
        self.window = window
        return self

    def prior(self, *pictures: Tensor) -> Prior:
        """Estimate the distortion prior.

        Args:
            pictures: the blurred picture (B, 3, H, W) where the network is blind, otherwise the
                calibration pair, sharp before blurred.

        Returns:
            d at full, half and quarter resolution of the picture extended to multiples of 4, all
            divided by `step`.

        Raises:
            ParameterError: The number of pictures is not what the network takes.
        """
        wanted = 1 if self.blind else 2
        if len(pictures) != wanted:
            raise ParameterError(
                f"prior takes {'the blurred picture' if self.blind else 'sharp and blurred'} of "
                f"a {'blind' if self.blind else 'calibrated'} network, got {len(pictures)} pictures"
            )
        prior: Prior = self.estimator(self._squares(torch.cat(pictures, dim=1)))
        return prior

    def restore(self, image: Tensor, prior: Prior) -> Tensor:
        """Restore pictures with a prior.

        Args:
            image: (B, 3, H, W) of any size.
            prior: what `prior` gave, for this picture or another; where its frame has another size,
                it is resampled to the picture, extended to multiples of 4. A tile takes its part.
        """
        return self._restored(self._squares(image), prior, (image.shape[-2], image.shape[-1]))

    def _restored(self, squares: Tensor, prior: Prior, size: tuple[int, int]) -> Tensor:
        fitted = resample_prior(prior, (squares.shape[-2], squares.shape[-1]))
        restored: Tensor = self.restorer(squares, fitted)
        if self.step > 1:
            restored = pixel_shuffle(restored, self.step)
        return restored[..., : size[0], : size[1]]

    def _squares(self, image: Tensor) -> Tensor:
        """Extend pictures to whole squares of pixels, which become channels."""
        if self.step == 1:
            return _extended(image)
        whole = pad_to_multiple(image, _MULTIPLE * self.step)
        if self.blind_wiener is not None:
            change = self.blind_wiener(whole)
            whole = torch.cat((whole + change, change), dim=1)
        return pixel_unshuffle(whole, self.step)

    def unblurred(self, image: Tensor) -> float | None:
        """Say how likely it is that nothing blurred a picture; None where there is no filter."""
        if self.blind_wiener is None:
            return None
        with torch.no_grad():
            here = image.to(self.blind_wiener.first.weight.device)
            return float(self.blind_wiener.unblurred(here).mean())

    def forward(self, image: Tensor) -> Tensor:
        """Restore pictures (B, 3, H, W) of any size, the prior estimated from themselves.

        Raises:
            ParameterError: The network was made for priors from calibration pairs.
        """
        if not self.blind:
            raise ParameterError(
                "image alone is not enough for a calibrated network: call prior(sharp, blurred) "
                "once, then restore(image, prior)"
            )
        squares = self._squares(image)
        size = (image.shape[-2], image.shape[-1])
        return self._restored(squares, self.estimator(squares), size)


def resample_prior(prior: Prior, size: tuple[int, int]) -> Prior:
    """Resample a prior bilinearly to the frame of a picture.

    Args:
        prior: d at full, half and quarter resolution of any frame.
        size: (height, width) of the picture, multiples of 4.

    Example:
        >>> prior = DPE(blocks=1)(torch.zeros(1, 3, 8, 12))
        >>> [tuple(level.shape[-2:]) for level in resample_prior(prior, (16, 20))]
        [(16, 20), (8, 10), (4, 5)]
    """
    fine, middle, coarse = (
        _resized(each, (size[0] // 2**level, size[1] // 2**level))
        for level, each in enumerate(prior)
    )
    return fine, middle, coarse


def _resized(features: Tensor, size: tuple[int, int]) -> Tensor:
    if features.shape[-2:] == size:
        return features
    return interpolate(features, size=size, mode="bilinear", align_corners=False)


def _extended(image: Tensor) -> Tensor:
    """Reflect below and to the right up to multiples of 4.

    What `pad_to_multiple` gives, for this multiple in steps without a condition on the size, so
    that an exported network takes any.
    """
    for axis in (2, 3):
        length = image.shape[axis]
        place = torch.arange((length + 3) // 4 * 4, device=image.device)
        back = (2 * (length - 1) - place).abs()
        image = image.index_select(axis, torch.minimum(place, back).clamp(max=length - 1))
    return image


def _count_blocks(shapes: Shapes, part: str) -> int:
    """Count the residual blocks of a part's finest module."""
    entry = re.compile(rf"{part}\.encoder\.refine\.0\.blocks\.\d+\.first\.weight")
    return sum(entry.fullmatch(name) is not None for name in shapes)
