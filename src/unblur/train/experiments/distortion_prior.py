"""The experiment of the distortion prior's paper: without it, with a uniform one, with all of it.

Source: I. Kim et al., Image Deblurring using Deep Multi-Scale Distortion Prior, 2021, figure 5.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import seed_everything
from torch import Tensor
from typing_extensions import override

from unblur.errors import ParameterError
from unblur.metrics import psnr
from unblur.nets.dpanet import DPANet
from unblur.nets.dpe import Prior
from unblur.nets.weights import load_network
from unblur.train.batch import Batch
from unblur.train.experiments.lenses import examples, read_lens
from unblur.train.experiments.showing import Table, save_panels, save_table
from unblur.train.experiments.still import InMemory, Still
from unblur.train.restoration import Restoration
from unblur.train.run import fit
from unblur.train.settings import Keeping

__all__ = ["PRIORS", "Recipe", "compare", "regions", "run", "train"]

Say = Callable[[str], None]
Pair = tuple[Tensor, Tensor]

# Distances from the centre of the frame, 1 in the corners.
_CENTRE, _PERIPHERY = 0.4, 0.7
_SHOWN = 3
# Frames to validate with.
_KEPT = 16


@dataclass(frozen=True)
class Recipe:
    """How the three are trained, all alike.

    Attributes:
        steps: of each.
        batch: frames in a step.
        side: of the frames, pixels; each is the whole frame of a lens.
        frames: how many are made to train with.
        width: channels of DPA-Net's finest level.
        blocks: residual blocks of its modules.
        noise_std: of the noise of photographs and charts.
        lr: the learning rate at its height.
        seed: of all that is random.
        accelerator: of Lightning's trainer.
    """

    steps: int = 20_000
    batch: int = 8
    side: int = 96
    frames: int = 4000
    width: int = 16
    blocks: int = 4
    noise_std: float = 0.01
    lr: float = 1e-3
    seed: int = 0
    accelerator: str = "auto"


def _none(network: DPANet, pair: Pair) -> Prior:
    """Zeros: prior attention becomes the same for every picture and place."""
    blurred = pair[1]
    height, width = ((side + 3) // 4 * 4 for side in blurred.shape[-2:])
    fine, middle, coarse = (
        blurred.new_zeros(1, network.width * 2**n, height // 2**n, width // 2**n) for n in range(3)
    )
    return fine, middle, coarse


def _uniform(network: DPANet, pair: Pair) -> Prior:
    """The mean of the prior over the frame, everywhere."""
    fine, middle, coarse = (
        level.mean((2, 3), keepdim=True).expand_as(level) for level in network.prior(*pair)
    )
    return fine, middle, coarse


def _varying(network: DPANet, pair: Pair) -> Prior:
    """The prior as it is estimated."""
    return network.prior(*pair)


# What the restorer attends to, given a sharp and a blurred chart.
PRIORS: Mapping[str, Callable[[DPANet, Pair], Prior]] = {
    "none": _none,
    "uniform": _uniform,
    "varying": _varying,
}


def _chart_of(batch: Batch) -> Pair:
    if batch.reference is None:
        raise ParameterError("the distortion prior needs a chart beside each picture")
    return batch.reference


class _Contender(Restoration):
    """DPA-Net with one of the priors."""

    def __init__(self, prior: str, recipe: Recipe) -> None:
        depth = {"blocks": recipe.blocks, "prior_blocks": recipe.blocks}
        super().__init__(
            "dpanet",
            arguments={"width": recipe.width, **depth, "blind": False},
            loss="charbonnier",
            lr=recipe.lr,
            warmup=min(50, recipe.steps // 10),
            scores=("psnr",),
        )
        self.prior = PRIORS[prior]

    @override
    def outputs(self, batch: Batch) -> Sequence[Tensor]:
        network: Any = self.network
        levels: Sequence[Tensor] = network.restorer.levels(
            batch.blurred, self.prior(network, _chart_of(batch))
        )
        return levels if self.training else levels[:1]


def train(
    prior: str,
    frames: Still,
    kept: Still,
    folder: Path,
    recipe: Recipe,
    *,
    resume: bool = False,
    say: Say | None = None,
) -> Path:
    """Train DPA-Net with one prior, and give the file of its weights.

    Raises:
        ParameterError: There is no such prior.
        Stopped: A signal came; the run can go on later.
    """
    if prior not in PRIORS:
        raise ParameterError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
    seed_everything(recipe.seed, verbose=False)
    often = min(max(recipe.steps // 8, 10), recipe.steps)
    return fit(
        _Contender(prior, recipe),
        InMemory(frames, kept, name="lenses", batch=recipe.batch, seed=recipe.seed),
        folder=folder,
        trainer={
            "max_steps": recipe.steps,
            "val_check_interval": often,
            "gradient_clip_val": 1.0,
            "accelerator": recipe.accelerator,
            "devices": 1,
        },
        keep=Keeping(every=often, checkpoints=1, figures=max(often // 2, 1), pictures=4, ema=0),
        resume=resume,
        say=say,
    )


def regions(size: tuple[int, int]) -> dict[str, Tensor]:
    """The pixels (H, W) of the centre, of the periphery, and of the whole frame.

    The distance r of a pixel from the centre of the frame is 1 in the corners, and counts alike
    along both sides: the centre is r < 0.4, the periphery r > 0.7.

    Example:
        >>> found = regions((40, 60))
        >>> {name: round(float(mask.float().mean()), 2) for name, mask in found.items()}
        {'centre': 0.25, 'periphery': 0.23, 'whole': 1.0}
    """
    y, x = ((torch.arange(side) + 0.5) * 2 / side - 1 for side in size)
    distance = ((y[:, None].square() + x.square()) / 2).sqrt()
    return {
        "centre": distance < _CENTRE,
        "periphery": distance > _PERIPHERY,
        "whole": torch.ones(size, dtype=torch.bool),
    }


def compare(weights: Mapping[str, Path], tests: Mapping[str, Still], folder: Path) -> Table:
    """Restore the tests with each network, and give the table: a row a test and prior.

    PSNR is that of the pixels of a region, and the mean over pictures. The folder gets table.csv,
    and for each test a PNG with corners of pictures: the input, a column a prior, and the truth.

    Args:
        weights: of each prior.
        tests: frames, by what they are called.
        folder: for the table and the pictures.
    """
    table = []
    networks: dict[str, Any] = {name: load_network(path) for name, path in weights.items()}
    for test, frames in tests.items():
        pairs = frames.batch
        results = {"input": pairs.blurred}
        for prior, network in networks.items():
            results[prior] = torch.cat([_restored(network, prior, part) for part in _each(frames)])
        masks = regions((pairs.sharp.shape[-2], pairs.sharp.shape[-1]))
        for name, result in results.items():
            row: dict[str, str | float] = {"lens": test, "prior": name}
            for region, mask in masks.items():
                inside = (result[..., None, mask], pairs.sharp[..., None, mask])
                row[region] = float(psnr(*inside).mean())
            table.append(row)
        columns = [*results.values(), pairs.sharp]
        side = min(64, *pairs.sharp.shape[-2:])
        save_panels(
            [
                [column[n, :, :side, :side] for column in columns]
                for n in range(min(_SHOWN, len(frames)))
            ],
            folder / f"{test}.png",
            zoom=3,
        )
    save_table(table, folder / "table.csv")
    return table


def _each(frames: Still) -> list[Batch]:
    return [frames.part([n]).batch for n in range(len(frames))]


def _restored(network: Any, prior: str, frame: Batch) -> Tensor:
    pair = _chart_of(frame)
    with torch.inference_mode():
        restored: Tensor = network.restore(frame.blurred, PRIORS[prior](network, pair))
    return restored.clamp(0, 1)


def run(
    root: Path,
    folder: Path,
    recipe: Recipe | None = None,
    *,
    tests: Path | None = None,
    lens: Path | None = None,
    count: int = 16,
    resume: bool = False,
    say: Say | None = None,
) -> Table:
    """Train the three on random lenses, and compare them; gives the table of `compare`.

    Args:
        root: sharp pictures to train with.
        folder: for all of it: one folder a prior as of `unblur train`, the table, the pictures.
        recipe: of the training.
        tests: other sharp pictures, to compare with; those of `root` if not given.
        lens: measured kernels of a lens, as `read_lens` takes them, to compare with too.
        count: pictures to compare with.
        resume: go on from the last checkpoints in the folder.
        say: prints a line.

    Raises:
        InputError: A folder or a file is not what it should be.
        Stopped: A signal came; the experiment can go on later.
    """
    recipe = recipe or Recipe()
    shared: dict[str, Any] = {"size": (recipe.side, recipe.side), "noise_std": recipe.noise_std}
    frames = examples(root, recipe.frames, seed=recipe.seed, **shared)
    kept = examples(root, _KEPT, seed=recipe.seed + 1, **shared)
    weights = {}
    for prior in PRIORS:
        if say is not None:
            say(f"prior: {prior}")
        weights[prior] = train(
            prior,
            Still(frames.batch, augment=True),
            kept,
            folder / prior,
            recipe,
            resume=resume,
            say=say,
        )
    shared["seed"] = recipe.seed + 2
    compared = {"equation-16": examples(tests or root, count, only_distortion=True, **shared)}
    if lens is not None:
        # A measured lens has its kernels for a frame of 3 : 2 or so, and for many more pixels.
        shared["size"] = (2 * recipe.side // 4 * 4, 3 * recipe.side // 4 * 4)
        measured = read_lens(lens).resize(0.5)
        compared["measured"] = examples(tests or root, count, lens=measured, **shared)
    return compare(weights, compared, folder)
