"""A beginning for a blind DPA-Net: all that it sees first has the same size, fine detail too."""

from typing import Any

import torch
from lightning import Callback
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle, unfold
from typing_extensions import override

from unblur.errors import ParameterError
from unblur.nets.attention import SelfAttention
from unblur.nets.blind_wiener import BlindWiener
from unblur.nets.dpanet import DPANet
from unblur.nets.dpe import ResidualBlock
from unblur.train.stream import Examples, Ticket

__all__ = ["Whiten", "whiten"]

# Variance of what counts as noise, which is not enlarged further.
_NOISE = 1e-3
# Of a residual block's change, beside what it changes; and of the gates, which begin nearly open.
_CHANGE, _OPEN = 0.4, 2.0
# Pictures that are looked at, and their numbers, which no step has.
_SEEN = 128
_APART = 2**41


def whiten(network: DPANet, pictures: Tensor) -> None:
    """Let a blind network begin with features of variance 1 that are not correlated.

    Of what a convolution sees of a photograph nearly all is brightness, and what deblurring needs
    is a thousandth of it. Drawn weights mix both, and training takes long to part them. Here the
    first convolutions are the principal components of squares of pixels, each divided by its
    deviation: first of the middle alone, then, where there are more channels, of what the
    neighbours add. Other convolutions are drawn so that features keep their size. Where there is a
    blind Wiener filter, they take nothing at first of what it adds, beside the picture, and the
    logarithms of powers that it reads have mean 0 and variance 1.

    Args:
        network: is changed in place.
        pictures: (B, 3, H, W), blurred as those that it shall learn from.

    Raises:
        ParameterError: The network is not a blind DPA-Net.

    Source:
        Whitened first layers are those of K. Jordan, 94 % on CIFAR-10 in 3.29 seconds on a single
        GPU, 2024; weights that keep the size, of He et al., Delving deep into rectifiers, 2015.

    Example:
        >>> network = DPANet(width=4, blocks=1, prior_blocks=1)
        >>> whiten(network, torch.rand(8, 3, 16, 16))
        >>> first = network.restorer.encoder.extract.first
        >>> first(torch.rand(8, 3, 16, 16))[:, :3].std().round()
        tensor(1., grad_fn=...)
    """
    if not isinstance(network, DPANet) or not network.blind:
        raise ParameterError("model.whiten is for blind networks of dpanet")
    with torch.no_grad():
        _draw(network)
        if network.blind_wiener is not None:
            _powers(network.blind_wiener, pictures)
        seen = unfold(pixel_unshuffle(pictures, network.step), 3).transpose(1, 2).flatten(0, 1)
        for convolution in (
            network.estimator.encoder.extract.first,
            network.restorer.encoder.extract.first,
            network.restorer.extract[0].first,
        ):
            _components(convolution, seen)


def _components(convolution: Any, seen: Tensor) -> None:
    """Principal components of rows that `unfold` gave, each channel's nine pixels together."""
    mean, outputs = seen.mean(0), convolution.out_channels
    covariance = torch.cov(seen.T, correction=0)
    middle = torch.arange(4, seen.shape[1], 9)
    values, vectors = torch.linalg.eigh(covariance[middle][:, middle])
    count = min(outputs, len(middle))
    weights = seen.new_zeros(count, seen.shape[1])
    weights[:, middle] = (vectors / (values + _NOISE).sqrt()).T.flip(0)[:count]
    if outputs > count:
        # What the first ones leave unexplained.
        given = covariance @ weights.T
        among = weights @ given + 1e-6 * torch.eye(count)
        left = covariance - given @ torch.linalg.solve(among, given.T)
        more = torch.linalg.eigh(left).eigenvectors.T.flip(0)[: outputs - count]
        spread = ((more @ covariance) * more).sum(1, keepdim=True)
        weights = torch.cat((weights, more / (spread + _NOISE).sqrt()))
    colours = seen.shape[1] // 9
    convolution.weight.zero_()
    convolution.weight[:, :colours].copy_(weights.reshape(outputs, colours, 3, 3))
    convolution.bias.copy_(-(weights @ mean))


def _powers(filtering: BlindWiener, pictures: Tensor) -> None:
    """Let the first layer see what it was drawn for: mean 0 and, all in all, variance 1."""
    seen = filtering.seen(pictures).flatten(0, -2)
    first = filtering.first
    first.weight.div_(seen.std(0).mean())
    first.bias.sub_(first.weight @ seen.mean(0))


def _draw(network: DPANet) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            _fill(module, 1.0)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            _fill(module.first, 2**0.5)
            _fill(module.second, _CHANGE)
        if isinstance(module, SelfAttention):
            for gate in (module.channels, module.pixels):
                nn.init.constant_(gate[2].bias, _OPEN)  # type: ignore[arg-type]
    for parameter in network.restorer.change.parameters():
        nn.init.zeros_(parameter)


def _fill(convolution: nn.Conv2d, gain: float) -> None:
    fan = convolution.weight[0].numel()
    nn.init.normal_(convolution.weight, 0, gain / fan**0.5)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


class Whiten(Callback):
    """Whiten the network of a run that begins from nothing, with pictures of its own data."""

    @override
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Do it; a checkpoint to go on with is read later, and has the last word."""
        if stage != "fit":
            return
        data = trainer.datamodule
        examples = Examples(data.found[0], data.seed)
        pictures = [examples[Ticket(_APART + n, data.patch)].blurred for n in range(_SEEN)]  # type: ignore[union-attr]
        whiten(pl_module.network, torch.cat(pictures))
