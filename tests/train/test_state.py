"""What travels from a run to another: the same weights, average and memory of the optimiser."""

import json
from pathlib import Path

import pytest
import torch

from unblur.errors import WeightsError
from unblur.nets.deepwiener import DeepWiener
from unblur.nets.dpanet import DPANet
from unblur.train.keeping import latest
from unblur.train.state import State


def close(first, second):
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name])


@pytest.fixture
def state():
    """Of a network after two steps of Adam."""
    torch.manual_seed(0)
    network = DPANet(width=2, blocks=1, prior_blocks=1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        network(torch.rand(1, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    average = {name: entry + 1 for name, entry in network.state_dict().items()}
    return State.of(network, average, optimizer)


def test_what_is_written_is_read(state, tmp_path):
    state.save(tmp_path)
    found = State.load(tmp_path)
    assert found.steps == 2
    for part in ("weights", "average"):
        close(getattr(found, part), dict(getattr(state, part)))
    close(found.moments["exp_avg_sq"], dict(state.moments["exp_avg_sq"]))
    assert any(entry.any() for entry in found.moments["exp_avg"].values())


def test_files_are_small_and_none_may_be_missing(tmp_path):
    entries = {f"a{n}": torch.full((2**20,), float(n)) for n in range(7)}
    State(entries, steps=5).save(tmp_path)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) == 3
    assert all(file.stat().st_size <= 16e6 for file in files)
    found = State.load(tmp_path)
    close(found.weights, entries)
    assert found.steps == 5
    files[1].unlink()
    with pytest.raises(WeightsError, match="what a run left in its folder state"):
        State.load(tmp_path)


def test_a_small_state_replaces_a_large_one(state, tmp_path):
    State({f"a{n}": torch.ones(2**20) for n in range(7)}).save(tmp_path)
    state.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]
    close(State.load(tmp_path).weights, dict(state.weights))


def test_an_index_that_knows_more_is_refused(state, tmp_path):
    state.save(tmp_path)
    (tmp_path / "state.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"weights.more": "state.safetensors"}}), encoding="utf-8"
    )
    with pytest.raises(WeightsError, match="lacks 1 entries"):
        State.load(tmp_path)


@pytest.mark.parametrize("content", [None, b"nothing"])
def test_what_is_no_state_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "state.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="must hold what a run left"):
        State.load(tmp_path)


def test_a_step_after_the_state_is_the_step_that_would_have_come(state, tmp_path):
    """Two steps, a journey and a third give what three steps give."""
    torch.manual_seed(0)
    stayed = DPANet(width=2, blocks=1, prior_blocks=1)
    optimizer = torch.optim.AdamW(stayed.parameters(), lr=1e-2)
    pictures = [torch.rand(1, 3, 8, 8) for _ in range(3)]
    for picture in pictures:
        if picture is pictures[2]:
            State.of(stayed, {}, optimizer).save(tmp_path)
        optimizer.zero_grad()
        stayed(picture).square().mean().backward()
        optimizer.step()
    found = State.load(tmp_path)
    moved = DPANet.from_state(found.weights).train()
    optimizer = torch.optim.AdamW(moved.parameters(), lr=1e-2)
    found.remind(optimizer, moved)
    moved(pictures[2]).square().mean().backward()
    optimizer.step()
    close(dict(moved.state_dict()), dict(stayed.state_dict()))


@pytest.mark.parametrize(
    ("name", "architecture"), [("deep-wiener", DeepWiener), ("dpanet", DPANet)]
)
def test_a_state_that_comes_along_is_one_to_go_on_from(name, architecture):
    folder = Path(__file__).parents[2] / "training" / name
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: it comes with the repository, not with the package")
    found = State.load(folder)
    network = architecture.from_state(found.weights)
    architecture.from_state(found.average)
    parameters = dict(network.named_parameters())
    # The filter in front was trained by itself: its optimiser begins anew.
    remembered = {entry for entry in parameters if not entry.startswith("blind_wiener")}
    assert found.moments["exp_avg"].keys() == found.moments["exp_avg_sq"].keys() == remembered
    assert all((entry >= 0).all() for entry in found.moments["exp_avg_sq"].values())
    assert found.steps > 0
    assert all(file.stat().st_size <= 16e6 for file in folder.iterdir())


def test_a_run_goes_on_from_the_state_of_another(trained):
    first = trained("first")
    checkpoint = torch.load(latest(first / "checkpoints"), weights_only=True)
    left = State.load(first / "state")
    assert left.steps == 6
    name = "network."
    now = {k.removeprefix(name): v for k, v in checkpoint["current_model_state"].items()}
    average = {k.removeprefix(name): v for k, v in checkpoint["state_dict"].items()}
    close(left.weights, {k: now[k] for k in left.weights})
    close(left.average, {k: average[k] for k in left.average})
    # With a rate of 0 the weights stay, and a tenth of them enters the average.
    still = ("--model.lr", "0", "--model.schedule", "constant", "--model.warmup", "0")
    more = trained(
        "more", "--model.state", str(first / "state"), "--trainer.max_steps", "1", *still,
        "--trainer.val_check_interval", "1",
    )  # fmt: skip
    found = State.load(more / "state")
    assert found.steps == 7
    close(found.weights, left.weights)
    mixed = {k: 0.9 * left.average[k] + 0.1 * left.weights[k] for k in left.average}
    close(found.average, mixed)
