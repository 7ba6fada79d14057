"""What is compared: methods of the catalogue with their parameters, and the input itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unblur.blur import Kernel
from unblur.errors import ParameterError, WeightsError
from unblur.photo import Photo
from unblur.progress import Progress
from unblur.restore.api import deblur, load
from unblur.restore.catalogue import find
from unblur.restore.parameters import normalise, parse, schema

__all__ = ["INPUT", "Contender", "Outcome", "contenders"]

INPUT = "input"


@dataclass(frozen=True)
class Outcome:
    """What a contender made of a picture.

    Attributes:
        photo: the result.
        kernel: that was found or given.
        unchanged: why the picture came back as it was, or None.
        seconds: wall clock.
        report: of the method, as JSON; empty for the input itself.
    """

    photo: Photo
    kernel: Kernel | None
    unchanged: str | None
    seconds: float
    report: Mapping[str, Any]


@dataclass(frozen=True)
class Contender:
    """A method with its parameters, or the input itself.

    Attributes:
        label: its name in tables; unlike all others of a run.
        method: name in the catalogue, or "input".
        given: parameters that differ from the defaults.
        device: where it computes.
        needs_kernel: whether the true kernel must be given.
        blind: whether it finds a kernel itself.
        takes_size: whether it can be told the side of the kernel.
        warm: restores a picture with what was loaded once; None where each picture needs its own.
    """

    label: str
    method: str
    given: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    needs_kernel: bool = False
    blind: bool = False
    takes_size: bool = False
    warm: Callable[..., Any] | None = None

    def restore(
        self,
        photo: Photo,
        *,
        kernel: Kernel | None = None,
        kernel_size: int | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Restore a picture; `kernel` goes to methods that need it, `kernel_size` if they take it.

        Raises:
            UnblurError: As the method.

        Example:
            >>> import torch
            >>> photo = Photo.from_tensor(torch.zeros(1, 8, 8))
            >>> Contender("input", "input").restore(photo).photo is photo
            True
        """
        started = time.perf_counter()
        if self.method == INPUT:
            return Outcome(photo, None, None, 0.0, {})
        given = dict(self.given)
        if self.takes_size and kernel_size is not None:
            given.setdefault("kernel_size", kernel_size)
        if self.warm is not None and given == dict(self.given):
            result = self.warm(photo, progress=progress)
        else:
            result = deblur(
                photo, self.method, kernel=kernel if self.needs_kernel else None,
                device=self.device, progress=progress, **given,
            )  # fmt: skip
        seconds = time.perf_counter() - started
        report = result.report.as_dict()
        return Outcome(result.image, result.kernel, result.report.unchanged, seconds, report)


def contenders(
    names: Sequence[str], settings: Mapping[str, Any], *, device: str = "auto"
) -> tuple[Contender, ...]:
    """Set up the input and each named method.

    Args:
        names: of methods; `NAME:PARAMETER=VALUE,...` sets parameters of this one alone.
        settings: parameters for every method that has them.
        device: where to compute.

    Raises:
        ParameterError: A method or a parameter is unknown, out of range, or named twice.
        WeightsError: A network has no weights here.

    Example:
        >>> [each.label for each in contenders(["wiener:penalty=flat"], {"noise-std": "0.01"})]
        ['input', 'wiener:penalty=flat']
    """
    used: set[str] = set()
    methods = [label for label in dict.fromkeys(names) if label != INPUT]
    made = [Contender(INPUT, INPUT)]
    made += [_contender(label, settings, device, used) for label in methods]
    unused = [name for name in settings if name not in used]
    if unused:
        raise ParameterError(f"no method here has a parameter '{unused[0]}'")
    if len(made) == 1 and INPUT not in names:
        raise ParameterError("method is missing: name at least one, such as -m l0")
    return tuple(made)


def _contender(label: str, settings: Mapping[str, Any], device: str, used: set[str]) -> Contender:
    name, _, own = label.partition(":")
    method = find(name)
    properties = schema(method.parameters)["properties"]
    known = set(properties).union(*(entry.get("aliases", ()) for entry in properties.values()))
    given = {name: value for name, value in settings.items() if normalise(name) in known}
    used.update(given)
    for pair in filter(None, own.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"{label}: after ':' come PARAMETER=VALUE, not {pair!r}")
        given[key.strip()] = value.strip()
    given = {normalise(key): value for key, value in given.items()}
    parameters: Any = parse(method.parameters, given)
    ready, why = method.ready(parameters)
    if not ready:
        raise WeightsError(why)
    warm = None if method.needs_kernel else load(method.name, device, **given)
    return Contender(
        label=label,
        method=method.name,
        given=given,
        device=device,
        needs_kernel=method.needs_kernel,
        blind=not method.needs_kernel and "kernel_size" in properties,
        takes_size="kernel_size" in properties,
        warm=warm,
    )
