"""What a deconvolution gives, as examples: made once, kept on disk, cut into patches."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from unblur.blind import Settings, estimate
from unblur.blind.verdict import confidence
from unblur.blur.noise_level import estimate_noise
from unblur.blur.synthesis import Sample, render
from unblur.blur.synthesis.lots import Lots
from unblur.deconvolve.deep_wiener import evidence
from unblur.errors import ParameterError
from unblur.files import write_whole
from unblur.train.batch import Batch
from unblur.train.kernels import displaced, displacement, near_miss
from unblur.train.sources import Sharp
from unblur.train.stream import generator_of

__all__ = ["Deconvolution", "Deconvolved"]

# As the method takes them: rounding to 8 bits, the error that any kernel leaves, white.
_LEAST_NOISE, _KERNEL_ERROR, _WHITE = 1.2e-3, 0.003, 254 / 255
# Estimates trusted less are refused by the method too; and what lies farther off is no answer.
_TRUST, _FAR = 0.3, 12.0
_UNIFORM = {"shake", "motion", "disk", "gaussian"}


@dataclass(frozen=True)
class Deconvolution:
    """How pairs become what a deconvolution gives.

    Attributes:
        folder: where finished crops are kept: several gigabytes for thousands.
        crops: how many are made to train with; each has other blur and noise.
        crop: side of a crop in pixels.
        wrong: share with a kernel that is not quite right.
        estimated: share with a kernel that `l0` estimates, which takes seconds each.
        encoded: share whose blur acts on display values, as solvers assume, not on light.
    """

    folder: str = "deconvolved"
    crops: int = 2000
    crop: int = 448
    wrong: float = 0.4
    estimated: float = 0.2
    encoded: float = 0.55


@dataclass(frozen=True)
class Deconvolved:
    """Crops of pictures, blurred by one kernel each and deconvolved by one that is right or nearly.

    A crop is a function of its number, the settings and the seed alone. Who needs one that is not
    in the folder makes it, so that all workers of a loader prepare the data side by side.

    Attributes:
        sharp: the pictures and their synthesis; blurs must be uniform.
        settings: of the deconvolution.
        name: of the part: its files begin with it.
        count: of the crops.
        seed: of what is random about them.
        augment: turn, mirror, mix the colours, and take patches anywhere.
    """

    sharp: Sharp
    settings: Deconvolution
    name: str
    count: int
    seed: int = 0
    augment: bool = True

    def __post_init__(self) -> None:
        """Check that there is one kernel to deconvolve with.

        Raises:
            ParameterError: The synthesis draws blurs that vary over the picture.
        """
        kinds = self.sharp.settings.probabilities()
        if not _UNIFORM.issuperset(kinds):
            raise ParameterError(
                f"synthesis.shares must name uniform blurs only ({', '.join(sorted(_UNIFORM))}), "
                f"got {', '.join(kinds)}"
            )

    def __len__(self) -> int:
        return self.count

    def example(self, index: int, patch: int, generator: torch.Generator) -> Batch:
        """Cut a patch out of crop `index`; patch 0 takes it whole."""
        seen, sharp = self.crop(index)
        lots = Lots(generator)
        side = patch or sharp.shape[-1]
        spare = sharp.shape[-1] - side
        if spare < 0:
            raise ParameterError(f"patch must be at most the crop's {sharp.shape[-1]}, got {patch}")
        top, left = (lots.below(spare + 1) if self.augment else spare // 2 for _ in range(2))
        seen, sharp = (each[..., top : top + side, left : left + side] for each in (seen, sharp))
        if self.augment:
            colours = torch.randperm(3, generator=generator).tolist()
            turns, mirrored = lots.below(4), lots.chance(0.5)
            seen, sharp = (_turned(each, colours, turns, mirrored) for each in (seen, sharp))
        return Batch(seen[:, :3], sharp, (f"{self.name}-{index}",), evidence=seen)

    def crop(self, index: int) -> tuple[Tensor, Tensor]:
        """What the network sees of crop `index`, (1, 16, s, s), and the truth, (1, 3, s, s)."""
        path = Path(self.settings.folder) / f"{self.name}-{self.seed}-{index:06d}.safetensors"
        if not path.is_file():
            tensors = self._made(index)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Somebody else may have made the same meanwhile.
            write_whole(path, safetensors.torch.save(tensors), overwrite=True)
        kept = safetensors.torch.load_file(path)
        seen, sharp = kept["seen"].float(), kept["sharp"].float() / 255
        noise = kept["noise"].expand(1, 1, *seen.shape[-2:])
        return torch.cat([seen, noise], dim=1), sharp

    def _made(self, index: int) -> dict[str, Tensor]:
        for attempt in range(100):
            generator = generator_of(self.seed, index * 100 + attempt)
            found = self._tried(index, Lots(generator))
            if found is not None:
                return found
        raise ParameterError(f"no crop of picture {index} can be deconvolved: leave it out")

    def _tried(self, index: int, lots: Lots) -> dict[str, Tensor] | None:
        """Blur and deconvolve; None where the kernel that was found is none."""
        sample = self._blurred(index, lots)
        true = _trimmed(sample.kernels[0])
        blurred, sharp = sample.blurred, sample.sharp
        noise = max(float(estimate_noise(blurred)), _LEAST_NOISE)
        lot = lots.share()
        if lot < self.settings.estimated:
            found = estimate(blurred, Settings(), noise_std=noise)
            if confidence(found) < _TRUST:
                return None
            kernel = found.kernel
        elif lot < self.settings.estimated + self.settings.wrong:
            kernel = near_miss(true, lots)
        else:
            kernel = true
        if kernel is not true:
            off = displacement(kernel, true)
            if max(map(abs, off)) > _FAR:
                return None
            sharp = displaced(sharp[0], (-off[0], -off[1]))[None].clamp(0, 1)
        noise = math.hypot(noise, _KERNEL_ERROR)
        clipped = blurred >= _WHITE
        seen = evidence(
            blurred,
            kernel,
            noise_std=noise,
            clipped=clipped if bool(clipped.any()) else None,
        )
        return {
            "seen": seen[:, :-1].clamp(-4, 5).half().contiguous(),
            "sharp": (sharp * 255).round().to(torch.uint8).contiguous(),
            "noise": torch.tensor([[[[noise]]]]),
        }

    def _blurred(self, index: int, lots: Lots) -> Sample:
        settings = self.sharp.settings
        if lots.chance(self.settings.encoded):
            settings = replace(settings, linear=False, highlights=0.0)
        sharp = replace(self.sharp, settings=settings)
        crops = sharp.example(index % len(sharp), self.settings.crop, lots.generator)
        return render(crops.pictures, crops.plans, settings)


def _trimmed(kernel: Tensor) -> Tensor:
    """Without the rows and columns of zeros around it, its middle where it was."""
    side = kernel.shape[-1]
    rows, columns = (kernel.amax(axis).nonzero().flatten() for axis in (1, 0))
    reach = max(int((each - side // 2).abs().max()) for each in (rows, columns))
    inside = slice(side // 2 - reach, side // 2 + reach + 1)
    return kernel[inside, inside]


def _turned(picture: Tensor, colours: Sequence[int], turns: int, mirrored: bool) -> Tensor:
    """Turn and mirror, and mix the colours of each picture that its channels hold."""
    count = picture.shape[1] // 3 * 3
    order = [3 * start + colour for start in range(count // 3) for colour in colours]
    picture = picture[:, [*order, *range(count, picture.shape[1])]]
    picture = torch.rot90(picture, turns, (-2, -1))
    return (picture.flip(-1) if mirrored else picture).contiguous()
