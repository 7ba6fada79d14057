"""Defocus by depth: a disk at each pixel whose radius follows a map."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from unblur.blur.boundary import Boundary, check_boundary, extend, fold
from unblur.blur.checks import integer, real, size_pair
from unblur.blur.kernels import disk
from unblur.blur.operator import check_frame
from unblur.blur.record import Record
from unblur.errors import ParameterError
from unblur.fourier import fast_size, transfer_function

__all__ = ["Defocus", "LayeredDefocus", "random_depth"]

Size = tuple[int, int]

# Between two layers the blur is a mix of theirs; this far apart a mix is nearly a disk.
_STEP = 1.0
_LARGEST = 200.0


@dataclass(frozen=True, eq=False)
class Defocus:
    """A thin lens over a scene with depth: the circle of confusion grows away from the focus.

    `Defocus.of` checks; the constructor trusts.

    Attributes:
        depth: (h, w) of any resolution, in [0, 1], stretched over the frame.
        radius: of the circle of confusion one unit of depth away from the focus, pixels.
        focus: the depth that is sharp.
        blades: sides of the aperture; None for a circle.
        rotation: of the aperture, degrees.
        record: where it comes from.

    Example:
        >>> blur = Defocus.of(torch.tensor([[0.0, 1.0]]), 4, focus=0.0)
        >>> blur.radii((1, 4))
        tensor([[0., 1., 3., 4.]])
    """

    depth: Tensor
    radius: float
    focus: float = 0.5
    blades: int | None = None
    rotation: float = 0.0
    record: Record = field(default_factory=Record)

    @staticmethod
    def of(
        depth: Tensor,
        radius: float,
        focus: float = 0.5,
        blades: int | None = None,
        rotation: float = 0.0,
    ) -> "Defocus":
        """Check a depth map and an aperture, and join them.

        Raises:
            ParameterError: an argument is out of range.
        """
        if depth.ndim != 2 or depth.numel() == 0 or not bool(((depth >= 0) & (depth <= 1)).all()):
            raise ParameterError(
                f"depth must be a tensor (h, w) of values in [0, 1]; got {tuple(depth.shape)}"
            )
        parameters = {
            "radius": real("radius", radius, 0, _LARGEST, "pixels"),
            "focus": real("focus", focus, 0, 1),
            "blades": None if blades is None else integer("blades", blades, 3, 32),
            "rotation": real("rotation", rotation, -36000, 36000, "degrees"),
        }
        return Defocus(depth, radius, focus, blades, rotation, Record("depth", parameters))

    @property
    def channels(self) -> int:
        """1: all channels are blurred alike."""
        return 1

    def radii(self, size: Size) -> Tensor:
        """The radius of the circle of confusion at each pixel of a frame of `size`, (H, W)."""
        depth = interpolate(self.depth[None, None], size, mode="bilinear", align_corners=False)
        return (depth[0, 0] - self.focus).abs() * self.radius

    def operator(self, size: Size, boundary: Boundary = "periodic") -> "LayeredDefocus":
        """The blur of frames of `size` as a linear map with adjoint.

        Raises:
            ParameterError: `size` or `boundary` is not known.
        """
        check_boundary(boundary)
        size = size_pair("size", size)
        radii = self.radii(size)
        largest = float(radii.max())
        # The next whole layer, so that nearly equal maps share their disks.
        count = math.ceil(largest / _STEP) + 1
        disks = [disk(_STEP * n, self.blades, self.rotation) for n in range(count)]
        side = disks[-1].size
        kernels = torch.stack([each.crop(side).pixels for each in disks]).to(radii)
        # The share of layer n falls linearly from 1 at its own radius to 0 at its neighbours'.
        place = radii / _STEP - torch.arange(count).to(radii)[:, None, None]
        return LayeredDefocus.of(kernels, (1 - place.abs()).clamp(min=0), size, boundary)


@dataclass(frozen=True, eq=False)
class LayeredDefocus:
    """A u = sum over layers n of w_n (k_n * u) with weights (n, H, W) of sum 1.

    Each pixel takes the blur of its own radius. Light is not kept from spreading over edges of
    depth, so the map should be smooth.

    Attributes:
        spectra: of the disks, (n, h', w' // 2 + 1).
        weights: (n, H, W).
        margin: the disks' reach, (vertical, horizontal).
        size: (height, width) of the frame.
        boundary: what lies outside.
        fft_size: (h', w') of the transforms.
    """

    spectra: Tensor
    weights: Tensor
    margin: Size
    size: Size
    boundary: Boundary
    fft_size: Size

    @staticmethod
    def of(kernels: Tensor, weights: Tensor, size: Size, boundary: Boundary) -> "LayeredDefocus":
        """Prepare it for `kernels` (n, h, w) with odd sides."""
        margin = (kernels.shape[-2] // 2, kernels.shape[-1] // 2)
        fft_size = (fast_size(size[0] + 2 * margin[0]), fast_size(size[1] + 2 * margin[1]))
        spectra = transfer_function(kernels, fft_size)
        return LayeredDefocus(spectra, weights, margin, size, boundary, fft_size)

    def forward(self, image: Tensor) -> Tensor:
        """A u, of the shape of `image` (B, C, H, W).

        Raises:
            InputError: `image` has another size.
        """
        check_frame(image, self.size, 1)
        (top, left), (height, width) = self.margin, self.size
        spectrum = torch.fft.rfft2(extend(image, self.margin, self.boundary), s=self.fft_size)
        result = torch.zeros_like(image)
        for transfer, weight in zip(self.spectra, self.weights, strict=True):
            layer = torch.fft.irfft2(spectrum * transfer, s=self.fft_size)
            result += (layer[..., top : top + height, left : left + width] * weight).to(image.dtype)
        return result

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u, of the shape of `image` (B, C, H, W).

        Raises:
            InputError: `image` has another size.
        """
        check_frame(image, self.size, 1)
        (top, left), (height, width) = self.margin, self.size
        total = torch.zeros((), dtype=self.spectra.dtype, device=image.device)
        for transfer, weight in zip(self.spectra, self.weights, strict=True):
            placed = pad(image * weight, (left, left, top, top))
            total = total + torch.fft.rfft2(placed, s=self.fft_size) * transfer.conj()
        spread = torch.fft.irfft2(total, s=self.fft_size)
        spread = spread[..., : height + 2 * top, : width + 2 * left]
        return fold(spread, self.margin, self.boundary).to(image.dtype)


def random_depth(generator: torch.Generator) -> Tensor:
    """A smooth random landscape, (32, 32) in [0, 1]: a slope and a few hills.

    Example:
        >>> depth = random_depth(torch.Generator().manual_seed(0))
        >>> depth.shape, float(depth.min()), float(depth.max())
        (torch.Size([32, 32]), 0.0, 1.0)
    """
    lots = torch.rand(4 * 4 + 2, generator=generator, device=generator.device).cpu()
    hills = interpolate(lots[:16].reshape(1, 1, 4, 4), (32, 32), mode="bicubic")[0, 0]
    ramp = torch.linspace(-1, 1, 32)
    slope = (2 * lots[16] - 1) * ramp[:, None] + (2 * lots[17] - 1) * ramp[None, :]
    depth = hills + slope
    depth = depth - depth.min()
    return depth / depth.max()
