"""From sharp crops to training pairs: the stages in order, on whole batches, on any device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from unblur.blur.synthesis.camera import (
    expand_highlights,
    sensor_noise,
    to_light,
    to_values,
    tone,
    untone,
)
from unblur.blur.synthesis.compression import compress
from unblur.blur.synthesis.moving import average
from unblur.blur.synthesis.plan import Plan, draw
from unblur.blur.synthesis.settings import Synthesis
from unblur.errors import InputError, KernelError, NonFiniteInput
from unblur.fourier import fast_size, transfer_function

__all__ = ["Sample", "convolve_each", "render", "synthesise"]


@dataclass(frozen=True, eq=False)
class Sample:
    """Pairs of pictures, and what was done to them.

    Attributes:
        blurred: (B, 3, h, w) display-encoded, in [0, 1].
        sharp: the same without blur, noise and compression.
        kernels: (B, k, k) with k = 2 margin + 1: what blurred uniformly, or one point where nothing
            did; zeros where there is no one kernel.
        plans: all the numbers that were drawn, one a picture.
    """

    blurred: Tensor
    sharp: Tensor
    kernels: Tensor
    plans: tuple[Plan, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of blur of each pair."""
        return tuple(plan.kind for plan in self.plans)


def synthesise(pictures: Tensor, settings: Synthesis, generator: torch.Generator) -> Sample:
    """Make training pairs of sharp crops: `draw`, then `render`.

    Args:
        pictures: (B, 3, H, W) sharp, or (B, T, 3, H, W) consecutive sharp frames; sRGB as uint8 or
            as floats in [0, 1]. What comes out is smaller by `settings.margin` on every side.
        settings: what is possible.
        generator: the same state gives the same pairs. It is best on the CPU, wherever the pictures
            are.

    Raises:
        InputError: `pictures` are not such a tensor, or no larger than the margins.
        ParameterError: `settings` leave no kind to draw.

    Source:
        The stages are those of Rim et al., "Realistic blur synthesis for learning image deblurring"
        (RSBlur), 2022.

    Example:
        >>> crops = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
        >>> sample = synthesise(crops, Synthesis(bank=1), torch.Generator().manual_seed(1))
        >>> sample.blurred.shape, sample.sharp.shape, sample.kernels.shape
        (torch.Size([2, 3, 64, 64]), torch.Size([2, 3, 64, 64]), torch.Size([2, 65, 65]))
    """
    _check(pictures, settings.margin)
    height, width = (side - 2 * settings.margin for side in pictures.shape[-2:])
    frames = pictures.ndim == 5
    plans = draw(settings, len(pictures), (height, width), generator, frames=frames)
    return render(pictures, plans, settings)


def render(pictures: Tensor, plans: Sequence[Plan], settings: Synthesis) -> Sample:
    """Do to each of the pictures what its plan says; nothing here is random.

    Args:
        pictures: as for `synthesise`; of frames, all but the middle one serve the kind `frames`
            alone.
        plans: one a picture.
        settings: those that the plans were drawn with.

    Raises:
        InputError: as `synthesise`, or there are not as many plans as pictures.
    """
    _check(pictures, settings.margin)
    if len(plans) != len(pictures):
        raise InputError(f"plans must be one a picture: {len(pictures)}; got {len(plans)}")
    frames = pictures if pictures.ndim == 5 else pictures[:, None]
    if any(plan.kind == "frames" for plan in plans) and frames.shape[1] < 2:
        raise InputError("pictures must be (B, T, 3, H, W) with T > 1 for the kind 'frames'")
    values = _floats(frames[:, frames.shape[1] // 2])
    light = _light(values, plans, settings)
    margin = settings.margin
    sharp, clear = _cut(values, margin).clone(), _cut(light, margin)
    bright = [n for n, plan in enumerate(plans) if plan.boost > 1]
    if bright:
        # What is beyond white before the blur is white in the sharp picture too.
        sharp[bright] = _respond(clear[bright].clamp(0, 1), [plans[n] for n in bright], settings)
    blurred, kernels = _blur(frames, light, plans, settings)
    if settings.clip:
        blurred = blurred.clamp_(0, 1)
    blurred = _stored(_respond(_noisy(blurred, plans, settings), plans, settings), plans, settings)
    return Sample(blurred, sharp, kernels, tuple(plans))


def convolve_each(pictures: Tensor, kernels: Tensor, margin: int) -> Tensor:
    """Convolve each picture with its own kernel, where the whole kernel lies inside it.

    Args:
        pictures: (B, C, H, W).
        kernels: (B, k, k) with odd k up to 2 margin + 1.
        margin: pixels that are left out on every side.

    Returns:
        (B, C, H - 2 margin, W - 2 margin).

    Example:
        >>> kernels = torch.tensor([[[1.0, 0, 0], [0, 0, 0], [0, 0, 0]]])
        >>> picture = torch.arange(9.0).reshape(1, 1, 3, 3)
        >>> convolve_each(picture, kernels, 1).round()
        tensor([[[[8.]]]])
    """
    height, width = pictures.shape[-2:]
    # The circular convolution wraps into the margin alone.
    size = (fast_size(height), fast_size(width))
    spectrum = torch.fft.rfft2(pictures, s=size).mul_(transfer_function(kernels, size)[:, None])
    return _cut(torch.fft.irfft2(spectrum, s=size)[..., :height, :width], margin)


def _blur(
    frames: Tensor, light: Tensor, plans: Sequence[Plan], settings: Synthesis
) -> tuple[Tensor, Tensor]:
    """The blurred light of the patches, and the kernels of those that have one."""
    margin = settings.margin
    blurred = _cut(light, margin).clone()
    kernels = light.new_zeros(len(plans), 2 * margin + 1, 2 * margin + 1)
    for n, plan in enumerate(plans):
        if plan.kernel is not None:
            kernels[n] = _placed(plan.kernel, margin)
        elif plan.path is not None:
            blurred[n] = average(light[n], plan.path, margin)
        elif plan.defocus is not None:
            defocus = replace(plan.defocus, depth=plan.defocus.depth.to(light))
            operator = defocus.operator((light.shape[-2], light.shape[-1]), "replicate")
            blurred[n] = _cut(operator.forward(light[n : n + 1]), margin)[0]
        elif plan.kind == "frames":
            moments = _light(_floats(frames[n]), [plan] * frames.shape[1], settings)
            blurred[n] = _cut(moments, margin).mean(0)
        else:
            kernels[n, margin, margin] = 1
    uniform = [n for n, plan in enumerate(plans) if plan.kernel is not None]
    if uniform:
        blurred[uniform] = convolve_each(light[uniform], kernels[uniform], margin)
    return blurred, kernels


def _placed(kernel: Tensor, margin: int) -> Tensor:
    """The kernel in the middle of a square that reaches as far as the margin."""
    above, beside = (margin - side // 2 for side in kernel.shape)
    if above < 0 or beside < 0:
        raise KernelError(
            f"a plan's kernel must not be larger than 2 margin + 1 = {2 * margin + 1} pixels; got "
            f"{tuple(kernel.shape)}"
        )
    return pad(kernel, (beside, beside, above, above))


def _light(values: Tensor, plans: Sequence[Plan], settings: Synthesis) -> Tensor:
    """Undo the camera's response, and give highlights back."""
    if settings.linear:
        values = to_light(_toned(values, plans, untone))
    if all(plan.boost == 1 for plan in plans):
        return values
    boost = _column([plan.boost for plan in plans], values)
    return expand_highlights(values, boost, settings.threshold)


def _noisy(light: Tensor, plans: Sequence[Plan], settings: Synthesis) -> Tensor:
    chosen = [n for n, plan in enumerate(plans) if plan.gain > 0 or plan.read_std > 0]
    if chosen:
        light[chosen] = sensor_noise(
            light[chosen],
            _column([plans[n].gain for n in chosen], light),
            _column([plans[n].read_std for n in chosen], light),
            [plans[n].seed for n in chosen],
        )
    return light.clamp_(0, 1) if settings.clip else light


def _respond(light: Tensor, plans: Sequence[Plan], settings: Synthesis) -> Tensor:
    """What the camera makes of light."""
    return _toned(to_values(light), plans, tone) if settings.linear else light


def _toned(
    values: Tensor, plans: Sequence[Plan], curve: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    """Those with a tone curve of their own after `tone` or `untone`, the others as they are."""
    chosen = [n for n, plan in enumerate(plans) if (plan.brightness, plan.contrast) != (0, 1)]
    if not chosen:
        return values
    values = values.clone()
    brightness = _column([plans[n].brightness for n in chosen], values)
    contrast = _column([plans[n].contrast for n in chosen], values)
    values[chosen] = curve(values[chosen], brightness, contrast)
    return values


def _stored(values: Tensor, plans: Sequence[Plan], settings: Synthesis) -> Tensor:
    """Rounded, and compressed."""
    if settings.levels:
        values = (values * settings.levels).round_().div_(settings.levels)
    qualities = {n: plan.quality for n, plan in enumerate(plans) if plan.quality is not None}
    if qualities:
        chosen = list(qualities)
        values[chosen] = compress(values[chosen], torch.tensor(list(qualities.values())))
    return values


def _column(numbers: list[float], like: Tensor) -> Tensor:
    """One number a picture, (B, 1, 1, 1)."""
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None, None, None]


def _cut(pictures: Tensor, margin: int) -> Tensor:
    """Without the margin."""
    height, width = pictures.shape[-2:]
    return pictures[..., margin : height - margin, margin : width - margin]


def _floats(pictures: Tensor) -> Tensor:
    return pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures


def _check(pictures: Tensor, margin: int) -> None:
    known = pictures.dtype == torch.uint8 or pictures.is_floating_point()
    if not known or pictures.ndim not in (4, 5) or pictures.shape[-3] != 3:
        raise InputError(
            "pictures must be uint8 or floating point, (B, 3, H, W) or (B, T, 3, H, W); got "
            f"{pictures.dtype} {tuple(pictures.shape)}"
        )
    if 0 in pictures.shape or min(pictures.shape[-2:]) <= 2 * margin:
        raise InputError(
            f"pictures must be larger than their margins of {margin} pixels on every side; got "
            f"{tuple(pictures.shape)}"
        )
    if pictures.is_floating_point() and not bool(torch.isfinite(pictures).all()):
        raise NonFiniteInput(
            "pictures hold NaN or infinity: replace those first, as torch.nan_to_num does"
        )
