"""The packages that come with extras, asked for where they are used."""

from importlib import import_module

from unblur.errors import MissingDependency

__all__ = ["require"]

_PACKAGES = {"onnx": ("onnxruntime", "onnx", "onnxscript"), "openvino": ("openvino",)}


def require(extra: str, what: str) -> None:
    """Check that the packages of an extra are there.

    Args:
        extra: "onnx" or "openvino".
        what: needs them, in words.

    Raises:
        MissingDependency: One is not installed.
    """
    for name in _PACKAGES[extra]:
        try:
            import_module(name)
        except ImportError as error:
            raise MissingDependency(
                f"{what} needs {name}; pip install 'unblur[{extra}]'"
            ) from error
