"""Every error that unblur raises on purpose.

UnblurError
├── InputError              the picture cannot be used
│   ├── UnsupportedFormat   not a format that unblur reads or writes
│   ├── CorruptImage        damaged, truncated or empty
│   ├── ImageTooLarge       more pixels, frames or bytes than allowed
│   └── NonFiniteInput      holds NaN or infinity
├── OutputError             the result cannot be stored as asked
├── KernelError             the blur kernel is not usable
├── ParameterError          a parameter is unknown or out of range
├── WeightsError            a checkpoint is missing, damaged or does not fit
├── MissingDependency       an optional package is needed; names the extra
├── OutOfMemory             the limit is too low for the work; says what would fit
└── Cancelled               somebody asked to stop

A message names the argument, what was expected, what came, and what to do. Errors that are about an
argument's value are `ValueError`s too, so that code that knows nothing of unblur can catch them.
"""

__all__ = [
    "Cancelled",
    "CorruptImage",
    "ImageTooLarge",
    "InputError",
    "KernelError",
    "MissingDependency",
    "NonFiniteInput",
    "OutOfMemory",
    "OutputError",
    "ParameterError",
    "UnblurError",
    "UnsupportedFormat",
    "WeightsError",
]


class UnblurError(Exception):
    """The root: catch it to catch everything that unblur reports."""


class InputError(UnblurError, ValueError):
    """The picture that was given cannot be used."""


class UnsupportedFormat(InputError):
    """The content is not a format, colour space or layout that unblur handles."""


class CorruptImage(InputError):
    """The file is damaged, truncated or empty."""


class ImageTooLarge(InputError):
    """The picture has more pixels, frames or bytes than the limit allows."""


class NonFiniteInput(InputError):
    """The picture holds NaN or infinity."""


class OutputError(UnblurError):
    """The result cannot be stored as asked; what stood there before still stands."""


class KernelError(UnblurError, ValueError):
    """The blur kernel is not usable: wrong shape, not finite, negative or without mass."""


class ParameterError(UnblurError, ValueError):
    """A parameter is unknown, of the wrong type or out of its range."""


class WeightsError(UnblurError):
    """A checkpoint is missing, damaged, or does not fit the network."""


class MissingDependency(UnblurError, ImportError):
    """An optional package is not installed; the message names the extra to install."""


class OutOfMemory(UnblurError, MemoryError):
    """The work does not fit the memory limit; the message says which limit or tile would."""


class Cancelled(UnblurError):
    """The caller asked to stop."""
