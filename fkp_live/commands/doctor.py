"""``fkp-live doctor``: what is installed, what really runs on this machine, and how to get what is missing."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from fkp_live.arguments import Parser
from fkp_live.choices import PROVIDERS
from fkp_live.commands.version import version_line
from fkp_live.console import say
from fkp_live.errors import ExitCode, FkpError
from fkp_live.inference.models import models_dir, resolve_model, stream_model
from fkp_live.inference.providers import available_providers

_PACKAGES = ("numpy", "opencv-python", "onnxruntime", "av", "lapx", "orjson", "tqdm")
# Without them nothing else can be looked at.
_FIRST = ("numpy", "opencv-python")
# Other wheels that bring one of these modules; two of them at once break each other.
_VARIANTS = (
    "opencv-python-headless",
    "opencv-contrib-python",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
)
# What each extra is for, the extra, and its packages.
_EXTRAS = (
    ("--send vmc://", "vmc", ("python-osc",)),
    ("--send lsl://", "lsl", ("pylsl",)),
    ("--send camera://", "camera", ("pyvirtualcam",)),
    ("--serve", "server", ("starlette", "uvicorn", "websockets")),
    ("Parquet, batch", "parquet", ("pyarrow",)),
    ("batch --ray", "ray", ("ray",)),
    ("plot", "plots", ("matplotlib",)),
    ("tables of pandas", "tables", ("pandas",)),
)


def main(arguments: Sequence[str] | None = None, _: object = None) -> int:
    """Print the report and return the exit code: 0, or 1 where a necessary part is broken."""
    _parser().parse_args(arguments)
    broken = _versions()
    if not any(part.startswith(_FIRST) for part in broken):
        broken += [*_models(), *_providers()]
        _extras()
        _devices()
    say("")
    if broken:
        say("Broken: " + "; ".join(broken))
        return int(ExitCode.FAILURE)
    say("Everything necessary works.")
    return int(ExitCode.OK)


def _parser() -> Parser:
    return Parser(
        prog="fkp-live doctor",
        description="Shows what is installed, which providers really run, optional packages, cameras and screen.",
    )


def _line(what: str, state: str) -> None:
    say(f"{what:<23} {state}")


def _versions() -> list[str]:
    _line("fkp-live", version_line().removeprefix("fkp-live "))
    _line("python", f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} processors")
    modules = {"opencv-python": "cv2", "lapx": "lap"}
    broken = []
    for package in _PACKAGES:
        try:
            __import__(modules.get(package, package))
        except ImportError as error:
            _line(package, f"cannot be imported: {error}")
            broken.append(f"{package} (pip install --force-reinstall {package})")
            continue
        _line(package, _version(package) or "present under another name")
    for package in _VARIANTS:
        if version := _version(package):
            _line(package, version)
    return broken


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _models() -> list[str]:
    """Compare every shipped file with SHA256SUMS; returns the broken parts."""
    folder = models_dir()
    sums = folder / "SHA256SUMS"
    if not sums.is_file():
        _line("models", f"{sums} is missing")
        return ["the list of models"]
    broken = []
    for line in sums.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        expected, name = line.split(maxsplit=1)
        path = folder / name.lstrip("*")
        state = _compare(path, expected)
        _line(path.name, state)
        if state != "ok":
            broken.append(f"the model file {path.name} ({state})")
    return broken


def _compare(path: Path, expected: str) -> str:
    if not path.is_file():
        return "missing"
    return "ok" if hashlib.sha256(path.read_bytes()).hexdigest() == expected else "not the shipped file"


def _providers() -> list[str]:
    """Open the shipped network on each provider, because not all that are listed run; returns the broken parts."""
    # Loads numpy, which may be what is broken.
    from fkp_live.inference.session import open_session

    try:
        _line("listed by onnxruntime", ", ".join(available_providers()))
        model = resolve_model(None)
    except FkpError as error:
        _line("providers", error.message)
        return ["the landmark network"]
    broken = []
    for provider in PROVIDERS:
        try:
            session = open_session(model, provider)
        except FkpError as error:
            _line(f"provider {provider}", f"no: {error.message}")
            if provider in ("auto", "cpu"):
                broken.append(f"the provider {provider}")
        else:
            runs = "runs" if provider == session.provider else f"runs as {session.provider}"
            _line(f"provider {provider}", runs)
            if provider == "auto":
                _line("network of streams", stream_model(session.provider))
    return broken


def _extras() -> None:
    """Say which optional parts can be used. Nothing is imported: pyvirtualcam is under the GPL, ray is slow."""
    _line("--send udp://, osf://", "yes")
    for what, extra, packages in _EXTRAS:
        versions = {package: _version(package) for package in packages}
        if missing := [package for package, version in versions.items() if version is None]:
            _line(what, f"no: pip install 'fkp-live[{extra}]' ({', '.join(missing)})")
        else:
            _line(what, f"yes ({', '.join(f'{package} {version}' for package, version in versions.items())})")
    # Loads numpy, which may be what is broken.
    from fkp_live.server.site import check_fetched

    try:
        check_fetched()
    except FkpError as error:
        _line("page of web", f"no: {error.message} {error.hint}")
    else:
        _line("page of web", "yes")


def _devices() -> None:
    """Window, screen and cameras."""
    import cv2

    # They load OpenCV, which may be what is broken.
    from fkp_live.commands.cameras import quiet_list
    from fkp_live.display.screen import screen_problem

    _line("window backend", cv2.currentUIFramework() or "none")
    found = [
        f"{c.number} {c.name or '(name not known)'}: {c.problem or ', '.join(c.sizes())}"
        for c in quiet_list()
    ]
    _line("cameras", found[0] if found else "none found")
    for line in found[1:]:
        _line("", line)
    problem = screen_problem()
    _line("screen", "yes" if problem is None else f"none: {problem}")
