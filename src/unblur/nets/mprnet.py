"""MPRNet: a picture restored in three stages, from quarters to the whole."""

from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from unblur.errors import WeightsError
from unblur.nets.local_statistics import WINDOW, set_window
from unblur.nets.mprnet_blocks import (
    BLOCKS,
    RESIDUAL_BLOCKS,
    WHOLE,
    AttentionBlock,
    Decoder,
    Encoder,
    Levels,
    OriginalResolution,
    Share,
    SupervisedAttention,
    conv,
)
from unblur.nets.network import NetSpec, Network, Shapes, pad_to_multiple
from unblur.nets.strips import by_rows

__all__ = ["MPRNet"]

_MULTIPLE = 8  # halves of the picture are halved twice again
_QUARTER: Share = (0.5, 0.5)
_HALF: Share = (0.5, 1.0)

# Of the receptive field: an attention block reaches 2 pixels of its level, one of three, and
# scaling up reaches one pixel of the coarser level.
_U_SHAPE = 2 * (2 * BLOCKS) * (1 + 2 + 4) + (2 + 4)
_RADIUS = (3 + _U_SHAPE) + (1 + _U_SHAPE) + (1 + 3 * (2 * RESIDUAL_BLOCKS + 1) + 1)
# What a tile sees in the local form is half a window, so that its core has all means; never less
# than this. The convolutions look further, but by little: what is beyond changes no pixel of
# photographs by more than 0.002 of 255 levels with drawn weights, by 0.02 where the attention has
# six times the contrast, by 0.24 with thirty times. With a quarter of a window it would be 0.01 to
# 0.1, 0.1 to 0.8 and 0.3 to 2.2 levels.
_REACH = 32
# Of stage 3, where tensors are 15 and 12 to 15 in the other two, as each layer's are made in strips
# of rows; in a graph they are 26. What convolutions and strips need beside is of any size.
_BYTES_PER_CHANNEL, _BYTES_IN_GRAPH, _BYTES_FIXED = 16, 28, 400_000_000


class MPRNet(Network):
    """Three stages, each given the picture and what the stage before made of it.

    Stage 1 sees quarters of the picture, stage 2 halves, stage 3 the whole. Where the parts meet,
    the first two see no further. Entries are named as in the released checkpoints, which load for
    all three tasks.

    Sides become multiples of 8 by reflection to the right and below, so that quarters can be halved
    twice.

    Args:
        n_feat: channels of the first two stages at the whole resolution.
        scale_unetfeats: channels added at each lower resolution.
        scale_orsnetfeats: channels added in stage 3. Deblurring and these defaults have 96, 48, 32;
            denoising 80, 48, 32; deraining 40, 20, 16.

    Attributes:
        divided: whether the first two stages see parts, as they were trained. Where the picture is
            cut is up to its size, so no tile agrees with the whole: `local` turns it off. Only what
            lies within some 30 pixels of the cuts comes out otherwise then.

    Source:
        S. W. Zamir, A. Arora, S. Khan, M. Hayat, F. S. Khan, M.-H. Yang, L. Shao, Multi-Stage
        Progressive Image Restoration, CVPR 2021.

    Example:
        >>> network = MPRNet(n_feat=8, scale_unetfeats=4, scale_orsnetfeats=4)
        >>> network(torch.zeros(1, 3, 5, 9)).shape
        torch.Size([1, 3, 5, 9])
    """

    title: ClassVar[str] = "MPRNet"
    licence: ClassVar[str] = "academic, non-commercial use only"

    def __init__(
        self, n_feat: int = 96, scale_unetfeats: int = 48, scale_orsnetfeats: int = 32
    ) -> None:
        super().__init__()
        self.divided = True
        self.window: int | None = None
        widths = (n_feat, n_feat + scale_unetfeats, n_feat + 2 * scale_unetfeats)
        last = n_feat + scale_orsnetfeats
        slope = nn.PReLU()  # one for the whole network
        self.shallow_feat1, self.shallow_feat2, self.shallow_feat3 = (
            nn.Sequential(conv(3, n_feat, 3), AttentionBlock(n_feat, slope, share))
            for share in (_QUARTER, _HALF, WHOLE)
        )
        self.stage1_encoder = Encoder(widths, slope, _QUARTER, fuses=False)
        self.stage1_decoder = Decoder(widths, slope, _HALF)
        self.stage2_encoder = Encoder(widths, slope, _HALF, fuses=True)
        self.stage2_decoder = Decoder(widths, slope, WHOLE)
        self.stage3_orsnet = OriginalResolution(widths, last, slope)
        self.sam12, self.sam23 = (SupervisedAttention(n_feat) for _ in range(2))
        self.concat12 = conv(2 * n_feat, n_feat, 3)
        self.concat23 = conv(2 * n_feat, last, 3)
        self.tail = conv(last, 3, 3)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self:
        """Build the network whose entries have these shapes, with weights not set yet.

        Raises:
            WeightsError: No widths give these entries.
        """
        entries = (
            "shallow_feat1.0.weight",
            "stage1_encoder.down12.down.1.weight",
            "concat23.weight",
        )
        for name in entries:
            if len(shapes.get(name, ())) != 4:
                found = f"got {tuple(shapes[name])}" if name in shapes else "and is missing"
                raise WeightsError(
                    f"weights do not fit {cls.title}: {name} must be a convolution of four axes, "
                    + found
                )
        first, second, last = widths = [shapes[name][0] for name in entries]
        if not 4 <= first <= min(second, last):
            raise WeightsError(
                f"weights do not fit {cls.title}: {', '.join(entries)} must give at least 4 "
                f"channels, and no fewer in the second and third, got {widths}"
            )
        return cls(first, second - first, last - first).expect(shapes)

    @property
    def spec(self) -> NetSpec:
        """What running this network needs to know."""
        local = self.window is not None and not self.divided
        return NetSpec(
            multiple_of=_MULTIPLE,
            halo=max(self.window // 2, _REACH) if self.window and local else _RADIUS,
            global_statistics=not local,
            bytes_per_pixel=_BYTES_PER_CHANNEL * self.tail.in_channels,
            bytes_fixed=_BYTES_FIXED,
            radius=_RADIUS,
            bytes_as_graph=_BYTES_IN_GRAPH * self.tail.in_channels,
        )

    def local(self, window: int | None = WINDOW) -> Self:
        """Take means over windows of the undivided picture, so that tiles agree with the whole.

        Args:
            window: side in pixels of the picture, the same share of what a stage saw in training;
                None goes back to the form that was trained, on parts and with means over them.
        """
        set_window(self, window)
        self.window = window
        self.divided = window is None
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Restore pictures (B, 3, H, W) of any size; not clipped to [0, 1]."""
        return self.stages(image)[-1]

    def stages(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What each stage makes of pictures (B, 3, H, W), for training; the final one is last."""
        height, width = image.shape[-2:]
        whole = pad_to_multiple(image, _MULTIPLE)
        halves = self._cut(whole, 2)
        # What a stage leaves behind is as much memory as the next one works in.
        encoded, decoded = self._first(halves)
        fused = self.stage2_encoder.fuse(encoded, decoded)
        attended, first = self.sam12(decoded.pop(), halves)
        features = _beside(self.concat12, self.shallow_feat2(halves), attended)
        del attended
        encoded = self._joined(self.stage2_encoder(features, fused), 2)
        del features
        decoded = self.stage2_decoder(encoded)
        found = self.stage3_orsnet.gather(encoded, decoded)
        attended, second = self.sam23(decoded.pop(), whole)
        given = [_beside(self.concat23, self.shallow_feat3(whole), attended)]
        del attended
        third = self.tail(self.stage3_orsnet(given, found)) + whole
        return (
            self._join(first, 2)[..., :height, :width],
            second[..., :height, :width],
            third[..., :height, :width],
        )

    def _first(self, halves: Tensor) -> tuple[Levels, Levels]:
        """Features of stage 1 on halves, each encoded as quarters."""
        features = self.shallow_feat1(self._cut(halves, 3))
        encoded = self._joined(self.stage1_encoder(features), 3)
        del features
        return encoded, self.stage1_decoder(encoded)

    def _joined(self, levels: Levels, axis: int) -> Levels:
        """`_join` at each resolution."""
        return [self._join(each, axis) for each in levels]

    def _cut(self, pictures: Tensor, axis: int) -> Tensor:
        """Both halves along an axis, one after the other as a batch twice as large."""
        return torch.cat(_halves(pictures, axis)) if self.divided else pictures

    def _join(self, parts: Tensor, axis: int) -> Tensor:
        """Undo `_cut`."""
        return torch.cat(_halves(parts, 0), dim=axis) if self.divided else parts


def _beside(layer: nn.Module, own: Tensor, attended: Tensor) -> Tensor:
    """A 3 x 3 convolution of two tensors as one."""
    return by_rows(
        lambda left, right: layer(torch.cat((left, right), dim=1)),
        own,
        attended,
        margin=1,
        channels=own.shape[1] + attended.shape[1],
    )


def _halves(pictures: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """What `chunk` gives, in a form that exports for any size."""
    half = pictures.shape[axis] // 2
    return pictures.narrow(axis, 0, half), pictures.narrow(axis, half, half)
