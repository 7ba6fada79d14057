"""A field's blur as a linear map, patch by patch."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.blur.boundary import Boundary, extend, fold
from unblur.blur.operator import check_frame
from unblur.blur.windows import Axis
from unblur.fourier import fast_size, transfer_function

__all__ = ["FieldOperator"]

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class FieldOperator:
    """A u = sum over cells p of w_p (k_p * u) for frames of one size; `Field.operator` builds it.

    Each window w_p is zero outside the neighbourhood of its cell, so k_p * u is only computed
    there: a patch of the frame, larger than the window by the kernel's reach, is convolved by FFT,
    cut to the window, weighted and added up. All patches have one size, and one row of cells runs
    as one batch. Time and memory grow linearly with the pixels of the frame.

    Attributes:
        spectra: of the kernels, (rows, columns, C, h', w' // 2 + 1), cells outside the frame left
            out.
        vertical: windows of the rows of cells.
        horizontal: windows of the columns of cells.
        margin: the kernels' reach, (vertical, horizontal).
        size: (height, width) of the frame.
        boundary: what lies outside.
        fft_size: (h', w') of the transforms.

    Source:
        Nagy & O'Leary, "Restoring images degraded by spatially variant blur", 1998.
    """

    spectra: Tensor
    vertical: Axis
    horizontal: Axis
    margin: Size
    size: Size
    boundary: Boundary
    fft_size: Size

    @staticmethod
    def of(
        kernels: Tensor, vertical: Axis, horizontal: Axis, size: Size, boundary: Boundary
    ) -> "FieldOperator":
        """Prepare the operator of `kernels` (rows, columns, C, h, w) under windows for `size`."""
        margin = (kernels.shape[-2] // 2, kernels.shape[-1] // 2)
        fft_size = (
            fast_size(vertical.length + 2 * margin[0]),
            fast_size(horizontal.length + 2 * margin[1]),
        )
        rows = [kernels[row][horizontal.cells] for row in vertical.cells]
        spectra = torch.stack([transfer_function(row, fft_size) for row in rows])
        return FieldOperator(spectra, vertical, horizontal, margin, size, boundary, fft_size)

    def forward(self, image: Tensor) -> Tensor:
        """A u, of the shape of `image` (B, C, H, W).

        Raises:
            InputError: `image` has another size, or not the field's channels.
        """
        check_frame(image, self.size, self.spectra.shape[2])
        (above, beside), (height, width) = self.margin, self._patch
        extended = extend(image, self.margin, self.boundary)
        result = torch.zeros_like(image)
        for row, top in enumerate(self.vertical.starts):
            band = extended[..., top : top + height + 2 * above, :]
            patches = torch.stack(
                [band[..., left : left + width + 2 * beside] for left in self.horizontal.starts]
            )
            blurred = self._multiply(patches, self.spectra[row])
            blurred = blurred[..., above : above + height, beside : beside + width]
            blurred = (blurred * self._weights(row)).to(image.dtype)
            for patch, left in zip(blurred, self.horizontal.starts, strict=True):
                result[..., top : top + height, left : left + width] += patch
        return result

    def adjoint(self, image: Tensor) -> Tensor:
        """A^T u, of the shape of `image` (B, C, H, W).

        Raises:
            InputError: `image` has another size, or not the field's channels.
        """
        check_frame(image, self.size, self.spectra.shape[2])
        (above, beside), (height, width) = self.margin, self._patch
        result = extend(torch.zeros_like(image), self.margin, "zero")
        for row, top in enumerate(self.vertical.starts):
            band = image[..., top : top + height, :]
            patches = torch.stack(
                [band[..., left : left + width] for left in self.horizontal.starts]
            )
            placed = pad(patches * self._weights(row), (beside, beside, above, above))
            spread = self._multiply(placed, self.spectra[row].conj())
            spread = spread[..., : height + 2 * above, : width + 2 * beside].to(image.dtype)
            for patch, left in zip(spread, self.horizontal.starts, strict=True):
                result[..., top : top + height + 2 * above, left : left + width + 2 * beside] += (
                    patch
                )
        return fold(result, self.margin, self.boundary)

    @property
    def _patch(self) -> Size:
        """(height, width) of every window."""
        return self.vertical.length, self.horizontal.length

    def _multiply(self, patches: Tensor, spectra: Tensor) -> Tensor:
        """Filter patches (columns, B, C, ., .) with spectra (columns, C, ., .)."""
        spectrum = torch.fft.rfft2(patches, s=self.fft_size) * spectra[:, None]
        filtered: Tensor = torch.fft.irfft2(spectrum, s=self.fft_size)
        return filtered

    def _weights(self, row: int) -> Tensor:
        """The windows of one row of cells, (columns, 1, 1, height, width)."""
        vertical = self.vertical.weights[row][None, :, None]
        return (vertical * self.horizontal.weights[:, None, :])[:, None, None]
