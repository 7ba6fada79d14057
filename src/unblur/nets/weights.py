"""Weights by name: added once and checked, then loaded wherever a network is asked for."""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from torch import Tensor

from unblur import __version__
from unblur.errors import ParameterError, WeightsError
from unblur.files import shown
from unblur.nets import store
from unblur.nets.catalogue import NETWORKS
from unblur.nets.checkpoint import open_checkpoint, weights_in
from unblur.nets.network import Network, Shapes
from unblur.nets.store import Entry, remove

__all__ = [
    "Entry",
    "add",
    "architecture",
    "list_weights",
    "load_network",
    "locate",
    "remove",
    "weights_path",
]

_ARCHITECTURES = {variant.name: variant.architecture for variant in NETWORKS}

_LISTED = "`unblur weights list` names those there are"
_ORIGINS = {
    "mprnet": "model_deblurring.pth, linked from github.com/swz30/MPRNet,",
    "nafnet": "NAFNet-GoPro-width32.pth or -width64.pth, linked from "
    "github.com/megvii-research/NAFNet,",
}


def architecture(name: str) -> type[Network]:
    """Give the architecture of weights from their name, which begins with it.

    Raises:
        ParameterError: There is no such architecture.

    Example:
        >>> architecture("nafnet-gopro-32").title
        'NAFNet'
    """
    first = _family(name)
    if first is None:
        raise ParameterError(
            f"the name of weights must begin with {', '.join(_ARCHITECTURES)}, such as "
            f"mprnet-gopro, got {name!r:.80}"
        )
    return _ARCHITECTURES[first]


def _family(name: str) -> str | None:
    """The name of an architecture that is all of `name`, or what stands before a dash of it."""
    return next((each for each in _ARCHITECTURES if f"{name}-".startswith(f"{each}-")), None)


def add(
    name: str,
    file: str | os.PathLike[str],
    *,
    licence: str | None = None,
    source: str | None = None,
    overwrite: bool = False,
) -> Entry:
    """Check a published checkpoint, and keep it under a name, as safetensors.

    Args:
        name: says by its beginning for which architecture the weights are.
        file: as `read_checkpoint` takes it.
        licence: of the weights; if not given, only that of the published ones can be named.
        source: where the file came from, in words.
        overwrite: whether to replace weights of that name.

    Raises:
        ParameterError: The name is none for weights.
        WeightsError: The file is not such weights, or the name is taken.
        OutputError: The user's folder cannot be written.
    """
    kind = architecture(store.check_name(name))
    if not overwrite:
        store.check_free(name)
    found = open_checkpoint(file)
    network = _checked(kind, found.state, shown(file))
    notes = {
        "architecture": _family(name) or "",
        "name": name,
        "licence": licence or _unstated(name, kind),
        "source": source or "",
        "file": shown(os.path.basename(file)),
        "source_sha256": found.sha256,
        "date": datetime.now(UTC).date().isoformat(),
        "unblur": __version__,
        "config": json.dumps(network._hub_mixin_config),  # noqa: SLF001 - what save_pretrained writes
    }
    return store.put(name, _once(network.state_dict()), notes, overwrite=overwrite)


def _checked(kind: type[Network], state: dict[str, Tensor], label: str) -> Network:
    """Build the network; say which file does not fit, and what it holds if that is known."""
    try:
        return kind.from_state(state)
    except WeightsError as error:
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        for name, other in _ARCHITECTURES.items():
            if other is not kind and _fits(other, shapes):
                raise WeightsError(
                    f"{label} holds weights of {other.title}, not of {kind.title}: give them a "
                    f"name that begins with {name}-"
                ) from None
        raise WeightsError(f"{label}: {error}") from None


def _unstated(name: str, kind: type[Network]) -> str:
    """Say what is known where nobody told the licence: weights need not be the published ones."""
    published = name.partition("-")[0] in _ORIGINS
    return f"not stated (published weights: {kind.licence})" if published else "not stated"


def _fits(kind: type[Network], shapes: Shapes) -> bool:
    with suppress(WeightsError):
        kind.check_shapes(shapes)
        return True
    return False


def _once(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keep one name of each entry: networks may share an entry among layers, and files may not."""
    seen = {tensor.data_ptr(): name for name, tensor in reversed(state.items())}
    return {name: tensor for name, tensor in state.items() if seen[tensor.data_ptr()] == name}


def list_weights() -> tuple[Entry, ...]:
    """List the weights there are: the user's, and those that came with unblur."""
    return store.entries()


def weights_path(name: str) -> Path:
    """Give the file of the weights `name`.

    Raises:
        ParameterError: It cannot be a name.
        WeightsError: There are none; says how to get them.

    Example:
        >>> weights_path("mprnet-nothing")
        Traceback (most recent call last):
        unblur.errors.WeightsError: there are no weights named mprnet-nothing: download ...
    """
    path = store.find(name)
    if path is None:
        raise WeightsError(f"there are no weights named {name}: {_advice(name)}")
    return path


def _advice(name: str) -> str:
    family = _family(name)
    if family is None:
        return f"{_LISTED}, and all begin with {', '.join(_ARCHITECTURES)}"
    kind, origin = _ARCHITECTURES[family], _ORIGINS.get(family)
    if origin is None:
        return (
            f"none are published for {kind.title}, so ask who trained some for their file, and run "
            f"`unblur weights add {name} FILE`"
        )
    return f"download {origin} and run `unblur weights add {name} FILE` (licence: {kind.licence})"


def load_network(source: str | os.PathLike[str]) -> Network:
    """Load a network ready to restore; nothing is downloaded.

    Args:
        source: the name of weights, a checkpoint of any network of the catalogue, or a folder that
            `save_pretrained` wrote. A name goes before a file of that name.

    Raises:
        WeightsError: There is nothing of that name (says how to get it), or it is not such weights.
    """
    path = locate(source)
    found = open_checkpoint(weights_in(path) if os.path.isdir(path) else path)
    kind = _ARCHITECTURES.get(found.notes.get("architecture", ""))
    kind = kind or _recognised(found.state, shown(path))
    network = _checked(kind, found.state, shown(path))
    network.sha256 = found.sha256
    return network


def locate(source: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Find what `load_network` would open, without opening it.

    Raises:
        WeightsError: There is nothing of that name; says how to get it.

    Example:
        >>> locate("no/such/file")
        Traceback (most recent call last):
        unblur.errors.WeightsError: there is no file or folder 'no/such/file', and ...
    """
    nothing = f"there is no file or folder {shown(source)!r}, and no weights have that name"
    try:
        return weights_path(os.fspath(source))
    except ParameterError:  # not a name
        missing = f"{nothing}: {_LISTED}"
    except WeightsError as error:
        known = _family(os.fspath(source)) is not None
        missing = str(error) if known else f"{nothing}: {_LISTED}"
    if not os.path.lexists(source):
        raise WeightsError(missing)
    return source


def _recognised(state: dict[str, Tensor], label: str) -> type[Network]:
    """Find the architecture that has entries of these names and shapes."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for kind in _ARCHITECTURES.values():
        if _fits(kind, shapes):
            return kind
    raise WeightsError(f"{label} fits no network that unblur has: {', '.join(_ARCHITECTURES)}")
