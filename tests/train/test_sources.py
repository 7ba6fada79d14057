"""Examples: the same picture, blur and cut for the same generator, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unblur.blur.synthesis import Synthesis
from unblur.blur.synthesis.pipeline import convolve_each
from unblur.datasets import Pair, folder, sharp
from unblur.errors import InputError
from unblur.train.batch import Batch, Crops, join
from unblur.train.sources import Pairs, Sharp, Shelf, hold_out

CLEAN = Synthesis(
    margin=6,
    shares={"motion": 1},
    motion=(5, 9),
    linear=False,
    tone=0,
    highlights=0,
    noise=0,
    levels=0,
    jpeg=0,
    bank=1,
)

SIZES = ((1, 3, 4, 8), (1, 3, 8, 4))


def chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_sharp_crop_is_blurred_by_its_kernel(sharp_folder: Path) -> None:
    source = Sharp(list(sharp(sharp_folder)), CLEAN)
    crops = source.example(3, 20, chance(1))
    batch = crops.render()
    assert batch.sharp.shape == batch.blurred.shape == (1, 3, 20, 20)
    wanted = convolve_each(crops.pictures.float() / 255, batch.kernels, 6)
    assert torch.allclose(batch.blurred, wanted, atol=1e-5)
    assert batch.kernels.sum().item() == pytest.approx(1, abs=1e-5)
    again = source.example(3, 20, chance(1)).render()
    assert torch.equal(again.blurred, batch.blurred)
    assert not torch.equal(source.example(3, 20, chance(2)).render().sharp, batch.sharp)


def test_without_augmentation_it_is_the_middle(sharp_folder: Path) -> None:
    source = Sharp(list(sharp(sharp_folder)), CLEAN, augment=False)
    batch = source.example(0, 20, chance(1)).render()
    picture = np.asarray(Image.open(sharp_folder / "0.png"), np.float32) / 255
    middle = torch.from_numpy(picture[10:30, 14:34]).permute(2, 0, 1)
    assert torch.allclose(batch.sharp[0], middle, atol=1e-6)
    # Patch 0 is the largest square: 40 rows less two margins of 6.
    assert source.example(0, 0, chance(1)).render().sharp.shape == (1, 3, 28, 28)


def test_a_reference_has_the_same_blur_on_another_picture(sharp_folder: Path) -> None:
    source = Sharp(list(sharp(sharp_folder)), CLEAN, calibrate=True)
    crops = source.example(2, 20, chance(8))
    batch = crops.render()
    assert batch.reference is not None
    first, second = batch.reference
    assert not torch.equal(first, batch.sharp)
    wanted = convolve_each(crops.others.float() / 255, batch.kernels, 6)
    assert torch.allclose(second, wanted, atol=1e-5)


def test_both_pictures_of_a_pair_are_cut_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 128, (30, 40, 3), np.uint8)
    for kind, values in (("input", picture), ("target", picture + 100)):
        (tmp_path / kind).mkdir()
        Image.fromarray(values).save(tmp_path / kind / "a.png")
    source = Pairs(list(folder(tmp_path)))
    seen = set()
    for seed in range(12):
        batch = source.example(0, 16, chance(seed))
        assert torch.allclose(batch.sharp - batch.blurred, torch.tensor(100 / 255), atol=1e-6)
        seen.add(batch.blurred.sum().item())
    assert len(seen) == 12
    assert source.example(0, 0, chance(0)).blurred.shape in {(1, 3, 30, 40), (1, 3, 40, 30)}
    scaled = Pairs(list(folder(tmp_path)), augment=False, side=8).example(0, 0, chance(0))
    assert scaled.blurred.shape == (1, 3, 8, 8)


def test_pictures_that_are_too_small_are_named(sharp_folder: Path) -> None:
    source = Sharp(list(sharp(sharp_folder)), CLEAN)
    with pytest.raises(InputError, match=r"0.png has 48 x 40 pixels, and crops need 76"):
        source.example(0, 64, chance(0))


def test_pairs_of_two_sizes_are_refused(tmp_path: Path) -> None:
    for kind, size in (("input", (20, 20)), ("target", (20, 24))):
        (tmp_path / kind).mkdir()
        Image.new("RGB", size).save(tmp_path / kind / "a.png")
    pairs = list(folder(tmp_path))
    with pytest.raises(InputError, match=r"a: blurred .* differ in size"):
        Pairs(pairs).example(0, 8, chance(0))
    assert Pairs(pairs, side=16).example(0, 8, chance(0)).sharp.shape == (1, 3, 8, 8)


def test_a_grey_picture_of_16_bits_becomes_three_planes(tmp_path: Path) -> None:
    values = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    Image.fromarray(values).save(tmp_path / "grey.png")
    [pair] = sharp(tmp_path)
    picture = Shelf(1).sharp(pair)
    assert picture.shape == (1, 3, 20, 30)
    assert picture[0, 2].numpy() == pytest.approx(values / 65535, abs=1e-6)


def test_a_shelf_keeps_no_more_than_fits(sharp_folder: Path) -> None:
    shelf = Shelf(1)
    size = 3 * 40 * 48
    shelf.room = 2 * size
    pairs = list(sharp(sharp_folder))
    for pair in pairs[:4]:
        shelf.sharp(pair)
    assert [key[1] for key in shelf.kept] == [pair.name for pair in pairs[:2]]
    assert shelf.room == 0


@pytest.mark.parametrize("by_group", [False, True])
def test_held_out_pictures_are_no_longer_trained_with(by_group: bool) -> None:
    pairs = [Pair(str(n), Path("x"), group=str(n // 4)) for n in range(20)]
    left, kept = hold_out(pairs, 5, chance(0), by_group=by_group)
    assert sorted((*left, *kept), key=lambda pair: int(pair.name)) == pairs
    assert len(kept) == (8 if by_group else 5)
    if by_group:
        assert not {pair.group for pair in kept} & {pair.group for pair in left}
    with pytest.raises(InputError, match="leave none to train with"):
        hold_out(pairs, 20, chance(0), by_group=by_group)


def test_batches_join_with_all_they_have(sharp_folder: Path) -> None:
    source = Sharp(list(sharp(sharp_folder)), CLEAN, calibrate=True)
    crops = [source.example(n, 16, chance(n)) for n in range(3)]
    late: Batch = join(crops).render()
    early: Batch = join([each.render() for each in crops])
    assert isinstance(join(crops), Crops)
    assert late.names == early.names == tuple(f"{n}.png" for n in range(3))
    assert len(late.plans) == 3
    assert torch.allclose(late.blurred, early.blurred, atol=1e-6)
    assert torch.allclose(late.reference[1], early.reference[1], atol=1e-6)


def test_pictures_of_two_sizes_are_no_batch() -> None:
    wide, tall = (Batch(torch.zeros(size), torch.zeros(size), ("a",)) for size in SIZES)
    with pytest.raises(InputError, match="must have one size, got 4 x 8, 8 x 4"):
        join([wide, tall])
