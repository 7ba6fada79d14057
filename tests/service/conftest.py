"""A database of each kind, and a service that really runs, on loopback and for these tests only."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

ROOT = Path(__file__).parents[2]
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Program:
    """`unblur serve` or `unblur worker`, from start to end."""

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        self.folder = folder
        home = {"UNBLUR_HOME": str(folder), "PYTHONPATH": str(ROOT / "src")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "unblur", *words],
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", **home, **environment},
            text=True,
        )
        self.lines: list[str] = []
        self._begun = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._begun.wait(120), self.log
        found = re.search(r"http://\S+?:\d+", self.log)
        self.address = found[0] if found else ""

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("unblur"):
                self._begun.set()
        self._begun.set()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._ended()

    def kill(self) -> None:
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        code = self.process.wait(60)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@pytest.fixture
def program_in(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start programs that are ended with the test."""
    begun: list[Program] = []

    def start(*words: str, folder: Path = tmp_path, **environment: str) -> Program:
        begun.append(Program(folder, *words, **environment))
        return begun[-1]

    yield start
    for program in begun:
        program.kill()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One service for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("service")
    program = Program(
        folder, "serve", "--port", "0", "--workers", "1", "--queue", "50", "--max-body", "2MB",
        "--max-pixels", "1", "--job-seconds", "60",
    )  # fmt: skip
    with httpx.Client(base_url=program.address) as client:
        until = time.monotonic() + 120
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < until, program.log
            time.sleep(0.2)
    yield program
    program.stop()


@pytest.fixture
def client(service: Program) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.address, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def picture(photograph: np.ndarray) -> bytes:
    """A small photograph, blurred sideways, as PNG."""
    import unblur

    blurred = unblur.blur(photograph, unblur.kernels.motion(5, 0))
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(blurred).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="session")
def kernel() -> bytes:
    """What it was blurred with."""
    import unblur

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "k.tif")
        unblur.kernels.motion(5, 0).save(path)
        return path.read_bytes()


@pytest.fixture
def order(picture: bytes, kernel: bytes) -> dict[str, Any]:
    """A quick job, as arguments of `client.post`."""
    return {
        "files": {"file": ("shaken.png", picture), "kernel": ("k.tif", kernel)},
        "data": {"method": "wiener", "options": '{"noise_std": 0.01}'},
    }


@pytest.fixture
def profile(tmp_path: Path, photograph: np.ndarray) -> Path:
    """A lens that blurs to the left more than to the right."""
    import torch

    from unblur.blur import Field, kernels
    from unblur.lens import LensProfile, Shot

    cells = [kernels.gaussian(sigma).crop(11).pixels for sigma in (1.6, 1.2, 0.8)]
    field = Field.of(torch.stack(cells)[None])
    height, width, _ = photograph.shape
    shot = Shot("Maker One", "Prime", 50.0, 2.8)
    path = tmp_path / "prime.safetensors"
    LensProfile(field, torch.ones(1, 3), (height, width), shot).save(path)
    return path


@pytest.fixture
def soft(photograph: np.ndarray, profile: Path) -> bytes:
    """The photograph as that lens takes it."""
    import unblur
    from unblur.lens import LensProfile

    blurred = unblur.blur(photograph, LensProfile.load(profile).field)
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(blurred).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def wait_for(client: httpx.Client) -> Callable[..., dict[str, Any]]:
    """Ask until a job has come to its end."""

    def wait(job: str, seconds: float = 120) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while True:
            answer = client.get(f"/v1/jobs/{job}")
            assert answer.status_code == 200, answer.text
            shown: dict[str, Any] = answer.json()
            if shown["state"] not in ("queued", "running"):
                return shown
            assert time.monotonic() < until, shown
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, which goes with the tests."""
    if not BINARIES:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="unblur-pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user: str | None = None
    if os.getuid() == 0:  # the server refuses to run as root
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        user = "postgres"
        shutil.chown(folder, user)
    run: Any = {"capture_output": True, "user": user, "cwd": folder}
    data = folder / "data"
    subprocess.run(
        [BINARIES[-1] / "initdb", "-D", data, "-U", "unblur", "-A", "trust"], check=True, **run
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [BINARIES[-1] / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], check=True, **run)
    try:
        yield f"postgresql://unblur@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, **run)
        shutil.rmtree(folder, ignore_errors=True)
