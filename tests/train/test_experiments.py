"""Experiments of papers at toy size: who validates whom, and whether the tables are right."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from unblur.blur.synthesis.lots import Lots
from unblur.errors import InputError, ParameterError
from unblur.nets.dpanet import DPANet
from unblur.nets.weights import load_network
from unblur.train.batch import Batch
from unblur.train.curves import read_rows
from unblur.train.experiments import autoencoder, distortion_prior
from unblur.train.experiments.defocused import prepare
from unblur.train.experiments.lenses import (
    aberrations,
    chart,
    distortion,
    examples,
    read_lens,
    seen,
)
from unblur.train.experiments.still import Still
from unblur.train.stream import generator_of

Command = Callable[..., Any]
SMALL = autoencoder.Recipe(epochs=2, stops=(1, 2), batch=4, width=1, latent=4, accelerator="cpu")
TOY = distortion_prior.Recipe(
    steps=10, batch=2, side=32, frames=4, width=2, blocks=1, accelerator="cpu"
)


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    """Ten triples with the layout of the blur data set."""
    root = tmp_path_factory.mktemp("kaggle")
    for kind, letter in (("sharp", "S"), ("defocused_blurred", "F"), ("motion_blurred", "M")):
        (root / kind).mkdir()
        for n in range(10):
            piece = np.roll(photograph, 9 * n, axis=1)
            if letter != "S":
                piece = (piece.astype(float) + np.roll(piece, 3, 0) + np.roll(piece, 3, 1)) / 3
            file = root / kind / f"{n}_CAMERA_{letter}.png"
            Image.fromarray(piece.astype(np.uint8)).save(file)
    return root


@pytest.fixture(scope="module")
def autoencoder_run(
    kaggle: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Still, Any]:
    folder = tmp_path_factory.mktemp("experiment")
    pairs = prepare(kaggle)
    return folder, pairs, autoencoder.run(pairs, folder, SMALL)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_pictures_are_scaled_as_keras_does(kaggle: Path) -> None:
    pairs = prepare(kaggle).batch
    assert pairs.names == tuple(str(n) for n in range(10))
    with Image.open(kaggle / "defocused_blurred" / "3_CAMERA_F.png") as file:
        # What `load_img` of Keras does with a target size and no interpolation.
        expected = np.asarray(file.resize((128, 128), Image.Resampling.NEAREST)) / np.float32(255)
    assert np.array_equal(pairs.blurred[3].permute(1, 2, 0).numpy(), expected)


def test_sharp_pictures_are_defocused(sharp_folder: Path) -> None:
    pairs = prepare(None, sharp_folder, count=4).batch
    assert pairs.names == ("0.png", "2.png", "5.png", "7.png")
    for blurred, sharp in zip(pairs.blurred, pairs.sharp, strict=True):
        assert blurred.diff(dim=2).abs().mean() < 0.7 * sharp.diff(dim=2).abs().mean()
        assert abs(float(blurred.mean() - sharp.mean())) < 0.03
    again = prepare(None, sharp_folder, count=4).batch
    assert torch.equal(again.blurred, pairs.blurred)
    with pytest.raises(ParameterError, match="give the folder"):
        prepare(None)


def test_the_appendix_validates_on_what_it_trains_with() -> None:
    train, kept, test = autoencoder.split(350, "appendix")
    assert train == kept == list(range(350))
    assert set(test) < set(train)
    train, kept, unseen = autoencoder.split(350, "held-out")
    assert unseen == test
    assert sorted(train + kept + unseen) == list(range(350))
    # What scikit-learn's train_test_split(test_size=0.2, random_state=42) holds out of ten.
    _, kept, test = autoencoder.split(10, "held-out")
    assert sorted(kept + test) == [1, 8]
    with pytest.raises(ParameterError, match="appendix, held-out"):
        autoencoder.split(350, "other")
    with pytest.raises(ParameterError, match="6 pairs"):
        autoencoder.split(5, "appendix")


def test_the_table_has_a_row_for_each_protocol_and_epoch(
    autoencoder_run: tuple[Path, Still, Any],
) -> None:
    folder, _, table = autoencoder_run
    rows = [(row["protocol"], row["epochs"]) for row in table]
    assert rows == [
        ("input", 0),
        ("appendix", 1),
        ("appendix", 2),
        ("held-out", 1),
        ("held-out", 2),
    ]
    assert [list(row.values()) for row in read(folder / "table.csv")] == [
        [str(value) for value in row.values()] for row in table
    ]
    for picture in ("curves.png", "predicted.png"):
        with Image.open(folder / picture) as file:
            assert file.size > (500, 300)
    # One test pair and three of training: input, two outputs, truth, twice as large.
    with Image.open(folder / "predicted.png") as file:
        assert file.size == (2 * (4 * 132 - 4), 2 * (4 * 132 - 4))


def test_the_scores_are_those_of_the_weights(autoencoder_run: tuple[Path, Still, Any]) -> None:
    """What the table says of the last epoch, by scikit-image and NumPy, from the weights."""
    folder, pairs, table = autoencoder_run
    for protocol, row in (("appendix", table[2]), ("held-out", table[4])):
        network: Any = load_network(folder / protocol / "weights.safetensors")
        parts = [pairs.part(places).batch for places in autoencoder.split(10, protocol)]
        found = []
        for part in parts[1:]:
            with torch.inference_mode():
                restored = network.forward_tile(part.blurred).permute(0, 2, 3, 1).numpy()
            found.append((restored, part.sharp.permute(0, 2, 3, 1).numpy()))
        for name, (restored, truth) in zip(
            ("validation accuracy", "testing accuracy"), found, strict=True
        ):
            share = np.mean(restored.argmax(-1) == truth.argmax(-1))
            assert row[name] == pytest.approx(share, abs=1e-4)
        restored, truth = found[1]
        assert len(truth) == 1
        assert row["PSNR"] == pytest.approx(
            peak_signal_noise_ratio(truth[0], restored[0], data_range=1), abs=1e-3
        )
        similarity = structural_similarity(
            truth[0],
            restored[0],
            channel_axis=2,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert row["SSIM"] == pytest.approx(similarity, abs=2e-3)
        losses = [
            line["val_loss"]
            for line in read_rows(folder / protocol / "curves.csv")
            if "val_loss" in line
        ]
        restored, truth = found[0]
        assert losses[-1] == pytest.approx(np.mean((restored - truth) ** 2), rel=1e-4)


def test_doing_nothing_is_the_first_row(autoencoder_run: tuple[Path, Still, Any]) -> None:
    _, pairs, table = autoencoder_run
    blurred, sharp = (each.numpy() for each in (pairs.batch.blurred, pairs.batch.sharp))
    assert table[0]["training accuracy"] == pytest.approx(
        np.mean(blurred.argmax(1) == sharp.argmax(1)), abs=1e-6
    )


def test_turned_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, 8, 8, generator=generator)
    pairs = Batch(picture, picture + 1, ("a",), reference=(picture + 2, picture + 3))
    source = Still(pairs, augment=True)
    seen_ones = set()
    for n in range(40):
        found = source.example(0, 0, generator_of(0, n))
        assert found.reference is not None
        torch.testing.assert_close(found.sharp, found.blurred + 1)
        torch.testing.assert_close(found.reference[0], found.blurred + 2)
        torch.testing.assert_close(found.reference[1], found.blurred + 3)
        seen_ones.add(tuple(found.blurred.flatten().tolist()))
    assert len(seen_ones) == 8


def test_lenses_are_sharp_in_the_middle() -> None:
    """Impulses in the middle and in a corner: the second is spread more."""
    for n in range(6):
        lots = Lots(generator_of(3, n))
        for draw in (distortion, aberrations):
            blur = draw((65, 65), lots)
            peaks = []
            for place in (32, 8):
                picture = torch.zeros(1, 3, 65, 65)
                picture[..., place, place] = 1
                blurred = blur(picture)
                # Stretching moves light about: it is kept about, not exactly.
                assert float(blurred.sum() / 3) == pytest.approx(1, rel=0.35)
                peaks.append(float(blurred.max()))
            assert peaks[0] > peaks[1]


def test_the_chart_is_seen_through_the_same_lens() -> None:
    lots = Lots(generator_of(0, 0))
    board = chart((9, 12), lots)
    assert set(board.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(board[..., 0:8:2, :], board[..., 1:9:2, :])
    found = seen(torch.full((1, 3, 9, 12), 0.25), lambda pictures: pictures / 2, 0.0, lots, "grey")
    assert found.reference is not None
    assert torch.equal(found.blurred, found.sharp / 2)
    assert torch.equal(found.reference[1], found.reference[0] / 2)


def test_measured_kernels(tmp_path: Path) -> None:
    kernels = np.random.default_rng(0).random((2, 3, 5, 5, 3)).astype(np.float16)
    np.save(tmp_path / "lens.npy", kernels)
    field = read_lens(tmp_path / "lens.npy")
    assert (field.grid, field.channels, field.kernel_size) == ((2, 3), 3, (5, 5))
    green = kernels[1, 2, :, :, 1].astype(np.float64)
    torch.testing.assert_close(
        field.kernels[1, 2, 1], torch.from_numpy(green / green.sum()).float(), rtol=0, atol=1e-4
    )
    np.save(tmp_path / "flat.npy", kernels[0, 0, 0])
    for name in ("flat.npy", "none.npy"):
        with pytest.raises(InputError, match=name):
            read_lens(tmp_path / name)


def test_priors() -> None:
    network = DPANet(width=2, blocks=1, prior_blocks=1, blind=False)
    pair = (torch.rand(1, 3, 10, 14), torch.rand(1, 3, 10, 14))
    none, uniform, varying = (make(network, pair) for make in distortion_prior.PRIORS.values())
    for zeros, flat, level in zip(none, uniform, varying, strict=True):
        assert zeros.shape == flat.shape == level.shape
        assert not zeros.any()
        assert bool((level != level[..., :1, :1]).any())
        torch.testing.assert_close(flat, level.mean((2, 3), keepdim=True).expand_as(level))
    # Without a prior the restorer does the same to any chart.
    other = distortion_prior.PRIORS["none"](network, (pair[1], pair[0]))
    assert all(torch.equal(one, two) for one, two in zip(none, other, strict=True))


def test_regions_of_the_frame() -> None:
    found = distortion_prior.regions((31, 50))
    y, x = np.mgrid[:31, :50]
    distance = np.hypot((y + 0.5) / 15.5 - 1, (x + 0.5) / 25 - 1) / np.sqrt(2)
    assert np.array_equal(found["centre"].numpy(), distance < 0.4)
    assert np.array_equal(found["periphery"].numpy(), distance > 0.7)
    assert found["whole"].all()


def test_the_comparison(sharp_folder: Path, tmp_path: Path) -> None:
    """Three networks and a table, whose figures NumPy finds too."""
    np.save(tmp_path / "lens.npy", np.ones((2, 2, 3, 3), np.float32))
    table = distortion_prior.run(
        sharp_folder, tmp_path / "out", TOY, lens=tmp_path / "lens.npy", count=2
    )
    assert [(row["lens"], row["prior"]) for row in table] == [
        (lens, prior)
        for lens in ("equation-16", "measured")
        for prior in ("input", "none", "uniform", "varying")
    ]
    assert len(read(tmp_path / "out" / "table.csv")) == 8
    tests = examples(sharp_folder, 2, size=(32, 32), noise_std=0.01, seed=2, only_distortion=True)
    mask = distortion_prior.regions((32, 32))["periphery"].numpy()
    network: Any = load_network(tmp_path / "out" / "varying" / "weights.safetensors")
    expected = {"input": [], "varying": []}
    for n in range(2):
        frame = tests.part([n]).batch
        assert frame.reference is not None
        with torch.inference_mode():
            restored = network.restore(frame.blurred, network.prior(*frame.reference))
        for name, picture in (("input", frame.blurred), ("varying", restored.clamp(0, 1))):
            error = (picture - frame.sharp)[0].numpy()[:, mask].astype(np.float64)
            expected[name].append(-10 * np.log10(np.mean(error**2)))
    assert table[0]["periphery"] == pytest.approx(np.mean(expected["input"]), abs=1e-3)
    assert table[3]["periphery"] == pytest.approx(np.mean(expected["varying"]), abs=1e-3)
    with Image.open(tmp_path / "out" / "equation-16.png") as file:
        # Input, three priors, truth; corners of 32 pixels, three times as large.
        assert file.size == (3 * (5 * 36 - 4), 3 * (2 * 36 - 4))


def test_no_such_prior(sharp_folder: Path, tmp_path: Path) -> None:
    frames = examples(sharp_folder, 1, size=(32, 32), noise_std=0.01, seed=0)
    with pytest.raises(ParameterError, match="none, uniform, varying"):
        distortion_prior.train("some", frames, frames, tmp_path, TOY)


def test_the_commands(command: Command, kaggle: Path, sharp_folder: Path, tmp_path: Path) -> None:
    options = ["--epochs", 1, "--width", 1, "--latent", 2, "--accelerator", "cpu", "--quiet"]
    answer = command("experiment", "autoencoder", "--data", kaggle, "-o", tmp_path / "a", *options)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("| protocol | epochs | training accuracy |")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| input", "| appendix", "| held-out"]
    options = ["--steps", 10, "--side", 32, "--frames", 2, "--width", 2, "--blocks", 1]
    answer = command(
        "experiment", "distortion-prior", sharp_folder, "-o", tmp_path / "b", *options, "--quiet"
    )
    assert answer.code == 0, answer.err
    assert [line.split(" | ")[1] for line in answer.out.splitlines()[2:]] == [
        "input",
        "none",
        "uniform",
        "varying",
    ]
    answer = command("experiment", "autoencoder", "-o", tmp_path / "c")
    assert (answer.code, answer.out) == (2, "")
    assert "give the folder of the blur data set" in answer.err
