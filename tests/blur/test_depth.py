"""Defocus by depth."""

import pytest
import torch

from unblur.blur.depth import Defocus, random_depth
from unblur.blur.kernels import disk
from unblur.blur.operator import Convolution
from unblur.errors import ParameterError

SIZE = (40, 50)


def picture(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, *SIZE, generator=generator, dtype=torch.float64)


def test_a_flat_scene_is_blurred_by_one_disk() -> None:
    for radius, blades in ((3.0, None), (4.0, 6)):
        blur = Defocus.of(torch.ones(1, 1).double(), radius, 0.0, blades, 20.0)
        kernel = disk(radius, blades, 20.0).pixels.double()
        wanted = Convolution.of(kernel, SIZE, "reflect").forward(picture())
        found = blur.operator(SIZE, "reflect").forward(picture())
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_what_is_in_focus_stays_sharp_and_the_rest_does_not() -> None:
    blur = Defocus.of(torch.tensor([[0.0, 1.0]]), 6.0, focus=0.0)
    found = blur.operator(SIZE, "reflect").forward(picture().float())
    error = (found - picture().float()).abs().mean((0, 1, 2))
    assert float(error[:12].max()) < 1e-5
    assert float(error[-12:].min()) > 0.1


def test_between_two_layers_lies_a_mix_of_their_disks() -> None:
    """Radius 2.25 lies a quarter of the way from 2 to 3."""
    blur = Defocus.of(torch.ones(1, 1).double(), 2.25, 0.0).operator(SIZE, "reflect")
    parts = [
        Convolution.of(disk(radius).pixels.double(), SIZE, "reflect").forward(picture())
        for radius in (2.0, 3.0)
    ]
    wanted = parts[0] * 0.75 + parts[1] * 0.25
    torch.testing.assert_close(blur.forward(picture()), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("boundary", ["periodic", "zero", "replicate", "reflect"])
def test_the_adjoint_is_the_adjoint(boundary: str) -> None:
    depth = random_depth(torch.Generator().manual_seed(3)).double()
    blur = Defocus.of(depth, 7.0, 0.4, 5).operator(SIZE, boundary)  # type: ignore[arg-type]
    u, v = picture(1), picture(2)
    left, right = (blur.forward(u) * v).sum(), (u * blur.adjoint(v)).sum()
    assert float(left) == pytest.approx(float(right), rel=1e-9)


def test_light_is_kept_on_a_flat_picture() -> None:
    depth = random_depth(torch.Generator().manual_seed(4))
    flat = torch.full((1, 1, *SIZE), 0.7)
    found = Defocus.of(depth, 9.0).operator(SIZE, "replicate").forward(flat)
    torch.testing.assert_close(found, flat, rtol=0, atol=1e-5)


def test_random_depth_is_smooth_and_seeded() -> None:
    first, again, other = (random_depth(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (float(first.min()), float(first.max())) == (0, 1)
    assert float(first.diff(dim=0).abs().max()) < 0.2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((torch.ones(2, 2, 2), 3.0), "depth"),
        ((torch.full((2, 2), 1.5), 3.0), "depth"),
        ((torch.full((2, 2), float("nan")), 3.0), "depth"),
        ((torch.ones(2, 2), -1.0), "radius"),
        ((torch.ones(2, 2), 3.0, 2.0), "focus"),
        ((torch.ones(2, 2), 3.0, 0.5, 2), "blades"),
    ],
)
def test_what_is_refused(arguments: tuple[object, ...], name: str) -> None:
    with pytest.raises(ParameterError, match=name):
        Defocus.of(*arguments)  # type: ignore[arg-type]
