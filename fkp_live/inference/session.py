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
from fkp_live.errors import FkpError, ModelError, ProviderError
from fkp_live.inference.metadata import DETECTOR, EXPRESSION, EYES, LANDMARKS, read_metadata
from fkp_live.inference.providers import (
    AUTO_ORDER,
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
from fkp_live.inference.trial import trial_complaint

# In bytes. No model of this project needs more for two faces, and a damaged one may ask for terabytes.
_LARGEST_BUFFER = 1 << 30
_EXPECTED = (
    "Expected a file written by 'python -m export', or a shipped one; copy it again if it was cut short."
)

Outputs = list[NDArray[np.float32]]
# The onnxruntime session and the metadata of its model.
_Opened = tuple[Any, Mapping[str, Any]]


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
    provider : provider that runs, one of `choices.PROVIDERS` except "auto"
    note : one line for the log: the provider, and why not the others
    metadata : the ``fkp.*`` keys of the file, decoded, without the prefix
    ort : the ``onnxruntime.InferenceSession``
    """

    path: Path
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
            kinds = {
                LANDMARKS: "a landmark network",
                DETECTOR: "a face detector",
                EXPRESSION: "an expression network",
                EYES: "an eye network",
            }
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
        If the file is missing, not an ONNX model, not of this project, or does not do what its metadata claims.
    ProviderError
        If the provider requested by name is not in this build of onnxruntime or does not run.
    FkpError
        If there is not enough memory.
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
        opened, reason = _try_provider(path, provider, threads, backend)
        if opened is None:
            raise ProviderError(
                f"The provider {provider} is listed but does not run: {reason}.", CURES[provider]
            )
        ort, metadata = opened
        return Session(path, provider, f"{provider}, as requested", metadata, ort)
    refused: list[str] = []
    for name in AUTO_ORDER:
        if name not in listed:
            continue
        opened, reason = _try_provider(path, name, threads, backend)
        if opened is not None:
            ort, metadata = opened
            return Session(path, name, auto_note(name, refused, listed), metadata, ort)
        refused.append(f"{name} is listed but does not run ({reason})")
    raise ProviderError(f"No provider runs {path.name}: {'; '.join(refused)}.", CURES["cpu"])


class _NotRunningError(Exception):
    """A provider does not run a model.

    Attributes
    ----------
    reason : in one clause, for the log
    blame : the error to raise where this provider is the CPU, which runs every good file
    """

    def __init__(self, reason: str, blame: FkpError) -> None:
        super().__init__(reason)
        self.reason, self.blame = reason, blame


def _try_provider(path: Path, provider: str, threads: int, backend: Backend) -> tuple[_Opened | None, str]:
    """The model open on the provider, or None and the reason; ModelError if the file is to blame."""
    if provider in ("cuda", "tensorrt"):
        backend.preload()
    try:
        return _open_on(path, provider, threads, backend), ""
    except _NotRunningError as failure:
        if provider == "cpu":
            raise failure.blame from failure.__cause__
        reason = failure.reason
    try:
        _open_on(path, "cpu", threads, backend)
    except _NotRunningError as failure:
        raise failure.blame from failure.__cause__
    return None, reason


def _open_on(path: Path, provider: str, threads: int, backend: Backend) -> _Opened:
    """The session and its metadata after the trial runs; `_NotRunningError` if they do not succeed."""
    try:
        ort = backend.create(path, provider_specs(provider, threads), threads)
        reason = why_not_assigned(ort, provider)
        metadata = read_metadata(path, ort)
    except ModelError:
        raise
    except Exception as error:  # onnxruntime has no common base class for its errors
        raise _NotRunningError(_first_line(error), _blame(path, error)) from error
    if reason:
        raise _NotRunningError(
            reason, ProviderError(f"onnxruntime does not use the CPU for {path}: {reason}.", CURES["cpu"])
        )
    try:
        complaint = trial_complaint(ort, metadata)
    except Exception as error:
        reason = f"a trial run failed: {_first_line(error)}"
        raise _NotRunningError(reason, _blame(path, error, "does not run: a trial run failed")) from error
    if complaint:
        reason = f"in a trial run {complaint}"
        raise _NotRunningError(
            reason, ModelError(f"{path} does not do what its metadata claims: {complaint}.", _EXPECTED)
        )
    return ort, metadata


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except IsADirectoryError:
        raise ModelError(f"{path} is a folder, expected an .onnx file.", _EXPECTED) from None
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read: {error.strerror}.", _EXPECTED) from None
    except ValueError as error:  # a name with a zero byte
        raise ModelError(f"The model {str(path)!r} cannot be read: {error}.", _EXPECTED) from None
    if empty:
        raise ModelError(f"The model {path} is empty.", "Copy it again: it was not written to its end.")


def _blame(path: Path, error: Exception, what: str = "is not a whole ONNX model") -> FkpError:
    """The error to raise where the CPU fails on a file: the file is damaged, or the memory is full."""
    line = _first_line(error)
    size = re.search(r"buffer of size (\d+)", line)
    if size and int(size[1]) > _LARGEST_BUFFER:
        return ModelError(
            f"{path} needs a buffer of {int(size[1]) / 1e9:.1f} GB, at most 1 GB is allowed.", _EXPECTED
        )
    if size or isinstance(error, MemoryError) or re.search(r"bad_alloc|bad allocation|out of memory", line):
        return FkpError(f"There is not enough memory to run {path}: {line}.", "Close other programs.")
    return ModelError(f"{path} {what} (onnxruntime {runtime_version()}): {line}.", _EXPECTED)


def _first_line(error: Exception) -> str:
    """The first line of an error's message, short and without control characters: names in a file may hold them."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    # onnxruntime begins with its own source file, line and signature.
    line = re.sub(r"^\S+\.(?:cc|cpp|h):\d+ .*?\) (?=[A-Z])", "", line).rstrip(".")
    return "".join(char if char.isprintable() else "?" for char in line[:400])
