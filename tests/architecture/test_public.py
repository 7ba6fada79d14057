"""The public names, and what importing them costs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import unblur

SOURCE = Path(__file__).parents[2] / "src"
PUBLIC = {
    "METHODS",
    "Field",
    "Kernel",
    "LensProfile",
    "Photo",
    "Report",
    "Result",
    "UnblurError",
    "__version__",
    "blur",
    "calibrate",
    "deblur",
    "errors",
    "estimate_kernel",
    "kernels",
    "load",
    "metrics",
    "read",
    "write",
}
HEAVY = {"PIL", "numpy", "pyvips", "rich", "scipy", "skimage", "torch", "torchmetrics", "typer"}


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after `code`."""
    probe = f"{code}\nimport json, sys\nsys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    return {name.partition(".")[0] for name in json.loads(done.stderr)}


def test_the_public_names_are_these() -> None:
    assert set(unblur.__all__) == PUBLIC
    assert set(dir(unblur)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(unblur, name) is not None


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'deblurr'"):
        _ = unblur.deblurr


def test_blur_is_the_function_even_after_its_room_was_imported() -> None:
    from unblur.blur import Kernel

    assert callable(unblur.blur)
    assert unblur.Kernel is Kernel


def test_importing_loads_nothing_heavy() -> None:
    assert not loaded("import unblur") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["fix", "--help"], ["kernel", "--help"]])
def test_help_loads_no_library_of_images(arguments: list[str]) -> None:
    modules = loaded(f"from unblur.cli.main import main\nmain({arguments!r})")
    assert not modules & (HEAVY - {"rich", "typer"})
