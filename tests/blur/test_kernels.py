import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unblur.blur import kernels
from unblur.blur.shake import trajectory
from unblur.errors import KernelError, ParameterError

angles = st.floats(-400, 400)


def moments(kernel):
    """Mass, mean (x, y up) and covariance of a kernel."""
    pixels = kernel.pixels.double().numpy()
    rows, columns = np.indices(pixels.shape)
    x, y = columns - pixels.shape[1] // 2, pixels.shape[0] // 2 - rows
    mass = pixels.sum()
    mean = np.array([(x * pixels).sum(), (y * pixels).sum()]) / mass
    spread = np.stack((x - mean[0], y - mean[1]))
    return mass, mean, np.einsum("ahw,bhw,hw->ab", spread, spread, pixels) / mass


def sampled(inside, side, factor):
    """The share of each pixel where `inside(x, y up)` holds, by brute force."""
    fine = (np.arange(side * factor) + 0.5) / factor - side / 2
    x, y = np.meshgrid(fine, -fine)
    return inside(x, y).reshape(side, factor, side, factor).mean((1, 3))


@given(st.floats(0, 60), angles)
def test_motion_has_mass_one_and_lies_symmetric(length, angle):
    kernel = kernels.motion(length, angle)
    mass, mean, _ = moments(kernel)
    assert mass == pytest.approx(1, abs=1e-6)
    assert np.abs(mean).max() < 1e-4
    assert all(side % 2 for side in kernel.size)
    assert max(kernel.size) <= length + 2


@given(st.floats(0.1, 40), st.floats(0, 180))
def test_motion_of_mirrored_angles_is_mirrored(length, angle):
    kernel = kernels.motion(length, angle)
    assert torch.allclose(kernels.motion(length, -angle).pixels, kernel.pixels.flip(0), atol=1e-6)
    assert torch.allclose(kernels.motion(length, angle + 180).pixels, kernel.pixels, atol=1e-6)
    assert torch.allclose(
        kernels.motion(length, 90 - angle).pixels, kernel.pixels.T.flip(0, 1), atol=1e-6
    )


def test_motion_in_closed_form():
    assert torch.allclose(kernels.motion(3).pixels, torch.full((1, 3), 1 / 3))
    assert torch.allclose(
        kernels.motion(4).pixels, torch.tensor([[0.125, 0.25, 0.25, 0.25, 0.125]])
    )
    assert torch.equal(kernels.motion(5, 90).pixels, kernels.motion(5, 0).pixels.T)
    diagonal = kernels.motion(3 * np.sqrt(2), 45).pixels
    assert torch.allclose(diagonal, torch.eye(3).flip(1) / 3, atol=1e-6)
    for length in (0, 0.4, 1):
        assert kernels.motion(length).pixels.tolist() == [[1.0]]


@given(st.floats(1, 30), angles)
def test_motion_agrees_with_dense_samples_of_the_segment(length, angle):
    kernel = kernels.motion(length, angle)
    turn = np.radians(angle)
    way = np.linspace(-length / 2, length / 2, 40001)
    places = np.stack((-np.sin(turn) * way, np.cos(turn) * way))
    row, column = np.floor(places + 0.5).astype(int) + np.array(kernel.size)[:, None] // 2
    histogram = np.zeros(kernel.size)
    keep = (row >= 0) & (row < kernel.size[0]) & (column >= 0) & (column < kernel.size[1])
    np.add.at(histogram, (row[keep], column[keep]), 1 / way.size)
    # At right angles the path may run along the border of two pixels within rounding.
    assert np.abs(histogram - kernel.pixels.numpy()).sum() < 2e-3 + 2 * (1 - keep.mean())


@given(st.floats(1, 30), angles)
def test_the_angle_is_counter_clockwise_from_the_x_axis(length, angle):
    _, _, covariance = moments(kernels.motion(length + 10, angle))
    values, vectors = np.linalg.eigh(covariance)
    direction = vectors[:, 1]
    turn = np.radians(angle)
    assert abs(direction @ np.array([np.cos(turn), np.sin(turn)])) > 0.996
    assert values[1] == pytest.approx((length + 10) ** 2 / 12, rel=0.05, abs=0.3)


@pytest.mark.parametrize("radius", [0.3, 0.5, 0.8, 1, 2, 2.5, 3.7, 8.25])
def test_disk_is_the_area_of_the_circle_in_each_pixel(radius):
    kernel = kernels.disk(radius)
    side = kernel.size[0]
    expected = sampled(lambda x, y: x**2 + y**2 <= radius**2, side, 100)
    assert np.abs(kernel.pixels.numpy() - expected / (np.pi * radius**2)).max() < 2e-3
    assert kernel.size == (side, side)
    assert torch.allclose(kernel.pixels, torch.rot90(kernel.pixels), atol=1e-7)
    assert torch.allclose(kernel.pixels, kernel.pixels.flip(1), atol=1e-7)
    _, _, covariance = moments(kernel)
    # The variance of the disc and of the pixel add up where the circle covers its pixels whole.
    if radius >= 2:
        assert covariance[0, 0] == pytest.approx(radius**2 / 4 + 1 / 12, rel=4e-2)


def test_a_disk_pixel_that_is_covered_holds_its_share_of_the_circle():
    assert float(kernels.disk(10).pixels[10, 10]) == pytest.approx(1 / (np.pi * 100), rel=1e-6)


@pytest.mark.parametrize(
    ("blades", "rotation"), [(3, 0), (4, 45), (5, 90), (6, 10), (9, 33), (32, 5)]
)
def test_a_bladed_aperture_is_the_area_of_the_polygon(blades, rotation):
    radius = 6.3
    kernel = kernels.disk(radius, blades, rotation)

    def inside(x, y):
        apothem = radius * np.cos(np.pi / blades)
        middles = np.radians(rotation) + (2 * np.arange(blades) + 1) * np.pi / blades
        return np.all([x * np.cos(m) + y * np.sin(m) <= apothem for m in middles], axis=0)

    expected = sampled(inside, kernel.size[0], 60)
    assert np.abs(kernel.pixels.numpy() - expected / expected.sum()).max() < 3e-4


def test_many_blades_come_near_the_disk():
    difference = kernels.disk(9, 32).crop(19).pixels - kernels.disk(9).crop(19).pixels
    assert float(difference.abs().sum()) < 0.02


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.0, 2.7, 6.0])
def test_gaussian_has_the_moments_of_gaussian_and_pixel(sigma):
    mass, mean, covariance = moments(kernels.gaussian(sigma))
    assert mass == pytest.approx(1)
    assert np.abs(mean).max() < 1e-6
    if sigma >= 1:
        assert np.allclose(covariance, np.eye(2) * (sigma**2 + 1 / 12), rtol=5e-3)


@given(st.floats(0.8, 6), st.floats(0.8, 6), angles)
@settings(max_examples=25)
def test_an_elliptical_gaussian_is_turned_counter_clockwise(sigma, other, angle):
    mass, mean, covariance = moments(kernels.gaussian(sigma, other, angle))
    turn = np.radians(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    expected = rotation @ np.diag([sigma**2, other**2]) @ rotation.T + np.eye(2) / 12
    assert mass == pytest.approx(1, abs=1e-6)
    assert np.abs(mean).max() < 1e-4
    assert np.allclose(covariance, expected, rtol=2e-2, atol=2e-2)


def test_the_two_ways_to_integrate_a_gaussian_agree():
    straight = kernels.gaussian(3, 1.2, 0)
    turned = kernels.gaussian(3, 1.2, 1e-7)
    assert torch.allclose(straight.pixels, turned.crop(straight.size).pixels, atol=1e-7)
    round_one = kernels.gaussian(2, 2, 37)
    assert torch.allclose(
        round_one.pixels, kernels.gaussian(2).crop(round_one.size).pixels, atol=1e-6
    )
    assert torch.allclose(
        kernels.gaussian(1, 3, 90).pixels, kernels.gaussian(3, 1, 0).pixels, atol=1e-7
    )


def test_a_thin_gaussian_is_a_line():
    _, _, covariance = moments(kernels.gaussian(4, 0, 30))
    values = np.linalg.eigvalsh(covariance)
    assert values[0] < 0.15
    assert values[1] == pytest.approx(16, rel=0.03)


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.motion(0),
        kernels.disk(0),
        kernels.disk(0, 5),
        kernels.disk(1e-9),
        kernels.gaussian(0),
        kernels.gaussian(0, 0, 30),
        kernels.identity(),
    ],
)
def test_nothing_is_the_identity(kernel):
    assert kernel.pixels.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kernels.motion(-1), "length must be a number from 0 to 2046 pixels; got -1"),
        (lambda: kernels.motion(float("nan")), "length .* got nan"),
        (lambda: kernels.motion(1e308), r"length .* got 1e\+308"),
        (lambda: kernels.motion("abc"), "length .* got 'abc'"),
        (lambda: kernels.motion(True), "length .* got True"),
        (lambda: kernels.motion(None), "length .* got None"),
        (lambda: kernels.motion(5, float("inf")), "angle must be a number .* degrees; got inf"),
        (lambda: kernels.disk(-0.1), "radius must be a number from 0 to 1023 pixels; got -0.1"),
        (lambda: kernels.disk(4, 2), "blades must be a whole number from 3 to 32; got 2"),
        (lambda: kernels.disk(4, 5.5), "blades .* got 5.5"),
        (lambda: kernels.disk(4, 5, "x"), "rotation .* got 'x'"),
        (lambda: kernels.gaussian(-1), "sigma must be a number from 0 to 255 pixels; got -1"),
        (lambda: kernels.gaussian(1, 1e9), "sigma_y must be a number"),
        (lambda: kernels.gaussian(1, 2, float("nan")), "angle"),
        (lambda: kernels.shake(20), "size must be odd.*got 20: use 19 or 21"),
        (lambda: kernels.shake(0), "size must be a whole number from 1 to 2047; got 0"),
        (lambda: kernels.shake(21, exposure=1.5), "exposure must be a number from 0 to 1; got 1.5"),
        (lambda: kernels.shake(21, anxiety=-1), "anxiety must be a number from 0 to 1; got -1"),
        (lambda: kernels.shake(21, seed=-1), "seed must be a whole number"),
        (lambda: kernels.shake(21, generator=3), "generator must be a torch.Generator; got int"),
        (lambda: kernels.from_points([[1, 2, 3]]), r"points must have shape \(N, 2\).*\(1, 3\)"),
        (lambda: kernels.from_points([]), "points must have shape"),
        (lambda: kernels.from_points("ab"), "points must be numbers"),
        (lambda: kernels.from_points([[0, np.nan]]), "points must be finite"),
        (lambda: kernels.from_points([[0, 0], [0, 5000]]), "points must lie within 2047 pixels"),
        (
            lambda: kernels.from_points([[0, 0], [0, 9]], size=5),
            "size must hold the path, which needs 9",
        ),
        (lambda: kernels.from_points([[0, 0], [0, 2]], size=4), "size must be odd"),
        (
            lambda: kernels.from_points([[5000, 0]], centred=False),
            "within 1023 pixels of the centre",
        ),
        (
            lambda: kernels.from_points([[0, 0], [0, 2]], weights=[1, 2]),
            r"weights must have one value per",
        ),
        (lambda: kernels.from_points([[0, 0], [0, 2]], weights=["x"]), "weights must be numbers"),
        (
            lambda: kernels.from_points([[0, 0], [0, 2]], weights=[-1]),
            "weights must be finite, not neg",
        ),
        (lambda: kernels.from_points([[0, 0], [0, 2]], weights=[0]), "not all zero"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_range(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_largest_kernels_can_be_made():
    assert kernels.motion(2046, 0).size == (1, 2047)
    assert kernels.from_points([[0, 0], [700, 900], [-300, 20]]).pixels.sum() == pytest.approx(1)


def test_parameters_are_on_record():
    assert kernels.motion(9, 30).record.parameters == {"length": 9.0, "angle": 30.0}
    assert kernels.motion(9, 30).record.method == "motion"
    assert kernels.disk(2, 5, 3).record.parameters == {"radius": 2.0, "blades": 5, "rotation": 3.0}
    assert kernels.gaussian(2).record.parameters == {"sigma": 2.0, "sigma_y": 2.0, "angle": 0.0}
    assert kernels.shake(9, seed=7).record.parameters["seed"] == 7
    assert kernels.from_image(np.ones((3, 3))).record.method == "image"
    assert kernels.from_points([[0, 0], [1, 1]]).record.method == "points"
    for kernel in (kernels.motion(9), kernels.disk(3), kernels.gaussian(1), kernels.shake(9)):
        assert kernel.record.to_json()


@given(st.integers(0, 2**40), st.floats(0.01, 1), st.floats(0, 1))
@settings(max_examples=20)
def test_a_shake_fits_its_box_and_is_centred(seed, exposure, anxiety):
    kernel = kernels.shake(21, exposure, anxiety, seed=seed)
    mass, mean, _ = moments(kernel)
    assert kernel.size == (21, 21)
    assert mass == pytest.approx(1, abs=1e-6)
    assert np.abs(mean).max() < 1e-4
    assert torch.equal(kernel.pixels, kernels.shake(21, exposure, anxiety, seed=seed).pixels)


def test_shakes_differ_by_seed_and_follow_a_generator():
    assert not torch.equal(kernels.shake(21, seed=1).pixels, kernels.shake(21, seed=2).pixels)
    generator = torch.Generator().manual_seed(1)
    first, second = kernels.shake(21, generator=generator), kernels.shake(21, generator=generator)
    assert torch.equal(first.pixels, kernels.shake(21, seed=1).pixels)
    assert not torch.equal(first.pixels, second.pixels)
    state = torch.random.get_rng_state()
    kernels.shake(21, seed=3)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_calm_shake_is_a_straight_line_and_no_exposure_is_no_blur():
    path = trajectory(20.0, 0.0, torch.Generator().manual_seed(5))
    assert np.linalg.norm(path[-1]) == pytest.approx(20)
    values = np.linalg.eigvalsh(moments(kernels.shake(31, anxiety=0, seed=5))[2])
    assert values[1] > 50 * values[0]
    assert float(kernels.shake(9, exposure=0).pixels[4, 4]) == 1
    assert kernels.shake(1).pixels.tolist() == [[1.0]]


def test_a_longer_exposure_blurs_more():
    spread = [np.trace(moments(kernels.shake(41, e, 0.3, seed=9))[2]) for e in (0.1, 0.3, 1.0)]
    assert spread[0] < spread[1] < spread[2]


def test_a_nervous_trajectory_stays_closer_than_a_calm_one():
    def reach(anxiety):
        paths = [trajectory(30.0, anxiety, torch.Generator().manual_seed(n)) for n in range(12)]
        return np.mean([np.ptp(path, axis=0).max() for path in paths])

    assert reach(1.0) < reach(0.3) < reach(0.0)
    steps = np.linalg.norm(np.diff(trajectory(30.0, 1.0, torch.Generator()), axis=0), axis=1)
    assert np.allclose(steps, 30 / 2000)


def test_a_drawn_path_is_weighted_by_time():
    corner = kernels.from_points([[0, 0], [0, 4], [3, 4]], centred=False)
    assert corner.size == (7, 9)
    assert float(corner.pixels[3, 4:].sum()) == pytest.approx(4.5 / 7)
    assert float(corner.pixels[4:, 8].sum()) == pytest.approx(2.5 / 7)
    timed = kernels.from_points([[0, 0], [0, 4], [3, 4]], weights=[9, 1], centred=False)
    assert float(timed.pixels[4:, 8].sum()) == pytest.approx(0.1 * 2.5 / 3)
    halves = kernels.from_points([[0, -2], [0, 0], [0, 2]], size=7)
    assert torch.allclose(halves.pixels[3:4, 1:6], kernels.motion(4).pixels)
    rest = kernels.from_points([[5.0, 5.0], [5.0, 5.0]])
    assert rest.pixels.tolist() == [[1.0]]
    assert kernels.from_points([[7, 7]]).pixels.tolist() == [[1.0]]


def test_a_path_moved_to_the_origin_does_not_depend_on_where_it_was_drawn():
    path = np.array([[0, 0], [3, 8], [9, 2.5]])
    assert torch.allclose(
        kernels.from_points(path).pixels, kernels.from_points(path + 400).pixels, atol=1e-6
    )
    before = path.copy()
    kernels.from_points(path)
    assert np.array_equal(path, before)


def test_from_image_is_checked_like_any_kernel():
    assert kernels.from_image(np.full((3, 3), 128, np.uint8)).pixels.sum() == pytest.approx(1)
    with pytest.raises(KernelError, match="grey"):
        kernels.from_image(np.ones((5, 5, 3)))
