"""What no source file may do, and how long it may be."""

import ast
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "unblur"
FILES = sorted(SOURCE.rglob("*.py"))
BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
BANNED_CALLS = {"eval", "exec", "compile", "torch.jit.load", "yaml.load", "np.load", "numpy.load"}

each_file = pytest.mark.parametrize(
    "path", FILES, ids=[path.relative_to(SOURCE).as_posix() for path in FILES]
)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@each_file
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of code from the first statement after the docstring to the last."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@each_file
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_length(node) < 60, f"{path.name}: {node.name}"


def test_most_functions_are_far_shorter() -> None:
    lengths = [
        body_length(node)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert median(lengths) <= 12


@each_file
def test_nothing_dangerous(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: an assert is gone under -O"
        if isinstance(node, ast.Import):
            assert not BANNED_MODULES & {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.split(".")[0] not in BANNED_MODULES
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in BANNED_CALLS, f"line {node.lineno}"
            safe = {"weights_only=True"} & {
                f"{k.arg}={ast.unparse(k.value)}" for k in node.keywords
            }
            assert called != "torch.load" or safe, f"line {node.lineno}: pickles run code"


@each_file
def test_only_the_command_line_prints(path: Path) -> None:
    if path.is_relative_to(SOURCE / "cli"):
        return
    calls = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    assert "print" not in {ast.unparse(call) for call in calls}


@each_file
def test_public_names_are_declared(path: Path) -> None:
    tree = tree_of(path)
    public = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    declared = any(
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for node in tree.body
    )
    assert declared or not public
    assert ast.get_docstring(tree), "a module says what it is for"
