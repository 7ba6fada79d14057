"""The experiment of the autoencoder's paper: 100 epochs, under two protocols of validation.

Source: O. Kashmar, Image Deblurring, 2024, section 5 and appendix.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import seed_everything
from torch import Tensor
from torchmetrics import MeanMetric
from typing_extensions import override

from unblur.errors import ParameterError
from unblur.nets.weights import load_network
from unblur.train.batch import Batch
from unblur.train.curves import read_rows
from unblur.train.experiments.showing import Lines, Table, draw_lines, save_panels, save_table
from unblur.train.experiments.still import InMemory, Still
from unblur.train.restoration import Restoration
from unblur.train.run import fit
from unblur.train.scores import SCORES
from unblur.train.settings import Keeping

__all__ = ["PROTOCOLS", "Recipe", "run", "split"]

PROTOCOLS = ("appendix", "held-out")

_ACCURACY = "dominant-channel-accuracy"
_SCORES = {"accuracy": _ACCURACY, "psnr": "psnr", "ssim": "ssim"}
_SHOWN = 3

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """How the network is trained; the defaults are the paper's.

    Attributes:
        epochs: how many.
        stops: epochs that the table shows.
        batch: pairs in a step.
        width: channels of the first layer.
        latent: numbers in the code.
        seed: of the weights, the order and the defocus.
        accelerator: of Lightning's trainer.
    """

    epochs: int = 100
    stops: tuple[int, ...] = (10, 50, 100)
    batch: int = 32
    width: int = 64
    latent: int = 256
    seed: int = 21
    accelerator: str = "auto"


def split(count: int, protocol: str) -> tuple[list[int], list[int], list[int]]:
    """Which pairs are trained with, validated with, and tested with.

    The appendix draws a fifth by `train_test_split(test_size=0.2, random_state=42)`, but then
    trains with all pairs and validates with all. Held out, that fifth is not trained with: its
    first half validates (and so steers the learning rate), the rest tests. The pairs that test are
    the same under both protocols.

    Args:
        count: how many pairs there are.
        protocol: of `PROTOCOLS`.

    Raises:
        ParameterError: There is no such protocol, or there are too few pairs.

    Example:
        >>> [len(part) for part in split(350, "held-out")]
        [280, 35, 35]
        >>> [len(part) for part in split(350, "appendix")]
        [350, 350, 35]
    """
    if protocol not in PROTOCOLS:
        raise ParameterError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    apart = math.ceil(count / 5)
    if apart < 2:
        raise ParameterError(f"6 pairs are needed at least, so that some can be held out: {count}")
    order = np.random.RandomState(42).permutation(count).tolist()
    test = order[apart // 2 : apart]
    if protocol == "appendix":
        return list(range(count)), list(range(count)), test
    return order[apart:], order[: apart // 2], test


class _Watched(Restoration):
    """The autoencoder, with its accuracy in training and its scores on the pairs that test."""

    def __init__(self, tests: Still, recipe: Recipe) -> None:
        super().__init__(
            "autoencoder",
            arguments={"width": recipe.width, "latent": recipe.latent},
            loss="mse",
            lr=1e-3,
            eps=1e-7,
            schedule="plateau",
            factor=math.sqrt(0.1),
            # The fifth epoch without an improvement reduces the rate, as in Keras.
            patience=4,
            lr_min=0.5e-6,
            scores=(_ACCURACY,),
        )
        self.tests = tests
        for name in ("accuracy", *(f"test_{score}" for score in _SCORES)):
            self.meters[name] = MeanMetric()

    @override
    def outputs(self, batch: Batch) -> Sequence[Tensor]:
        found = super().outputs(batch)
        if self.training:
            accuracy = SCORES[_ACCURACY](found[0].detach(), batch.sharp)
            self._note("accuracy", accuracy.mean(), len(accuracy))
        return found

    @override
    def on_validation_epoch_end(self) -> None:
        for n in range(len(self.tests)):
            pair = self.tests.part([n]).batch.to(self.device)
            restored = self.outputs(pair)[0].float()
            for name, score in _SCORES.items():
                self._note(f"test_{name}", SCORES[score](restored, pair.sharp).mean(), 1)
        super().on_validation_epoch_end()


def run(
    pairs: Still,
    folder: Path,
    recipe: Recipe | None = None,
    *,
    protocols: Sequence[str] = PROTOCOLS,
    resume: bool = False,
    say: Say | None = None,
) -> Table:
    """Train under each protocol, and give the table: one row a protocol and epoch.

    Accuracies are `dominant_channel_accuracy`: that of training is the mean over the steps of the
    epoch, as Keras prints it. PSNR and SSIM are means over the pairs that test. The folder gets
    table.csv, curves.png, predicted.png (input, the output under each protocol, truth: pairs
    that the held-out network has not seen, then pairs that both have), and for each protocol a
    folder as of `unblur train`, with curves.csv and weights.

    Args:
        pairs: of `prepare`.
        folder: for all of it.
        recipe: of the training; the paper's if not given.
        protocols: of `PROTOCOLS`, in this order.
        resume: go on from the last checkpoints in the folder.
        say: prints a line.

    Raises:
        ParameterError: A protocol is not known, or there are too few pairs.
        Stopped: A signal came; the experiment can go on later.
    """
    recipe = recipe or Recipe()
    table: list[dict[str, str | float]] = [_inputs(pairs)]
    panels: dict[str, Lines] = {}
    weights = []
    for protocol in protocols:
        train, kept, tests = (pairs.part(places) for places in split(len(pairs), protocol))
        steps = max(round(len(train) / recipe.batch), 1)
        place = folder / protocol
        if say is not None:
            say(f"protocol {protocol}: {steps} steps in each of {recipe.epochs} epochs")
        _train(train, kept, tests, recipe, place, resume=resume, say=say)
        epochs = _epochs(place / "curves.csv", steps)
        table += [_row(protocol, n, epochs[n]) for n in recipe.stops if n in epochs]
        panels |= _panels(protocol, epochs)
        weights.append(place / "weights.safetensors")
    save_table(table, folder / "table.csv")
    draw_lines(panels, folder / "curves.png", x="epoch")
    save_panels(_predicted(weights, pairs), folder / "predicted.png", zoom=2)
    return table


def _train(
    train: Still,
    kept: Still,
    tests: Still,
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool,
    say: Say | None,
) -> None:
    steps = max(round(len(train) / recipe.batch), 1)
    seed_everything(recipe.seed, verbose=False)
    fit(
        _Watched(tests, recipe),
        InMemory(train, kept, name=folder.name, batch=recipe.batch, seed=recipe.seed),
        folder=folder,
        trainer={
            "max_steps": recipe.epochs * steps,
            "val_check_interval": steps,
            "accelerator": recipe.accelerator,
            "devices": 1,
        },
        keep=Keeping(every=10 * steps, checkpoints=1, figures=steps, pictures=0, ema=0),
        resume=resume,
        say=say,
    )


def _epochs(path: Path, steps: int) -> dict[int, dict[str, float]]:
    """What the curves say of each epoch."""
    found: dict[int, dict[str, float]] = {}
    for row in read_rows(path):
        found.setdefault(int(row["step"]) // steps, {}).update(row)
    return found


def _inputs(pairs: Still) -> dict[str, str | float]:
    """The row of the defocused pictures themselves: what doing nothing scores."""
    tests = pairs.part(split(len(pairs), "held-out")[2]).batch
    values = {
        name: float(SCORES[score](tests.blurred, tests.sharp).mean())
        for name, score in _SCORES.items()
    }
    every = float(SCORES[_ACCURACY](pairs.batch.blurred, pairs.batch.sharp).mean())
    return _line("input", 0, every, every, values)


def _row(protocol: str, epoch: int, figures: dict[str, float]) -> dict[str, str | float]:
    values = {name: figures[f"test_{name}"] for name in _SCORES}
    return _line(protocol, epoch, figures["accuracy"], figures[f"val_{_ACCURACY}"], values)


def _line(
    protocol: str, epoch: int, training: float, validation: float, test: dict[str, float]
) -> dict[str, str | float]:
    return {
        "protocol": protocol,
        "epochs": epoch,
        "training accuracy": training,
        "validation accuracy": validation,
        "testing accuracy": test["accuracy"],
        "PSNR": test["psnr"],
        "SSIM": test["ssim"],
    }


def _panels(protocol: str, epochs: dict[int, dict[str, float]]) -> dict[str, Lines]:
    names = {
        "loss": {"training": "loss", "validation": "val_loss"},
        "dominant channel": {
            "training": "accuracy",
            "validation": f"val_{_ACCURACY}",
            "testing": "test_accuracy",
        },
    }
    return {
        f"{protocol}: {title}": {
            label: (list(epochs), [figures[name] for figures in epochs.values()])
            for label, name in lines.items()
        }
        for title, lines in names.items()
    }


def _predicted(weights: Sequence[Path], pairs: Still) -> list[list[Tensor]]:
    """Input, the output of each network, and truth: held-out pairs that test, then trained ones."""
    networks: list[Any] = [load_network(path) for path in weights]
    train, _, test = split(len(pairs), "held-out")
    rows = []
    for place in (*test[:_SHOWN], *train[:_SHOWN]):
        pair = pairs.part([place]).batch
        with torch.inference_mode():
            outputs = [network.forward_tile(pair.blurred)[0] for network in networks]
        rows.append([pair.blurred[0], *outputs, pair.sharp[0]])
    return rows
