"""The user's lens profiles, found by the names in a photograph's metadata."""

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from unblur.errors import KernelError, OutputError, ParameterError
from unblur.files import shown
from unblur.lens.profile import LensProfile
from unblur.lens.profile_files import load_shot
from unblur.lens.shot import Shot
from unblur.nets import store

__all__ = ["Shelved", "add", "find", "folder", "profiles", "remove"]

_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Shelved:
    """A profile of the user's: its file, and it, or what is wrong with it."""

    path: Path
    profile: LensProfile | None
    damage: str | None = None

    @property
    def name(self) -> str:
        """That of the file, without the ending: what `remove` takes."""
        return self.path.name.removesuffix(_SUFFIX)


def folder() -> Path:
    """Where the user's profiles are: beside the weights, below $UNBLUR_HOME or the caches."""
    return store.folder().parent / "lenses"


def add(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Keep a copy of a profile under the names of its camera and lens.

    Raises:
        KernelError: The file is no lens profile.
        ParameterError: Neither camera nor lens is known: nothing could find it again.
        OutputError: There is one of these names, or the folder cannot be written.
    """
    profile = LensProfile.load(path)
    if not (profile.shot.camera or profile.shot.lens):
        raise ParameterError(
            f"{shown(path)} knows neither camera nor lens, so that nothing could find it: name "
            "them when it is calibrated (--camera, --lens-name), or give the file to --lens"
        )
    name = re.sub(r"[^a-z0-9]+", "-", str(profile.shot).casefold()).strip("-") or "lens"
    target = folder() / f"{name[:120]}{_SUFFIX}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target.parent} cannot be made: {error.strerror}") from error
    profile.save(target, overwrite=overwrite)
    return target


def remove(name: str) -> Path:
    """Delete a kept profile: by the name of its file, with or without the ending, or its path.

    Raises:
        KernelError: None of that name is kept, or the system refuses.
    """
    wanted = Path(name).name.removesuffix(_SUFFIX) + _SUFFIX
    path = folder() / wanted
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise KernelError(
            f"no lens profile named {shown(name)} is kept; `unblur lens list` names those there are"
        ) from error
    except OSError as error:
        raise KernelError(f"{path} cannot be removed: {error.strerror or error}") from error
    return path


def profiles() -> tuple[Shelved, ...]:
    """The user's profiles, sorted by name; damaged ones say what is wrong."""
    found = []
    for path in sorted(folder().glob(f"*{_SUFFIX}")):
        try:
            found.append(Shelved(path, LensProfile.load(path)))
        except KernelError as error:
            found.append(Shelved(path, None, str(error)))
    return tuple(found)


def find(shot: Shot) -> LensProfile:
    """The profile of the camera and lens that a photograph names; of several, the nearest setting.

    Raises:
        KernelError: There is none, or the photograph names neither.
    """
    if not (shot.camera or shot.lens):
        raise KernelError(
            "lens 'auto' needs metadata that name the camera or the lens, and the picture has none "
            "(or they were stripped): name the profile's file"
        )
    known = [(path, _shot_in(path)) for path in sorted(folder().glob(f"*{_SUFFIX}"))]
    fitting = [(path, kept) for path, kept in known if kept is not None and _same(kept, shot)]
    if not fitting:
        raise KernelError(
            f"no lens profile is for {shot}: make one with `unblur calibrate` and keep it with "
            "`unblur lens add` (`unblur lens list` shows those there are)"
        )
    path, _ = min(fitting, key=lambda each: len(shot.differences(each[1])))
    state = path.stat()
    return _loaded(path, state.st_mtime_ns, state.st_size)


def _shot_in(path: Path) -> Shot | None:
    """What a file is for; None where it is damaged."""
    try:
        return load_shot(path)
    except KernelError:
        return None


@lru_cache(maxsize=4)
def _loaded(path: Path, changed: int, size: int) -> LensProfile:
    """A profile, read once for all pictures of a batch."""
    del changed, size  # another file, though it has the same name
    return LensProfile.load(path)


def _same(kept: Shot, shot: Shot) -> bool:
    """Whether the names agree, as far as both are known, and one of them is."""
    pairs = [(kept.camera, shot.camera), (kept.lens, shot.lens)]
    both = [(a.casefold(), b.casefold()) for a, b in pairs if a and b]
    return bool(both) and all(a == b for a, b in both)
