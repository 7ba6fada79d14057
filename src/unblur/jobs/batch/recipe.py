"""What is done to every picture of a batch, with everything that the result depends on."""

import hashlib
import json
import os
from dataclasses import dataclass, fields, replace
from typing import Any

from unblur import __version__
from unblur.errors import ParameterError
from unblur.jobs.batch.ledger import Ledger
from unblur.jobs.job import Job
from unblur.jobs.storage import is_remote, nearby

__all__ = ["Recipe"]

# What changes where and how fast the work is done, and not what comes out.
_FREE = {
    "in_place",
    "max_memory",
    "max_pages",
    "max_pixels",
    "overwrite",
    "previews",
    "save_kernel",
}
_FILES = ("kernel", "mask", "lens")


@dataclass(frozen=True)
class Recipe:
    """One folder to another: `common` is the job of every picture, without its names.

    Example:
        >>> recipe = Recipe("in", "out", Job("", "", "wiener"))
        >>> recipe.job("a/b.jpg", "a/b.jpg", overwrite=False).target
        'out/a/b.jpg'
    """

    source: str
    target: str
    common: Job

    def job(self, name: str, target: str, *, overwrite: bool) -> Job:
        """Make the job of one picture; both names are relative."""
        options = replace(self.common.options, overwrite=overwrite)
        return replace(
            self.common,
            source=_below(self.source, name),
            target=_below(self.target, target),
            options=options,
        )

    def everywhere(self) -> "Recipe":
        """Name all files from the root, for workers that begin in another folder.

        Example:
            >>> recipe = Recipe("/a/../in", "s3://b/out", Job("", "")).everywhere()
            >>> recipe.source, recipe.target
            ('/in', 's3://b/out')
        """
        options = self.common.options
        named = {name: getattr(options, name) for name in _FILES}
        full: dict[str, Any] = {name: _rooted(value) for name, value in named.items() if value}
        parameters = dict(self.common.parameters)
        if "weights" in parameters:
            parameters["weights"] = _rooted(str(parameters["weights"]))
        common = replace(self.common, parameters=parameters, options=replace(options, **full))
        source, target = (
            name if is_remote(name) else os.path.abspath(name)
            for name in (self.source, self.target)
        )
        return Recipe(source, target, common)

    def facts(self) -> dict[str, Any]:
        """List what decides about the results: method, parameters, options, contents, versions.

        Files count by their content, weights too, and all of the user's profiles for lens "auto".

        Raises:
            UnblurError: The method, its parameters, weights or files cannot be used.
        """
        import torch

        from unblur.restore import catalogue
        from unblur.restore.parameters import parse

        near = nearby(self.common)
        method = catalogue.find(near.method)
        parameters = dict(vars(parse(method.parameters, near.parameters)))
        if "weights" in parameters:
            from unblur.restore.networks import weights_file

            path = weights_file(parameters["weights"])
            parameters["weights"] = _digest(path)
        options = {
            entry.name: getattr(near.options, entry.name)
            for entry in fields(near.options)
            if entry.name not in _FREE
        }
        for name in _FILES:
            if options.get(name) not in (None, "auto"):
                options[name] = _digest(options[name])
        if options["lens"] == "auto":
            options["lens"] = f"auto {_shelf()}"
        return {
            "source": _absolute(self.source),
            "method": method.name,
            **{f"parameter {name}": value for name, value in parameters.items()},
            **{f"option {name}": value for name, value in options.items()},
            "unblur": __version__,
            "torch": str(torch.__version__),
        }

    def settle(self, ledger: Ledger, *, resume: bool, anew: bool) -> None:
        """Compare with what the ledger was begun with, or write that down.

        Args:
            ledger: of this batch.
            resume: whether to go on with what was begun.
            anew: whether to forget what was done before.

        Raises:
            ParameterError: Pictures were worked on by an earlier run, or with another recipe.
        """
        text = json.dumps(self.facts(), sort_keys=True, default=str)
        before = ledger.fact("recipe")
        if before is not None and ledger.is_begun() and not anew:
            if not resume:
                raise ParameterError(
                    f"{self.target} holds an earlier batch: --resume goes on with it, and "
                    "--overwrite begins anew"
                )
            if before != text:
                raise ParameterError(
                    f"{self.target} was begun with another recipe ({_differences(before, text)}): "
                    "give the same, choose another folder, or begin anew with --overwrite"
                )
        if before is not None and anew:
            ledger.forget()
        ledger.set_fact("recipe", text)
        ledger.set_fact("recipe_sha256", hashlib.sha256(text.encode()).hexdigest())


def _below(folder: str, name: str) -> str:
    if is_remote(folder):
        return f"{folder.rstrip('/')}/{name}"
    return os.path.join(folder, *name.split("/"))


def _rooted(name: str) -> str:
    """Give the absolute path of what is there; names of weights and URLs stay."""
    there = not is_remote(name) and os.path.lexists(name)
    return os.path.abspath(name) if there else name


def _absolute(name: str) -> str:
    return name.rstrip("/") if is_remote(name) else os.path.realpath(name)


def _digest(path: str | os.PathLike[str]) -> str:
    """Hash a file, or the files of a folder."""
    if os.path.isdir(path):
        parts = [_digest(entry.path) for entry in sorted(os.scandir(path), key=lambda e: e.name)]
        return hashlib.sha256("".join(parts).encode()).hexdigest()
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror or error}") from error


def _shelf() -> str:
    """Hash the names and contents of the profiles that lens "auto" chooses from."""
    from unblur.lens import shelf

    usable = [each.path for each in shelf.profiles() if each.profile is not None]
    text = json.dumps([(path.name, _digest(path)) for path in usable])
    return hashlib.sha256(text.encode()).hexdigest()


def _differences(before: str, after: str) -> str:
    old, new = json.loads(before), json.loads(after)
    changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    parts = [f"{name}: {_short(old.get(name))} and now {_short(new.get(name))}" for name in changed]
    return "; ".join(parts[:4])


def _short(value: object) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"
