"""The network that finishes a deconvolution: loaded, and made ready for a device, once."""

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unblur.errors import WeightsError

if TYPE_CHECKING:
    from unblur.nets.network import Network

__all__ = ["Finish", "start_finish"]


@dataclass(frozen=True)
class Finish:
    """A network from (B, 16, H, W) to (B, 3, H, W), float32 both.

    Attributes:
        network: as it runs.
        device: where.
        precision: in which: "float32" or "bfloat16".
        sha256: of its weights.
    """

    network: "Network"
    device: torch.device
    precision: str
    sha256: str | None

    @property
    def halo(self) -> int:
        """How far it looks, in pixels."""
        return self.network.spec.halo

    def __call__(self, seen: Tensor) -> Tensor:
        """Restore.

        Raises:
            WeightsError: It gave values that are not finite.
        """
        with torch.inference_mode():
            restored: Tensor = self.network(seen.to(self.device))
        # Arrays of inference mode may not be written to later.
        restored = restored.float().contiguous().clone()
        if not bool(torch.isfinite(restored).all()):
            raise WeightsError(
                f"the network gave values that are not finite in {self.precision}: use precision "
                "'float32', and weights that are whole"
            )
        return restored.to(seen.device)


def start_finish(weights: str, precision: str, device: torch.device) -> Finish:
    """Load the weights and lay the network out for the device, or take those of the last time.

    Args:
        weights: a name, a checkpoint, or a folder.
        precision: "auto" is bfloat16, which the network was trained in, where the device is quicker
            with it, else float32.
        device: to compute on.

    Raises:
        WeightsError: There are no weights of that name, or they are of another kind of network.
    """
    from unblur.nets.weights import locate

    path = os.fspath(locate(weights))
    return _started(path, os.stat(path).st_mtime_ns, precision, str(device))


@lru_cache(maxsize=2)
def _started(path: str, _changed: int, precision: str, device: str) -> Finish:
    from unblur.nets.deepwiener import DeepWiener
    from unblur.nets.runtime.eager import prepared
    from unblur.nets.runtime.precision import has_bfloat16
    from unblur.nets.weights import load_network

    network = load_network(path)
    if not isinstance(network, DeepWiener):
        raise WeightsError(
            f"the weights {path} are of {network.title}, and deep-wiener takes those of "
            f"{DeepWiener.title}"
        )
    place = torch.device(device)
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(place) else "float32"
    ready = prepared(network, place, getattr(torch, precision))
    return Finish(ready, place, precision, network.sha256)
