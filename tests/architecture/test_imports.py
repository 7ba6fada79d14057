"""Imports point down the house, and never in a circle."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "unblur"

TOOLS = {"errors", "failpoints", "files", "progress", "threads"}
BELOW = TOOLS | {"fourier", "photo", "metrics", "nets"}
ALLOWED = {
    "errors": set(),
    "failpoints": set(),
    "files": {"errors", "failpoints"},
    "progress": set(),
    "threads": set(),
    "fourier": TOOLS,
    "photo": TOOLS,
    "metrics": TOOLS,
    "nets": TOOLS,
    "blur": TOOLS | {"fourier"},
    "deconvolve": BELOW | {"blur"},
    "blind": BELOW | {"blur", "deconvolve"},
    "lens": BELOW | {"blur", "deconvolve"},
    "restore": BELOW | {"blur", "deconvolve", "blind", "lens"},
    "jobs": TOOLS | {"photo", "blur", "lens", "restore"},
    "service": TOOLS | {"photo", "blur", "lens", "restore", "jobs"},
    "datasets": TOOLS | {"photo", "blur"},
    "train": BELOW | {"blur", "deconvolve", "blind", "datasets"},
    "evaluate": TOOLS | {"photo", "blur", "metrics", "datasets", "restore"},
    "cli": BELOW
    | {"blur", "deconvolve", "blind", "lens", "restore", "jobs", "unblur"}
    | {"datasets", "train", "evaluate", "service"},
    # The package itself names everything and loads nothing.
    "unblur": BELOW | {"blur", "lens", "restore"},
}

FILES = sorted(SOURCE.rglob("*.py"))


def module_of(path: Path) -> str:
    parts = ("unblur", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    if module == "unblur.__main__":
        return "cli"
    return module.split(".")[1] if "." in module else "unblur"


MODULES = {module_of(path): path for path in FILES}


def imported(path: Path, *, at_load: bool = False) -> Iterator[str]:
    """Our own modules that a file imports; `at_load` leaves out those inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy: set[ast.AST] = set()
    if at_load:
        for node in ast.walk(tree):
            typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            if typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                lazy.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in lazy:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if node.module == "unblur" and [alias.name for alias in node.names] == ["__version__"]:
                continue  # the version is a fact, not a room
            names = [
                full if (full := f"{node.module}.{alias.name}") in MODULES else str(node.module)
                for alias in node.names
            ]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "unblur")


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    room = room_of(module)
    assert room in ALLOWED, f"{room} is a new room: say what it may import"
    for name in imported(MODULES[module]):
        other = room_of(name)
        assert other == room or other in ALLOWED[room], f"{module} must not import {name}"


def test_the_table_has_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(ALLOWED):
        ready = {room for room, below in ALLOWED.items() if room not in done and below <= done}
        assert ready, f"a circle among {sorted(set(ALLOWED) - done)}"
        done |= ready


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        module: {
            name for name in imported(path, at_load=True) if name in MODULES and name != module
        }
        for module, path in MODULES.items()
    }
    done: set[str] = set()
    while len(done) < len(graph):
        # A package names what its modules define, and they do not import it back.
        ready = {module for module, below in graph.items() if module not in done and below <= done}
        circle = sorted(set(graph) - done)
        assert ready, f"a circle among {circle}"
        done |= ready
