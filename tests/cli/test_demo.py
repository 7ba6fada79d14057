import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import unblur

NAMES = ("restored.png", "kernel.tif", "kernel.png", "before-after-kernel.png", "report.json")


def test_the_demo_leaves_its_five_files(command: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    answer = command("demo", "-o", folder)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines() == [f"wrote {folder / name}" for name in NAMES]
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    before, restored = unblur.read(clock()), unblur.read(folder / "restored.png")
    assert restored.size == before.size
    record = json.loads((folder / "report.json").read_text())
    assert record["source"] == "skimage/data/clock_motion.png"
    assert record["unchanged"] is None
    assert record["kernel"]["size"] == list(unblur.Kernel.load(folder / "kernel.tif").size)


def clock() -> Path:
    import skimage

    return Path(skimage.__file__).parent / "data" / "clock_motion.png"
