"""What every test may use: repeatable property tests, reference pictures, a real photograph."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")
# The pictures here are small: threads cost more than they give, above all on a busy machine.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Begin with one, whatever the test before has left: sums are rounded by their order."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference pictures and figures, which is not a part of the project."""
    named = os.environ.get("UNBLUR_SHARED")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no reference pictures: {folder / 'data'} is no folder; set UNBLUR_SHARED")
    return folder


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """A real, sharp colour photograph, uint8 (96, 128, 3)."""
    from skimage import data

    picture = data.astronaut()[20:212:2, 120:376:2]
    picture.flags.writeable = False
    return picture


@pytest.fixture
def png(tmp_path: Path, photograph: np.ndarray) -> Path:
    """The photograph as a file."""
    from PIL import Image

    path = tmp_path / "photo.png"
    Image.fromarray(photograph).save(path)
    return path


class Answer(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run `unblur` with some arguments, in this process."""

    def run(*arguments: object) -> Answer:
        from unblur.cli.main import main

        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def program() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run `unblur` as a program of its own, on one thread, as the tests here (see `one_thread`)."""
    source = str(Path(__file__).parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
        words = [word if isinstance(word, bytes) else str(word) for word in arguments]
        return subprocess.run(
            [sys.executable, "-m", "unblur", *words],
            check=False,
            capture_output=True,
            timeout=300,
            env=environment,
            **options,
        )

    return run


@pytest.fixture
def kernel_file(tmp_path: Path) -> Path:
    """A small motion blur, as a file."""
    from unblur.blur import kernels

    path = tmp_path / "motion.tif"
    kernels.motion(5, 0).save(path)
    return path


@pytest.fixture(scope="session")
def tiny_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with random weights, of tiny widths, for each network of the catalogue."""
    from unblur.nets import weights
    from unblur.nets.autoencoder import Autoencoder
    from unblur.nets.dpanet import DPANet
    from unblur.nets.mprnet import MPRNet
    from unblur.nets.nafnet import NAFNet

    networks = {
        "mprnet-gopro": lambda: MPRNet(4, 1, 1),
        "nafnet-gopro-32": lambda: NAFNet(4, encoder=[1, 1], middle=1, decoder=[1, 1]),
        "dpanet-general": lambda: DPANet(width=2, blocks=1, prior_blocks=1),
        "autoencoder": lambda: Autoencoder(width=1, latent=2),
    }
    home = tmp_path_factory.mktemp("home")
    generator = torch.Generator().manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNBLUR_HOME", str(home))
        for name, make in networks.items():
            state = make().state_dict()
            for key, entry in state.items():
                # What training leaves: nothing is zero.
                noise = torch.randn(entry.shape, generator=generator)
                fan = entry[0].numel() if entry.ndim > 1 else 100
                state[key] = noise * (3 * fan) ** -0.5
            file = home / f"{name}.pth"
            torch.save(state, file)
            weights.add(name, file)
    return home


@pytest.fixture(scope="module")
def tiny_weights(tiny_networks: Path) -> Iterator[Path]:
    """The tiny networks are the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNBLUR_HOME", str(tiny_networks))
        yield tiny_networks


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without weights, and a package without any."""
    from unblur.nets import store

    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path / "nobody"))
    monkeypatch.setattr(store, "SHIPPED", tmp_path / "shipped")
    return tmp_path


@pytest.fixture(scope="module")
def object_store() -> Iterator[str]:
    """The address of an S3 server on this machine, which every client here is led to."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        # A client that is kept from before would go on asking a server that has gone.
        s3fs.S3FileSystem.clear_instance_cache()
        yield address
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of Ray, of one core each, on this machine; `second` is one that may be lost."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80_000_000}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "src"))
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        cluster.second = cluster.add_node(**node)
        yield cluster
        ray.shutdown()
        cluster.shutdown()
