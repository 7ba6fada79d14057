"""Crops that were deconvolved ahead of time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from unblur.blur.synthesis import Synthesis
from unblur.datasets import Pair
from unblur.deconvolve import local_wiener
from unblur.errors import ParameterError
from unblur.nets.deepwiener import DeepWiener
from unblur.photo import Photo, write
from unblur.train.batch import Batch, join
from unblur.train.deconvolved import Deconvolution, Deconvolved
from unblur.train.passes import through
from unblur.train.sources import Sharp

PLAIN = Synthesis(
    shares={"motion": 1.0}, margin=8, motion=(5, 5), tone=0, highlights=0, jpeg=0, bank=1
)


@pytest.fixture
def sharp(tmp_path: Path, photograph: np.ndarray) -> Sharp:
    path = tmp_path / "one.png"
    write(path, Photo.from_tensor(torch.from_numpy(photograph.copy()).permute(2, 0, 1) / 255))
    return Sharp([Pair("one", path, path)], PLAIN)


def source(sharp: Sharp, folder: Path, **settings: float) -> Deconvolved:
    options = {"wrong": 0.0, "estimated": 0.0, "encoded": 1.0, "crop": 64, **settings}
    return Deconvolved(sharp, Deconvolution(folder=str(folder), **options), "train", 4)


def some() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_a_crop_is_made_once_and_kept(sharp, tmp_path):
    made = source(sharp, tmp_path / "kept")
    seen, truth = made.crop(2)
    assert seen.shape == (1, 16, 64, 64)
    assert truth.shape == (1, 3, 64, 64)
    files = list((tmp_path / "kept").iterdir())
    assert [file.name for file in files] == ["train-0-000002.safetensors"]
    stamp = files[0].stat().st_mtime_ns
    again, _ = source(sharp, tmp_path / "kept").crop(2)
    assert torch.equal(seen, again)
    assert files[0].stat().st_mtime_ns == stamp


def test_a_crop_depends_on_its_number_alone(sharp, tmp_path):
    first = source(sharp, tmp_path / "a")
    first.crop(0)
    seen, other = first.crop(1)[0], source(sharp, tmp_path / "b").crop(1)[0]
    assert torch.equal(seen, other)
    assert not torch.equal(seen, first.crop(0)[0])


def test_the_right_kernel_brings_the_truth_back(sharp, tmp_path):
    seen, truth = source(sharp, tmp_path).crop(0)
    inside = (..., slice(12, -12), slice(12, -12))
    before, after = (
        float((each - truth)[inside].square().mean()) for each in (seen[:, 3:6], seen[:, :3])
    )
    assert after < before / 2


def test_a_wrong_kernel_leaves_more_unexplained(sharp, tmp_path):
    right, wrong = (
        source(sharp, tmp_path / str(share), wrong=share).crop(0)[0][:, 12:15].std()
        for share in (0.0, 1.0)
    )
    assert float(wrong) > float(right)


def test_patches_are_cut_alike_and_colours_mixed_alike(sharp, tmp_path):
    made = source(sharp, tmp_path)
    for seed in range(6):
        batch = made.example(0, 32, torch.Generator().manual_seed(seed))
        assert batch.evidence.shape == (1, 16, 32, 32)
        assert torch.equal(batch.blurred, batch.evidence[:, :3])
        # The classical result is nearer to the truth than to any other order of its colours.
        errors = [
            float((batch.blurred[:, list(order)] - batch.sharp).square().mean())
            for order in ([0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0])
        ]
        assert errors[0] == min(errors)


def test_batches_reach_the_network(sharp, tmp_path):
    made = source(sharp, tmp_path)
    batch = join([made.example(index, 32, some()) for index in range(2)])
    found = through(DeepWiener(widths=(4, 4, 4), blocks=(1, 1, 1)), batch)
    assert torch.equal(found[0], batch.blurred)
    with pytest.raises(ParameterError, match=r"data\.deconvolution"):
        through(DeepWiener(), Batch(batch.blurred, batch.sharp, ("a", "b")))


def test_blurs_that_vary_are_refused(sharp, tmp_path):
    varying = Sharp(sharp.pictures, Synthesis(shares={"lens": 1.0, "motion": 1.0}))
    with pytest.raises(ParameterError, match=r"synthesis\.shares.*lens"):
        source(varying, tmp_path)


def test_a_patch_larger_than_the_crop_is_refused(sharp, tmp_path):
    with pytest.raises(ParameterError, match="patch must be at most the crop's 64"):
        source(sharp, tmp_path).example(0, 96, some())


def test_the_classical_result_is_local_wiener(sharp, tmp_path):
    """From what is kept, up to the half precision that it is kept in."""
    seen, _ = source(sharp, tmp_path).crop(3)
    noise = float(seen[0, 15, 0, 0])
    assert 0.003 <= noise < 0.1
    sample = source(sharp, tmp_path)._blurred(3, lots_of(3))
    kernel = sample.kernels[0]
    wanted = local_wiener(sample.blurred, kernel, noise_std=noise)
    np.testing.assert_allclose(seen[0, :3, 12:-12, 12:-12], wanted[0, :, 12:-12, 12:-12], atol=0.02)


def lots_of(index: int):
    from unblur.blur.synthesis.lots import Lots
    from unblur.train.stream import generator_of

    return Lots(generator_of(0, index * 100))
