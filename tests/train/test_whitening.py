"""What a whitened network sees first: features of one size, fine detail as large as brightness."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pixel_unshuffle

from unblur.errors import ParameterError
from unblur.nets.dpanet import DPANet
from unblur.train.keeping import latest
from unblur.train.state import State
from unblur.train.whitening import whiten


@pytest.fixture(scope="module")
def pictures(photograph) -> Tensor:
    """Pieces of a photograph, (B, 3, 32, 32)."""
    whole = torch.tensor(photograph).permute(2, 0, 1) / 255
    pieces = whole.unfold(1, 32, 32).unfold(2, 32, 32)
    return pieces.permute(1, 2, 0, 3, 4).flatten(0, 1).contiguous()


@pytest.mark.parametrize(("step", "width"), [(1, 8), (2, 24), (2, 8)])
def test_first_features_have_one_size_and_are_not_correlated(pictures, step, width):
    network = DPANet(width=width, blocks=1, prior_blocks=1, step=step)
    squares = pixel_unshuffle(pictures, step)
    whiten(network, pictures)
    for part in (network.estimator, network.restorer):
        found = part.encoder.extract.first(squares)[..., 1:-1, 1:-1].transpose(0, 1).flatten(1)
        covariance = torch.cov(found.detach())
        assert found.mean(1).abs().max() < 0.05
        # The noise that is not enlarged is missing.
        spread = covariance.diagonal()
        assert spread.max() < 1.1
        correlation = covariance / spread.sqrt().outer(spread.sqrt())
        among = correlation[: 3 * step**2, : 3 * step**2]
        assert (among - torch.eye(len(among))).abs().max() < 0.05


def test_detail_is_seen(pictures):
    """The finest of the components is what brightness would have hidden."""
    network = DPANet(width=12, blocks=1, prior_blocks=1, step=2)
    change = torch.zeros_like(pictures)
    change[..., ::2, ::2], change[..., 1::2, 1::2] = 0.02, 0.02
    change[..., ::2, 1::2], change[..., 1::2, ::2] = -0.02, -0.02
    first = network.restorer.encoder.extract.first

    def share() -> float:
        seen, more = (
            first(pixel_unshuffle(each, 2)).detach() for each in (pictures, pictures + change)
        )
        return float((more - seen).std() / seen.std())

    before = share()
    whiten(network, pictures)
    assert share() > 3 * before


def test_it_begins_as_the_identity(pictures):
    network = DPANet(width=6, blocks=1, prior_blocks=1, step=2)
    whiten(network, pictures)
    torch.testing.assert_close(network(pictures), pictures)


def test_with_a_filter_powers_are_whitened_and_the_picture_comes_first(pictures):
    network = DPANet(width=24, blocks=1, prior_blocks=1, step=2, wiener=True)
    drawn = network.blind_wiener.first.weight.clone()
    whiten(network, pictures)
    first, seen = network.blind_wiener.first, network.blind_wiener.seen(pictures).flatten(0, -2)
    scaled = (seen - seen.mean(0)) / seen.std(0).mean()
    torch.testing.assert_close(
        first(seen), scaled @ drawn.T + first.bias + first.weight @ seen.mean(0)
    )
    assert not network.restorer.encoder.extract.first.weight[:, 12:].any()


def test_only_blind_networks_can_be_whitened(pictures):
    with pytest.raises(ParameterError, match="for blind networks of dpanet"):
        whiten(DPANet(width=2, blocks=1, prior_blocks=1, blind=False), pictures)


def test_a_run_begins_whitened_and_goes_on_as_it_was(trained):
    white = ("--model.whiten", "true", "--model.lr", "0", "--model.warmup", "0")
    first = "restorer.encoder.extract.first.weight"
    found = State.load(trained("white", *white) / "state").weights[first]
    plain = State.load(trained("plain", *white[2:]) / "state").weights[first]
    again = State.load(trained("again", *white) / "state").weights[first]
    assert torch.equal(found, again)
    assert not torch.equal(found, plain)
    halfway = trained("halves", *white, "--trainer.max_steps", "3")
    assert latest(halfway / "checkpoints") is not None
    trained("halves", *white, resume=True)
    assert torch.equal(State.load(halfway / "state").weights[first], found)


def test_a_state_is_not_whitened(trained):
    left = trained("left") / "state"
    still = ("--model.lr", "0", "--model.schedule", "constant", "--model.warmup", "0")
    more = trained(
        "more", "--model.state", str(left), "--model.whiten", "true", *still,
        "--trainer.max_steps", "1", "--trainer.val_check_interval", "1",
    )  # fmt: skip
    found, before = State.load(more / "state").weights, State.load(left).weights
    assert all(torch.equal(found[name], before[name]) for name in before)
