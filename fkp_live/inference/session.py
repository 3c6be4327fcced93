"""Opening a model on an execution provider, with the check that the provider runs it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.choices import PROVIDERS
from fkp_live.errors import ModelError, ProviderError
from fkp_live.inference.metadata import DETECTOR, LANDMARKS, read_metadata
from fkp_live.inference.providers import (
    AUTO_ORDER,
    CPU,
    CURES,
    ProviderSpec,
    auto_note,
    available_providers,
    listed_providers,
    preload_cuda,
    provider_specs,
    why_not_assigned,
)
from fkp_live.inference.runtime import onnxruntime_module, runtime_version

Outputs = list[NDArray[np.float32]]


def create_session(path: Path, providers: Sequence[ProviderSpec], threads: int) -> Any:
    """An ``onnxruntime.InferenceSession`` with this project's options; onnxruntime's errors pass through."""
    onnxruntime = onnxruntime_module()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Worker threads that spin between two frames would take the cores that decoding and encoding need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # For `why_not_assigned`: which provider got which nodes (onnxruntime 1.24; older ones ignore it).
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # Without enable_fallback=0 a failing provider is replaced by the CPU, at creation and in the middle of a
    # run.
    return onnxruntime.InferenceSession(str(path), options, providers=list(providers), enable_fallback=0)


@dataclass(frozen=True, slots=True)
class Backend:
    """The three calls of onnxruntime that concern providers; tests replace them to stand for other machines."""

    available: Callable[[], list[str]] = available_providers
    create: Callable[[Path, Sequence[ProviderSpec], int], Any] = create_session
    preload: Callable[[], None] = preload_cuda


@dataclass(frozen=True, eq=False)
class Session:
    """An open model and the provider that really runs it.

    Attributes
    ----------
    path : the model file
    asked : requested provider, one of `choices.PROVIDERS`
    provider : provider that runs, one of `choices.PROVIDERS` except "auto"
    note : one line for the log: the provider, and why not the others
    metadata : the ``fkp.*`` keys of the file, decoded, without the prefix
    ort : the ``onnxruntime.InferenceSession``
    """

    path: Path
    asked: str
    provider: str
    note: str
    metadata: Mapping[str, Any]
    ort: Any = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the model file, hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def run(self, inputs: dict[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> Outputs:
        """Outputs in the order of ``outputs`` (default: the file's own order) for inputs by name."""
        results: Outputs = self.ort.run(outputs, inputs)
        return results

    def require(self, schema: str) -> None:
        """Raise ModelError unless the file is of this schema."""
        found = self.metadata["schema"]
        if found != schema:
            kinds = {LANDMARKS: "a landmark network", DETECTOR: "a face detector"}
            raise ModelError(
                f"{self.path} is {kinds[found]} ({found}), expected {kinds[schema]} ({schema}).",
                "Omit --model for the shipped one.",
            )


def open_session(
    path: str | Path, provider: str = "auto", threads: int = 1, *, backend: Backend | None = None
) -> Session:
    """Open a model of this project on a provider, and make sure that the provider runs it.

    >>> session = open_session(resolve_model("fkp68"), "cpu")
    >>> points, confidence = session.run({"image": crops}, ["points", "confidence"])

    Parameters
    ----------
    path : an ONNX file with ``fkp.*`` metadata
    provider : one of `choices.PROVIDERS`; "auto" takes the first that is listed and runs, at worst the CPU
    threads : threads inside one operator on the CPU
    backend : replaces onnxruntime in tests of machines with other providers

    Raises
    ------
    ModelError
        If the file is missing, not an ONNX model, or not of this project.
    ProviderError
        If the provider requested by name is not in this build of onnxruntime or does not run.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"provider is {provider!r}, expected one of {', '.join(PROVIDERS)}")
    if threads < 1:
        raise ValueError(f"threads is {threads}, expected 1 or more")
    path, backend = Path(path), backend or Backend()
    _check_file(path)
    listed = listed_providers(backend.available())
    if provider != "auto":
        if provider not in listed:
            raise ProviderError(
                f"The provider {provider} is not in this build of onnxruntime ({runtime_version()}); "
                f"it lists {', '.join(sorted(listed)) or 'none'}.",
                CURES[provider],
            )
        ort, reason = _try_provider(path, provider, threads, backend)
        if ort is None:
            raise ProviderError(
                f"The provider {provider} is listed but does not run: {reason}.", CURES[provider]
            )
        return Session(path, provider, provider, f"{provider}, as requested", read_metadata(path, ort), ort)
    refused: list[str] = []
    for name in AUTO_ORDER:
        if name not in listed:
            continue
        ort, reason = _try_provider(path, name, threads, backend)
        if ort is not None:
            note = auto_note(name, refused, listed)
            return Session(path, "auto", name, note, read_metadata(path, ort), ort)
        refused.append(f"{name} is listed but does not run ({reason})")
    raise ProviderError(f"No provider runs {path.name}: {'; '.join(refused)}.", CURES["cpu"])


def _try_provider(path: Path, provider: str, threads: int, backend: Backend) -> tuple[Any | None, str]:
    """A session that runs on the provider, or None and the reason; ModelError if the file is to blame."""
    if provider in ("cuda", "tensorrt"):
        backend.preload()
    try:
        ort = backend.create(path, provider_specs(provider, threads), threads)
        reason = why_not_assigned(ort, provider) or _why_no_numbers(ort)
    except Exception as error:  # onnxruntime has no common base class for its errors
        if provider == "cpu":
            raise _model_error(path, error) from error
        try:
            backend.create(path, [CPU], threads)
        except Exception as cpu_error:
            raise _model_error(path, cpu_error) from error
        return None, _first_line(error)
    return (None, reason) if reason else (ort, "")


def _why_no_numbers(ort: Any) -> str:
    outputs = ort.run(None, {value.name: _trial_input(value) for value in ort.get_inputs()})
    if not all(np.isfinite(output).all() for output in outputs):
        return "a trial run gave values that are not numbers"
    return ""


def _trial_input(value: Any) -> NDArray[Any]:
    # A symbolic batch becomes 1, a symbolic height or width the least multiple of 32 with several cells.
    shape = [
        side if isinstance(side, int) else (1 if axis == 0 else 64) for axis, side in enumerate(value.shape)
    ]
    noise = np.random.default_rng(0).integers(0, 256, shape)
    return noise.astype(np.uint8 if "uint8" in value.type else np.float32)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise ModelError(f"{path} is a folder, expected an .onnx file.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read: {error.strerror}.") from None
    if empty:
        raise ModelError(f"The model {path} is empty.", "Copy it again: it was not written to its end.")


def _model_error(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path} is not a whole ONNX model that onnxruntime {runtime_version()} can open: {_first_line(error)}.",
        "Expected a file written by 'python -m export'; copy it again if it was cut short.",
    )


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    # onnxruntime begins with its own source file, line and signature.
    return re.sub(r"^\S+\.(?:cc|cpp|h):\d+ .*?\) (?=[A-Z])", "", line).rstrip(".")
