"""A moving camera, or a stretching lens: the mean of a picture seen through homographies.

Positions are (x, y) in pixels from the centre of the patch, y downwards. A path is (N, 3, 3): a
point p is seen at `path[t] p` at the moment t; all moments are equally long.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

__all__ = ["average", "lens_path", "reach", "turn_path"]

Size = tuple[int, int]
Point = tuple[float, float]

# Warped pictures held at once.
_CHUNK = 8
# At more than a pixel apart, the copies of a point would be told apart; longer paths are rare.
_MOST_MOMENTS = 128


def lens_path(
    angle: float, scales: Point, size: Size, centre: Point = (0.0, 0.0), *, centred: bool = False
) -> Tensor:
    """The path of eq. 16: x' = R^-1 T R x about the optical centre, T growing from the identity.

    M_t = I + t (R^-1 T R - I) with T = diag(scales), t from 0 to 1, or with `centred` from -1/2 to
    1/2. There is no blur at the optical centre.

    Args:
        angle: of the first axis of T, degrees counter-clockwise from the x axis.
        scales: of T, each above 0 and under 2.
        size: (height, width) of the patch, whose corners decide how many moments are needed.
        centre: where the optical centre lies.
        centred: whether the identity is in the middle of the path.

    Source:
        Kim 2021, "Image deblurring using deep multi-scale distortion prior", equation 16.

    Example:
        >>> path = lens_path(0, (1.1, 1.0), (1, 41))
        >>> (path[-1] @ torch.tensor([20.0, 0.0, 1.0])).tolist()
        [21.666667938232422, 0.0, 1.0]
    """
    turn = math.radians(angle)
    # Rows grow downwards: counter-clockwise on the screen is clockwise in these coordinates.
    along = torch.tensor([math.cos(turn), -math.sin(turn)], dtype=torch.float64)
    across = torch.tensor([math.sin(turn), math.cos(turn)], dtype=torch.float64)
    stretch = torch.zeros(3, 3, dtype=torch.float64)
    stretch[:2, :2] = (scales[0] - 1) * torch.outer(along, along)
    stretch[:2, :2] += (scales[1] - 1) * torch.outer(across, across)
    place = torch.tensor(centre, dtype=torch.float64)
    stretch[:2, 2] = -stretch[:2, :2] @ place
    longest = float((stretch @ _corners(size))[:2].norm(dim=0).max())
    moments = _moments(longest)
    times = (torch.arange(moments, dtype=torch.float64) + 0.5) / moments - 0.5 * centred
    return (torch.eye(3, dtype=torch.float64) + times[:, None, None] * stretch).float()


def turn_path(angles: Tensor, focal: float, size: Size, centre: Point = (0.0, 0.0)) -> Tensor:
    """The path of a camera that turns: K R K^-1 about the optical centre, K = diag(f, f, 1).

    Args:
        angles: (N, 3) over equal times: to the right, downwards, and clockwise; radians, small
            enough that their order does not matter.
        focal: length of the lens, pixels.
        size: (height, width) of the patch, whose corners decide how many moments are needed.
        centre: where the optical centre lies.

    Example:
        >>> path = turn_path(torch.tensor([[0.01, 0.0, 0.0]]), 1000.0, (9, 9))
        >>> seen = path[0] @ torch.tensor([0.0, 0.0, 1.0])
        >>> [round(float(value), 2) for value in seen[:2] / seen[2]]
        [10.0, 0.0]
    """
    whole = _turned(angles.double(), focal, centre)
    seen = _seen(whole, _corners(size))
    longest = float(seen.diff(dim=0).norm(dim=1).sum(0).max()) if len(angles) > 1 else 0.0
    count = min(_moments(longest), len(angles))
    chosen = ((torch.arange(count) + 0.5) / count * len(angles)).long()
    return whole[chosen].float()


def reach(path: Tensor, size: Size) -> float:
    """How far from a patch's pixel, along an axis, the blur along `path` looks, in pixels."""
    corners = _corners(size)
    seen = _seen(torch.linalg.inv(path.double()), corners)
    return float((seen - corners[:2]).abs().max())


def average(picture: Tensor, path: Tensor, margin: int) -> Tensor:
    """The mean of what is seen along the path: v(x) = mean over t of u(path[t]^-1 x).

    Args:
        picture: (C, H, W); interpolated linearly, and continued by its edge pixels.
        path: (N, 3, 3) about the centre of the picture.
        margin: pixels on each side that are not wanted.

    Returns:
        (C, H - 2 margin, W - 2 margin).

    Example:
        >>> row = torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]])
        >>> shift = torch.eye(3).repeat(2, 1, 1)
        >>> shift[1, 0, 2] = 1.0
        >>> average(row, shift, 0).tolist()
        [[[0.0, 0.0, 0.5, 0.5, 0.0]]]
    """
    channels, height, width = picture.shape
    back = torch.linalg.inv(path.double()).to(picture)
    rows, columns = height - 2 * margin, width - 2 * margin
    y = (torch.arange(rows, device=picture.device) - (rows - 1) / 2).to(picture)[:, None]
    x = (torch.arange(columns, device=picture.device) - (columns - 1) / 2).to(picture)
    # Positions in units of half the picture, as grid_sample wants them.
    half = torch.tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2]).to(picture)
    total = picture.new_zeros(channels, rows, columns)
    for part in back.split(_CHUNK):
        a, b, c = (part[:, row, :, None, None].unbind(1) for row in range(3))
        depth = c[0] * x + c[1] * y + c[2]
        place = ((a[0] * x + a[1] * y + a[2]) / depth, (b[0] * x + b[1] * y + b[2]) / depth)
        grid = torch.stack(place, -1) / half
        seen = grid_sample(
            picture.expand(len(part), -1, -1, -1), grid, padding_mode="border", align_corners=True
        )
        total += seen.sum(0)
    return total / len(path)


def _turned(angles: Tensor, focal: float, centre: Point) -> Tensor:
    """(N, 3, 3) homographies, double precision."""
    right, down, clockwise = angles.unbind(1)
    zero = torch.zeros_like(right)
    # The small rotation's generator; its exponential is the rotation.
    turn = torch.stack(
        [
            torch.stack([zero, -clockwise, right], -1),
            torch.stack([clockwise, zero, down], -1),
            torch.stack([-right, -down, zero], -1),
        ],
        -2,
    )
    lens = torch.diag(torch.tensor([focal, focal, 1.0], dtype=torch.float64))
    lens[:2, 2] = torch.tensor(centre, dtype=torch.float64)
    turned: Tensor = lens @ torch.linalg.matrix_exp(turn) @ torch.linalg.inv(lens)
    return turned


def _seen(path: Tensor, points: Tensor) -> Tensor:
    """(N, 2, P): where each of the points (3, P) is seen."""
    moved = path @ points
    return moved[:, :2] / moved[:, 2:]


def _corners(size: Size) -> Tensor:
    """The outermost corners of the patch, (3, 4) homogeneous."""
    y, x = size[0] / 2, size[1] / 2
    corners = [[-x, x, -x, x], [-y, -y, y, y], [1.0, 1.0, 1.0, 1.0]]
    return torch.tensor(corners, dtype=torch.float64)


def _moments(longest: float) -> int:
    """How many moments a path of this many pixels needs."""
    return min(max(math.ceil(1.25 * longest), 1), _MOST_MOMENTS)
