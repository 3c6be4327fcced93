"""The rivals' own environment, made on demand, and the process in it that answers face by face.

dlib comes as dlib-bin with the 68-point predictor that face_recognition_models carries. MediaPipe is 0.10.21: the
last release whose wheel holds its models. From 0.10.30 on it has none and needs a ``.task`` file from elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import FkpError, InputError
from fkp_live.types import Image

PACKAGES = (
    "dlib-bin==20.0.1.post1",
    "face_recognition_models==0.3.0",
    "mediapipe==0.10.21",
    # Runs MediaPipe's plain network bare, without MediaPipe's graph around it.
    "ai-edge-litert==2.3.0",
)
DEFAULT_ENV = Path(__file__).parent / ".rivals-env"
WORKER = Path(__file__).parent / "peers_worker.py"
NAMES = ("dlib", "mediapipe mesh", "mediapipe attention mesh")
_STAMP = "rivals.json"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a system made of one picture.

    Attributes
    ----------
    faces : (N, 68, 2) float64, picture pixels
    regions : (N, 5) where it looked for the points, or empty: centre x, y, width, height, angle in radians
    wall, cpu : seconds of each timed call, on the clock and of the processor (all threads)
    """

    faces: NDArray[np.float64]
    regions: NDArray[np.float64]
    wall: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say where the rivals live."""
    parser.add_argument(
        "--env", type=Path, default=DEFAULT_ENV, help="the rivals' environment (default: %(default)s)"
    )
    parser.add_argument("--python", default=sys.executable, help="interpreter to make it with, 3.9 to 3.12")
    parser.add_argument("--log", type=Path, help="what the rivals print")


def python_of(env: Path) -> Path:
    """The interpreter of a virtual environment."""
    return env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_env(env: Path, python: str = sys.executable) -> Path:
    """The rivals' interpreter; makes the environment first where it is missing or holds other versions.

    Raises
    ------
    InputError
        ``env`` is a folder that this function did not make.
    FkpError
        pip could not install the rivals.
    """
    stamp = env / _STAMP
    if stamp.is_file() and json.loads(stamp.read_text()) == list(PACKAGES):
        return python_of(env)
    if env.exists() and not stamp.is_file() and not (env.is_dir() and not any(env.iterdir())):
        raise InputError(
            f"{env} is not an environment made by this command", "Name another folder with --env."
        )
    env.mkdir(parents=True, exist_ok=True)
    stamp.write_text("[]\n")  # ours, but not ready
    (env / ".gitignore").write_text("*\n")
    print(f"Making the rivals' environment in {env} (1.2 GB, some minutes) …", file=sys.stderr)
    for command in (
        [python, "-m", "venv", str(env)],
        [str(python_of(env)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
    ):
        try:
            subprocess.run(command, stdout=sys.stderr, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise FkpError(
                f"the rivals cannot be installed: {error}",
                "MediaPipe 0.10.21 has wheels for Python 3.9 to 3.12: name such a one with --python.",
            ) from error
    stamp.write_text(json.dumps(list(PACKAGES)) + "\n")
    return python_of(env)


class Rivals:
    """A process with all rivals open; one request at a time.

    Attributes
    ----------
    versions : package -> version
    """

    def __init__(self, python: Path, log: Path | None = None) -> None:
        environment = {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            "GLOG_minloglevel": "2",
        }
        self._log = (log or Path(os.devnull)).open("wb")
        self._process = subprocess.Popen(
            [str(python), "-I", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )
        self.versions: dict[str, str] = self._reply()["versions"]

    def __enter__(self) -> Rivals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()

    def ask(
        self,
        name: str,
        way: str,
        image: Image,
        region: Sequence[float] | None = None,
        *,
        repeats: int = 0,
        restart: bool = False,
    ) -> Answer:
        """What rival ``name`` makes of a BGR picture; see `peers_worker` for the ways.

        Raises
        ------
        FkpError
            The rival failed or its process ended.
        """
        request = {
            "ask": name,
            "way": way,
            "region": None if region is None else [float(v) for v in region],
            "repeats": repeats,
            "restart": restart,
            "shape": image.shape,
        }
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(request).encode() + b"\n" + image[..., ::-1].tobytes())
            pipe.flush()
        except BrokenPipeError as error:
            raise FkpError("the rivals' process has ended", "Its own words: --log FILE.") from error
        reply = self._reply()
        return Answer(
            np.array(reply["faces"], np.float64).reshape(-1, 68, 2),
            np.array(reply.get("regions", []), np.float64).reshape(-1, 5),
            tuple(reply["wall"]),
            tuple(reply["cpu"]),
        )

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise FkpError("the rivals' process ended without an answer", "Its own words: --log FILE.")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            self.close()
            raise FkpError(f"a rival failed: {reply['error']}", "Remove the folder --env to install it anew.")
        return reply
