"""The configurations that come along: each can be read, and a step of each can be taken."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unblur.errors import InputError
from unblur.nets.blind_wiener import HOP
from unblur.nets.inverses import WINDOW
from unblur.train.batch import Batch
from unblur.train.losses import multi_level
from unblur.train.names import CONFIGS, config_file
from unblur.train.settings import parse, parser

NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
# Narrow forms, for a step in no time.
NARROW = {
    "autoencoder": {"width": 1, "latent": 2},
    "mprnet": {"n_feat": 4, "scale_unetfeats": 1, "scale_orsnetfeats": 1},
    "dpanet": {"width": 2, "blocks": 1, "prior_blocks": 1},
    "nafnet": {"width": 4, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]},
    "deep-wiener": {"widths": [4, 4, 4], "blocks": [1, 1, 1]},
}


def test_the_named_ones_are_there() -> None:
    assert {
        "autoencoder-paper",
        "mprnet-paper",
        "dpanet-gopro",
        "dpanet-calibrated",
        "blind-wiener",
        "dpanet-general",
        "nafnet-general",
    } <= set(NAMES)
    with pytest.raises(InputError, match="no file dpanet-gorpo, and no configuration"):
        config_file("dpanet-gorpo")


def test_each_has_its_row_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    table = page.partition("## The configurations")[2].partition("## Data")[0]
    rows = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(rows) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_learns_from_a_batch(name: str) -> None:
    settings = parse(name, ["--data.root", "anywhere"])
    network = settings.model.network
    blind = not settings.data.calibrate
    arguments = NARROW[network] if blind else {**NARROW[network], "blind": False}
    settings.model.arguments = arguments
    built = parser().instantiate(settings)
    model = built.model
    generator = torch.Generator().manual_seed(0)
    sharp, blurred, first, second = torch.rand(4, 2, 3, 128, 128, generator=generator)
    seen = torch.rand(2, 16, 128, 128, generator=generator)
    reference = None if blind else (first, second)
    batch = Batch(blurred, sharp, ("a", "b"), reference=reference, evidence=seen)
    built.data.phases(built.trainer.max_steps)
    loss = multi_level(settings.model.loss, model.outputs(batch), batch.sharp)
    loss.backward()
    assert torch.isfinite(loss)
    learns = settings.model.learns
    for entry, parameter in model.network.named_parameters():
        assert (parameter.grad is not None) == (learns is None or entry.split(".")[0] in learns)
    model.eval()
    with torch.no_grad():
        assert model.outputs(batch)[0].shape == sharp.shape


@pytest.mark.parametrize("name", ["blind-wiener", "dpanet-general"])
def test_patches_are_as_large_as_what_a_spectrum_is_the_mean_over(name: str) -> None:
    data = parse(name, ["--data.root", "x"]).data
    assert data.patch >= WINDOW + 2 * HOP
    assert not data.progressive


def test_the_published_recipes_are_as_published() -> None:
    paper = parse("mprnet-paper", ["--data.root", "x"])
    assert paper.model.lr == 2e-4
    assert paper.model.lr_min == 1e-6
    assert paper.model.loss == "charbonnier-edge"
    epoch = 2103 / paper.data.batch
    assert paper.trainer.max_steps == pytest.approx(3000 * epoch, rel=1e-3)
    assert paper.model.warmup == pytest.approx(3 * epoch, abs=1)
    thesis = parse("autoencoder-paper", ["--data.root", "x"])
    assert thesis.model.factor == pytest.approx(0.1**0.5)
    assert thesis.model.lr_min == 0.5e-6
    assert thesis.data.batch == 32
    assert "dominant-channel-accuracy" in thesis.model.scores


def test_the_autoencoder_s_recipe_reads_its_archive(tmp_path: Path) -> None:
    for kind, letter in (("sharp", "S"), ("defocused_blurred", "F"), ("motion_blurred", "M")):
        (tmp_path / kind).mkdir()
        for n in range(4):
            picture = np.full((20, 30, 3), 40 * n, np.uint8)
            Image.fromarray(picture).save(tmp_path / kind / f"{n}_CAMERA_{letter}.png")
    settings = parse("autoencoder-paper", ["--data.root", str(tmp_path), "--data.held_out", "1"])
    data = parser().instantiate(settings).data
    train, kept = data.found
    assert (len(train), len(kept)) == (3, 1)
    example = train.example(0, settings.data.patch, torch.Generator().manual_seed(0))
    assert example.blurred.shape == (1, 3, 128, 128)
