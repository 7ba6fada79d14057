"""Runs: the same to the bit after a stop, on one process or two, and what they leave behind."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image

from unblur.errors import OutputError, ParameterError
from unblur.train.curves import read_rows
from unblur.train.keeping import Stopped, latest
from unblur.train.restoration import Diverged, Restoration
from unblur.train.state import State

Trained = Callable[..., Path]
SOURCE = Path(__file__).parents[2] / "src"
# Columns that no two runs share.
CLOCK = {"pairs_per_second", "waiting"}
# A step more than what is compared: a checkpoint is written when the next step begins.
TWENTY = ("--trainer.max_steps", "21", "--trainer.val_check_interval", "5", "--keep.every", "10")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}


def weights_of(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The weights that a run left, and what is written beside them."""
    with safetensors.safe_open(folder / "weights.safetensors", framework="pt") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata()


def same(first: Any, second: Any, place: str = "") -> None:
    """All tensors, numbers and texts are equal, to the bit."""
    assert type(first) is type(second), place
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), place
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), place
        for key in first:
            same(first[key], second[key], f"{place}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), place
        for n, (one, other) in enumerate(zip(first, second, strict=True)):
            same(one, other, f"{place}[{n}]")
    else:
        assert first == second, place


def test_twenty_steps_are_ten_a_kill_and_ten_more(
    trained: Trained, config: Path, tmp_path: Path
) -> None:
    # The schedule with the most to remember: what validation said.
    options = [*TWENTY, "--model.schedule", "plateau", "--model.patience", "0"]
    whole = trained("whole", *options)
    child = textwrap.dedent(
        f"""
        import os
        from pathlib import Path
        from unblur.train.restoration import Restoration
        from unblur.train.run import train

        step = Restoration.training_step

        def fatal(self, batch, index):
            if self.global_step == 13:
                os.kill(os.getpid(), 9)
            return step(self, batch, index)

        Restoration.training_step = fatal
        train({str(config)!r}, {options!r}, folder=Path({str(tmp_path / "killed")!r}))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", child], check=False, env=environment(), timeout=300
    )
    assert done.returncode == -signal.SIGKILL
    killed = tmp_path / "killed"
    assert latest(killed / "checkpoints").name == "step-000000010.ckpt"
    assert not (killed / "weights.safetensors").exists()
    trained("killed", *options, resume=True)

    states = [
        torch.load(folder / "checkpoints" / "step-000000020.ckpt", weights_only=True)
        for folder in (whole, killed)
    ]
    for part in (
        "global_step",
        "state_dict",
        "current_model_state",
        "averaging_state",
        "optimizer_states",
        "lr_schedulers",
    ):
        same(states[0][part], states[1][part], part)
    assert states[0]["optimizer_states"][0]["state"]
    average, current = states[0]["state_dict"], states[0]["current_model_state"]
    assert not all(torch.equal(average[name], current[name]) for name in average)
    same(weights_of(whole), weights_of(killed))
    timeless = [
        [
            {
                name: value
                for name, value in row.items()
                if name not in {"pairs_per_second", "waiting"}
            }
            for row in read_rows(folder / "curves.csv")
        ]
        for folder in (whole, killed)
    ]
    assert timeless[0] == timeless[1]
    assert len({row["lr"] for row in timeless[0] if "lr" in row}) > 1


def test_workers_and_their_number_change_nothing(trained: Trained) -> None:
    alone = read_rows(trained("alone") / "curves.csv")
    helped = read_rows(trained("helped", "--data.workers", "1") / "curves.csv")
    assert [row.get("loss") for row in alone] == [row.get("loss") for row in helped]


def test_blurring_where_the_step_is_computed_is_the_same(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unblur.train.data import Pictures

    early = read_rows(trained("early") / "curves.csv")
    monkeypatch.setattr(Pictures, "_on_device", lambda _: True)
    late = read_rows(trained("late") / "curves.csv")
    for first, second in zip(early, late, strict=True):
        for name in first.keys() - CLOCK:
            assert second[name] == pytest.approx(first[name], rel=1e-5), name


def test_a_signal_stops_after_the_step_with_a_checkpoint(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained("whole")
    step = Restoration.training_step

    def stopped(self: Restoration, batch: Any, index: int) -> Any:
        if self.global_step == 3:
            signal.raise_signal(signal.SIGTERM)
        return step(self, batch, index)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Restoration, "training_step", stopped)
        with pytest.raises(Stopped) as caught:
            trained("stopped")
    assert caught.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    folder = whole.parent / "stopped"
    assert latest(folder / "checkpoints").name == "step-000000004.ckpt"
    trained("stopped", resume=True)
    same(weights_of(whole), weights_of(folder))


def test_two_processes_take_the_steps_of_one(
    trained: Trained, config: Path, tmp_path: Path
) -> None:
    # Three pictures to validate with: they cannot be shared evenly.
    one = read_rows(trained("one") / "curves.csv")
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words += ["-m", "unblur", "train", str(config), "-o", str(tmp_path / "two"), "--quiet"]
    words += ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    done = subprocess.run(
        words, check=False, env=environment(), timeout=300, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    two = read_rows(tmp_path / "two" / "curves.csv")
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for first, second in zip(one, two, strict=True):
        for name in first.keys() - CLOCK:
            assert second[name] == pytest.approx(first[name], rel=2e-5, abs=1e-7), name
    assert (tmp_path / "two" / "weights.safetensors").is_file()


def test_a_run_leaves_curves_pictures_and_weights(
    trained: Trained, sharp_folder: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    folder = trained("run", say=lines.append)
    with (folder / "curves.csv").open(newline="") as file:
        assert next(csv.reader(file))[:5] == ["step", "loss", "lr", "pairs_per_second", "waiting"]
    rows = read_rows(folder / "curves.csv")
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in rows if "val_psnr" in row] == [3, 6]
    assert all(0 <= row["waiting"] <= 1 for row in rows if "waiting" in row)
    with Image.open(folder / "curves.png") as curves:
        assert curves.size[0] > 400
    with Image.open(folder / "pictures" / "step-000000006.png") as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (2 * 20, 3 * 20, 3)
    # The network begins as the identity, and learns little in six steps.
    assert np.abs(sheet[:16, :16].astype(int) - sheet[:16, 20:36]).max() < 12
    assert any("left" in line and "pairs/s" in line for line in lines)
    assert lines[0].startswith("dpanet: 0.0")
    assert "7 pictures to train with, 3 to validate with" in lines[0]

    from unblur.nets.weights import load_network

    network = load_network(folder / "weights.safetensors")
    assert (network.width, network.blocks) == (2, 1)
    with safetensors.safe_open(folder / "weights.safetensors", framework="pt") as file:
        card = json.loads(file.metadata()["training"])
    assert card["steps"] == 6
    assert card["config"]["data"]["root"] == str(sharp_folder)
    assert card["validation"].keys() == {"val_loss", "val_psnr", "val_psnr_input"}


def test_validation_is_the_mean_over_the_held_out_pictures(trained: Trained) -> None:
    from unblur.metrics import psnr
    from unblur.train.data import _APART, Pictures
    from unblur.train.settings import parse, parser
    from unblur.train.stream import Examples, Ticket

    folder = trained("run")
    built = parser().instantiate(parse(str(folder / "config.yaml")))
    data: Pictures = built.data
    held = data.found[1]
    assert len(held) == 3
    examples = Examples(held, _APART, shuffled=False)
    inputs = [examples[Ticket(n, 16)] for n in range(3)]
    wanted = np.mean([psnr(each.blurred, each.sharp).item() for each in inputs])
    last = [row for row in read_rows(folder / "curves.csv") if "val_psnr_input" in row][-1]
    assert last["val_psnr_input"] == pytest.approx(wanted, abs=1e-4)


def test_a_loss_that_is_no_number_keeps_its_batch(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = Restoration.outputs

    def broken(self: Restoration, batch: Any) -> Any:
        made = outputs(self, batch)
        return [each * float("nan") for each in made] if self.global_step == 2 else made

    monkeypatch.setattr(Restoration, "outputs", broken)
    with pytest.raises(Diverged, match=r"loss of step 2 is nan: .* has its pairs \(.*\.png"):
        trained("broken")
    with safetensors.safe_open(
        tmp_path / "broken" / "not-finite-step-2-rank-0.safetensors", framework="pt"
    ) as file:
        assert file.get_tensor("blurred").shape == (4, 3, 16, 16)
        assert torch.isfinite(file.get_tensor("sharp")).all()
        assert torch.isnan(file.get_tensor("output")).all()
        assert len(json.loads(file.metadata()["names"])) == 4
        assert json.loads(file.metadata()["plans"])[0]["kind"] in {"motion", "disk"}


def test_a_folder_with_a_run_is_not_overwritten(trained: Trained) -> None:
    trained("run", "--trainer.max_steps", "3")
    with pytest.raises(OutputError, match="holds a run already: go on with it"):
        trained("run")
    with pytest.raises(ParameterError, match=r"model.lr differ from .*config.yaml"):
        trained("run", "--model.lr", "1", resume=True)


@pytest.mark.parametrize("mistake", [("--model.warmup", "6"), ("--data.patch", "18")])
def test_a_mistake_leaves_a_folder_that_can_be_used(
    trained: Trained, mistake: tuple[str, str]
) -> None:
    with pytest.raises(ParameterError):
        trained("run", *mistake)
    folder = trained("run", "--trainer.max_steps", "3")
    assert (folder / "weights.safetensors").is_file()


def test_a_finished_run_is_left_alone_and_can_be_made_longer(trained: Trained) -> None:
    options = ("--model.schedule", "constant", "--keep.every", "100")
    whole = trained("whole", *options)
    short = ("--trainer.max_steps", "3")
    folder = trained("run", *options, *short)
    assert latest(folder / "checkpoints").name == "step-000000003.ckpt"
    left = {path: path.stat().st_mtime_ns for path in folder.glob("[!c]*") if path.is_file()}
    lines: list[str] = []
    trained("run", *options, *short, resume=True, say=lines.append)
    assert len(lines) == 1
    assert "is finished, at step 3: more steps (--trainer.max_steps)" in lines[0]
    assert left == {path: path.stat().st_mtime_ns for path in left}
    (folder / "weights.safetensors").unlink()
    trained("run", *options, *short, resume=True)
    assert weights_of(folder)[0]
    trained("run", *options, resume=True, say=lines.append)
    assert "going on from" in lines[1]
    assert lines[-1] == f"wrote {folder / 'weights.safetensors'}"
    same(weights_of(whole)[0], weights_of(folder)[0])
    assert [row["step"] for row in read_rows(folder / "curves.csv") if "val_psnr" in row] == [3, 6]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.network", "dpnet"], "network must be one of mprnet"),
        (["--model.arguments.widht", "3"], "widht"),
        (["--model.loss", "l3"], "loss must be one of l1, mse"),
        (["--model.lr", "fast"], "lr"),
        (["--data.reader", "kaggle"], "reader must be one of sharp, folder"),
        (["--data.reader", "folder", "--data.calibrate", "true"], "calibrate needs blurs"),
        (["--data.split", "test"], "reader sharp takes no split"),
        (["--data.patch", "18"], r"multiples of 4 pixels, got \(18, 18\)"),
        (["--trainer.val_check_interval", "0.5"], "val_check_interval must be a whole number"),
        (["--data.batch", "0"], "batches of 1 or more"),
        (["--data.synthesis.motion", "[9, 3]"], "motion must be a range"),
        (["--model.learns", "[decoder]"], "learns must name parts of DPA-Net, which are estimator"),
        (["--model.learns", "[]"], "got none"),
        (["--no.such", "1"], "no"),
    ],
)
def test_what_is_not_possible_is_said(trained: Trained, words: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        trained("wrong", *words)


def test_precision_patches_and_accumulation_can_be_chosen(trained: Trained) -> None:
    rows = read_rows(
        trained(
            "mixed",
            *("--trainer.precision", "bf16-mixed", "--trainer.accumulate_grad_batches", "2"),
            *("--data.progressive", '[{"until": 3, "patch": 8, "batch": 8}]'),
            *("--trainer.val_check_interval", "6", "--keep.ema", "0"),
        )
        / "curves.csv"
    )
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in rows if "val_psnr" in row] == [3, 6]
    assert all(0 < row["loss"] < 1 for row in rows if "loss" in row)


def test_parts_learn_one_after_the_other(trained: Trained) -> None:
    """First the filter, then, from its state, what stands behind it, and nothing else."""
    built = "--model.arguments", '{"width": 2, "blocks": 1, "step": 2, "wiener": true}'
    words = (*built, "--model.schedule", "constant", "--model.warmup", "0", "--keep.ema", "0")
    still = trained("still", *words, "--model.lr", "0")
    first = trained("first", *words, "--model.learns", "[blind_wiener]")
    behind = ("--model.state", str(first / "state"), "--model.learns", "[estimator, restorer]")
    second = trained("second", *words, *behind)
    begun, filtered, whole = (weights_of(each)[0] for each in (still, first, second))
    for name in begun:
        of_filter = name.startswith("blind_wiener")
        assert torch.equal(filtered[name], begun[name]) != of_filter, name
        if of_filter:
            assert torch.equal(whole[name], filtered[name]), name
    assert any(not torch.equal(whole[name], filtered[name]) for name in begun)


def test_what_does_not_learn_is_the_average_of_its_state(trained: Trained) -> None:
    built = "--model.arguments", '{"width": 2, "blocks": 1, "step": 2, "wiener": true}'
    first = trained("first", *built, "--model.learns", "blind_wiener")
    begun = State.load(first / "state")
    behind = ("--model.state", str(first / "state"), "--model.learns", "[estimator, restorer]")
    ended = State.load(trained("second", *built, *behind) / "state")
    for name, tensor in begun.average.items():
        if name.startswith("blind_wiener"):
            assert torch.equal(ended.weights[name], tensor), name
            torch.testing.assert_close(ended.average[name], tensor, atol=1e-7, rtol=1e-6)
