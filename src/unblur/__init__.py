"""Deblurring of photographs: a blurred picture in, a sharp one out.

The public names are loaded on first use, so that `import unblur` costs nothing and the command line
answers at once.

Example:
    >>> import unblur
    >>> kernel = unblur.kernels.motion(length=5, angle=0)
    >>> kernel.size
    (1, 5)
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unblur import errors as errors
    from unblur import metrics as metrics
    from unblur.blur import Field as Field
    from unblur.blur import Kernel as Kernel
    from unblur.blur import kernels as kernels
    from unblur.errors import UnblurError as UnblurError
    from unblur.lens.profile import LensProfile as LensProfile
    from unblur.photo import Photo as Photo
    from unblur.photo import read as read
    from unblur.photo import write as write
    from unblur.restore.api import Report as Report
    from unblur.restore.api import Result as Result
    from unblur.restore.api import deblur as deblur
    from unblur.restore.api import estimate_kernel as estimate_kernel
    from unblur.restore.api import load as load
    from unblur.restore.calibration import calibrate as calibrate
    from unblur.restore.catalogue import METHODS as METHODS
    from unblur.restore.synthesis import blur as blur

__version__ = "0.1.0"

_HOMES = {
    "METHODS": "unblur.restore.catalogue",
    "Field": "unblur.blur",
    "Kernel": "unblur.blur",
    "LensProfile": "unblur.lens.profile",
    "Photo": "unblur.photo",
    "Report": "unblur.restore.api",
    "Result": "unblur.restore.api",
    "UnblurError": "unblur.errors",
    "blur": "unblur.restore.synthesis",
    "calibrate": "unblur.restore.calibration",
    "deblur": "unblur.restore.api",
    "errors": "unblur.errors",
    "estimate_kernel": "unblur.restore.api",
    "kernels": "unblur.blur.kernels",
    "load": "unblur.restore.api",
    "metrics": "unblur.metrics",
    "read": "unblur.photo",
    "write": "unblur.photo",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604 - all of them are texts


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'unblur' has no attribute {name!r}")
    module = import_module(home)
    value: object = module if home.rpartition(".")[2] == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds every imported submodule to its name here; that must not put the
        # package `unblur.blur` in the place of the function `unblur.blur`.
        if not (isinstance(value, ModuleType) and name in _HOMES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
