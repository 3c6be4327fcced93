"""Model files and execution providers: found, opened, checked, and the provider verified.

onnxruntime is imported here and nowhere else. It lists providers that cannot run (a GPU wheel on a machine
without CUDA) and then computes on the CPU without an error, so what is reported is what
``session.get_providers()``, the assignment of nodes and a trial run say, never what was asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import re
import sys
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

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_ORT_NAMES = {
    "cpu": _CPU,
    "cuda": _CUDA,
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
# Tried in this order by "auto". The other two run on request only, for the reasons below.
_AUTO_ORDER = ("cuda", "directml", "openvino", "cpu")
_ON_REQUEST = {"tensorrt": "builds an engine at every start", "coreml": "computes in half precision"}
_CURES = {
    "cuda": "pip uninstall onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]', and an NVIDIA driver.",
    "tensorrt": "pip uninstall onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]' tensorrt, "
    "and an NVIDIA driver.",
    "openvino": "pip uninstall onnxruntime && pip install onnxruntime-openvino.",
    "coreml": "Needs macOS: pip install onnxruntime (its macOS wheel holds CoreML).",
    "directml": "Needs Windows: pip uninstall onnxruntime && pip install onnxruntime-directml.",
    "cpu": "pip install --force-reinstall onnxruntime.",
}

# Where a provider computes outside of main memory: its device, as onnxruntime's I/O binding names it.
_DEVICES = {"cuda": "cuda", "tensorrt": "cuda", "directml": "dml"}
# Shapes of the input (numbers of faces, sizes of the reduced picture) whose buffers are kept on the device.
_KEPT_SHAPES = 16

Outputs = list[NDArray[np.float32]]
ProviderSpec = str | tuple[str, dict[str, Any]]


def create_session(path: Path, providers: Sequence[ProviderSpec], threads: int) -> Any:
    """An ``onnxruntime.InferenceSession`` with this project's options; its own errors pass through."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Worker threads that spin between two frames would take the cores that decoding and encoding need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Lets us ask afterwards which provider got which nodes (onnxruntime 1.24; older ones ignore it).
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # Without enable_fallback=0 a failing provider is replaced by the CPU, at creation and in the middle of a
    # run.
    return onnxruntime.InferenceSession(str(path), options, providers=list(providers), enable_fallback=0)


def available_providers() -> list[str]:
    """onnxruntime's names of the providers that this build lists; listed does not mean that they run."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def runtime_version() -> str:
    """Version of onnxruntime."""
    import onnxruntime

    return str(onnxruntime.__version__)


def _preload_cuda() -> None:
    """Load the CUDA libraries of the nvidia-* packages; what is missing is printed, to stderr here."""
    import onnxruntime

    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:
        with contextlib.redirect_stdout(sys.stderr):
            preload()


@dataclass(frozen=True, slots=True)
class Backend:
    """The three things asked of onnxruntime about providers, so that a machine with others can be played."""

    available: Callable[[], list[str]] = available_providers
    create: Callable[[Path, Sequence[ProviderSpec], int], Any] = create_session
    preload: Callable[[], None] = _preload_cuda


class Binding:
    """Runs of a session through I/O binding: buffers on the device for what goes in and out, kept for each shape.

    Not for use from several threads at once.

    Parameters
    ----------
    ort : an ``onnxruntime.InferenceSession``
    device : "cuda", "dml" or "cpu"
    """

    def __init__(self, ort: Any, device: str) -> None:
        self._ort, self._device = ort, device
        self._kept: dict[Any, tuple[Any, dict[str, Any]]] = {}

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> Outputs:
        """As `Session.run`."""
        key = (*outputs, *((name, array.shape) for name, array in inputs.items()))
        if key not in self._kept:
            if len(self._kept) == _KEPT_SHAPES:
                self._kept.clear()
            self._kept[key] = self._bound(inputs, outputs)
        binding, buffers = self._kept[key]
        for name, array in inputs.items():
            buffers[name].update_inplace(np.ascontiguousarray(array))
        self._ort.run_with_iobinding(binding)
        results: Outputs = binding.copy_outputs_to_cpu()
        return results

    def _bound(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> Any:
        from onnxruntime import OrtValue

        binding = self._ort.io_binding()
        buffers = {}
        for name, array in inputs.items():
            buffers[name] = OrtValue.ortvalue_from_shape_and_type(array.shape, array.dtype.type, self._device)
            binding.bind_ortvalue_input(name, buffers[name])
        for name in outputs:
            binding.bind_output(name, self._device)  # allocated by the first run, used again later
        return binding, buffers


@dataclass(frozen=True, eq=False)
class Session:
    """An open model and the provider that really runs it.

    Attributes
    ----------
    path : the model file
    asked : provider asked for, one of `PROVIDERS`
    provider : provider that runs, one of `PROVIDERS` except "auto"
    note : one line: what was taken, and why not the others
    metadata : the ``fkp.*`` keys of the file, decoded, without the prefix
    ort : the ``onnxruntime.InferenceSession``
    binding : what `run` goes through where the provider computes on a device of its own
    """

    path: Path
    asked: str
    provider: str
    note: str
    metadata: Mapping[str, Any]
    ort: Any = field(repr=False)
    binding: Binding | None = field(default=None, repr=False)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the model file, hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def run(self, inputs: dict[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> Outputs:
        """Outputs in the order of ``outputs`` (default: the file's own order) for inputs by name."""
        if self.binding is not None:
            return self.binding.run(inputs, outputs or [value.name for value in self.ort.get_outputs()])
        results: Outputs = self.ort.run(outputs, inputs)
        return results

    def require(self, schema: str) -> None:
        """Raise ModelError unless the file is of this schema."""
        found = self.metadata["schema"]
        if found != schema:
            kinds = {LANDMARKS: "a landmark network", DETECTOR: "a face detector"}
            raise ModelError(
                f"{self.path} is {kinds[found]} ({found}), expected was {kinds[schema]} ({schema}).",
                "Leave --model away for the shipped one.",
            )


def models_dir() -> Path:
    """Folder of the shipped models: inside the installed package, or beside it in a checkout."""
    packaged = Path(str(importlib.resources.files("fkp_live"))) / "models"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "models"


def resolve_model(name_or_path: str | Path | None, default: str = "fkp68") -> Path:
    """Path of a model given by the name of a shipped one ("fkp68"), by a path, or not at all.

    Raises
    ------
    ModelError
        If it is neither a shipped name nor an existing file.
    """
    given = Path(default if name_or_path is None else name_or_path)
    is_name = given.suffix == "" and given.name == str(given)
    shipped = models_dir() / f"{given.name}.onnx"
    if is_name and shipped.is_file():
        return shipped
    if given.is_file():
        return given
    names = sorted(path.stem for path in models_dir().glob("*.onnx") if path.stem != "yunet")
    hint = f"Shipped models: {', '.join(names) or 'none'}; or give the path of an .onnx file."
    if given.is_dir():
        raise ModelError(f"{given} is a folder, expected was an .onnx file.", hint)
    kind = "a shipped model nor a file" if is_name else "a file that exists"
    raise ModelError(f"The model {given} is {'neither' if is_name else 'not'} {kind}.", hint)


def stream_model(provider: str) -> str:
    """Name of the network that follows faces where nobody names one.

    The 8-bit form of ``fkp68`` where the CPU will run it and has instructions for it: there it takes half the time, and
    its card tells what that costs in error and stillness. Elsewhere it gains little or nothing, and ``fkp68`` is taken.

    Parameters
    ----------
    provider : as asked for, or as it runs; one of `PROVIDERS`
    """
    listed = set(available_providers())
    on_cpu = provider == "cpu" or (
        provider == "auto" and not any(_ORT_NAMES[name] in listed for name in _AUTO_ORDER if name != "cpu")
    )
    return "fkp68-int8" if on_cpu and has_vnni() else "fkp68"


def has_vnni(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this is an x86 CPU with dot products of 8-bit integers; False where the system does not tell."""
    try:
        flags = next(line for line in cpu_info.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(flags.split())


def open_session(
    path: str | Path, provider: str = "auto", threads: int = 1, *, backend: Backend | None = None
) -> Session:
    """Open a model of this project on a provider, and make sure that the provider runs it.

    Parameters
    ----------
    path : an ONNX file with ``fkp.*`` metadata
    provider : one of `PROVIDERS`; "auto" takes the first that is listed and proves to run, at worst the CPU
    threads : threads inside one operator on the CPU
    backend : stands for onnxruntime in tests of machines with other providers

    Raises
    ------
    ModelError
        If the file is missing, no ONNX model, or not of this project.
    ProviderError
        If the provider asked for by name is not in this build of onnxruntime or does not run.
    """
    if provider not in PROVIDERS:
        raise ValueError(f"provider is {provider!r}, expected was one of {', '.join(PROVIDERS)}")
    if threads < 1:
        raise ValueError(f"threads is {threads}, expected was 1 or more")
    path, backend = Path(path), backend or Backend()
    _check_file(path)
    listed = {name for name, ort_name in _ORT_NAMES.items() if ort_name in backend.available()}
    if provider != "auto":
        if provider not in listed:
            raise ProviderError(
                f"The provider {provider} is not in this build of onnxruntime ({runtime_version()}); "
                f"it lists {', '.join(sorted(listed)) or 'none'}.",
                _CURES[provider],
            )
        ort, reason = _try_provider(path, provider, threads, backend)
        if ort is None:
            raise ProviderError(
                f"The provider {provider} is listed but does not run: {reason}.", _CURES[provider]
            )
        return _session(path, provider, provider, f"{provider}, as asked", ort)
    refused: list[str] = []
    for name in _AUTO_ORDER:
        if name not in listed:
            continue
        ort, reason = _try_provider(path, name, threads, backend)
        if ort is not None:
            return _session(path, "auto", name, _auto_note(name, refused, listed), ort)
        refused.append(f"{name} is listed but does not run ({reason})")
    raise ProviderError(f"No provider runs {path.name}: {'; '.join(refused)}.", _CURES["cpu"])


def _auto_note(taken: str, refused: list[str], listed: set[str]) -> str:
    reasons = list(refused)
    reasons += [f"{name} on request only ({why})" for name, why in _ON_REQUEST.items() if name in listed]
    later = [name for name in _AUTO_ORDER[_AUTO_ORDER.index(taken) + 1 :] if name in listed and name != "cpu"]
    reasons += [f"{name} comes after it" for name in later]
    absent = [name for name in _ORT_NAMES if name not in listed]
    if absent:
        reasons.append(f"not in this build of onnxruntime: {', '.join(absent)}")
    return f"auto took {taken}; {'; '.join(reasons)}"


def _try_provider(path: Path, provider: str, threads: int, backend: Backend) -> tuple[Any | None, str]:
    """A session that runs on the provider, or None and the reason; ModelError if the file is to blame."""
    if provider in ("cuda", "tensorrt"):
        backend.preload()
    try:
        ort = backend.create(path, _provider_specs(provider, threads), threads)
        reason = _why_not_running(ort, provider)
    except Exception as error:  # onnxruntime has no common base class for its errors
        if provider == "cpu":
            raise _model_error(path, error) from error
        try:
            backend.create(path, [_CPU], threads)
        except Exception as cpu_error:
            raise _model_error(path, cpu_error) from error
        return None, _first_line(error)
    return (None, reason) if reason else (ort, "")


def _provider_specs(provider: str, threads: int) -> list[ProviderSpec]:
    name = _ORT_NAMES[provider]
    if provider == "cpu":
        return [_CPU]
    if provider == "tensorrt":
        return [name, _CUDA, _CPU]  # what TensorRT cannot do, CUDA can
    if provider == "openvino":
        # On CPUs with AMX it would otherwise compute in bfloat16, too coarse for points within a pixel.
        return [(name, {"precision": "ACCURACY", "num_of_threads": str(threads)}), _CPU]
    if provider == "cuda":
        # The default search for the fastest convolution would halt a stream at every new number of faces.
        return [(name, {"cudnn_conv_algo_search": "HEURISTIC"}), _CPU]
    return [name, _CPU]


def _why_not_running(ort: Any, provider: str) -> str:
    """Empty if the session really runs on the provider, else one sentence why not."""
    name = _ORT_NAMES[provider]
    running = ort.get_providers()
    if name not in running:
        return f"onnxruntime fell back to {', '.join(running)}"
    assignment = getattr(ort, "get_provider_graph_assignment_info", None)
    if provider != "cpu" and assignment is not None:
        owners = {subgraph.ep_name for subgraph in assignment()}
        if owners and name not in owners:
            return f"it takes no operation of this model, all run on {', '.join(sorted(owners))}"
    outputs = ort.run(None, {value.name: _trial_input(value) for value in ort.get_inputs()})
    if not all(np.isfinite(output).all() for output in outputs):
        return "a trial run gave values that are not numbers"
    return ""


def _trial_input(value: Any, seed: int = 0) -> NDArray[Any]:
    # A symbolic batch becomes 1, a symbolic height or width the least multiple of 32 with several cells.
    shape = [
        side if isinstance(side, int) else (1 if axis == 0 else 64) for axis, side in enumerate(value.shape)
    ]
    noise = np.random.default_rng(seed).integers(0, 256, shape)
    return noise.astype(np.uint8 if "uint8" in value.type else np.float32)


def _bind(ort: Any, provider: str) -> tuple[Binding | None, str]:
    """I/O binding of a provider with a device of its own, if it gives what a plain run gives; else why not."""
    if provider not in _DEVICES:
        return None, ""
    binding = Binding(ort, _DEVICES[provider])
    names = [value.name for value in ort.get_outputs()]
    try:
        for seed in (0, 1):  # the second run shows that the buffers take what is new
            inputs = {value.name: _trial_input(value, seed) for value in ort.get_inputs()}
            pairs = zip(binding.run(inputs, names), ort.run(names, inputs), strict=True)
            if not all(np.allclose(bound, plain, rtol=1e-2, atol=1e-2) for bound, plain in pairs):
                return None, "; without I/O binding, which gave other values"
    except Exception as error:  # onnxruntime has no common base class for its errors
        return None, f"; without I/O binding ({_first_line(error)})"
    return binding, ""


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise ModelError(f"{path} is a folder, expected was an .onnx file.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read: {error.strerror}.") from None
    if empty:
        raise ModelError(f"The model {path} is empty.", "Copy it again: it was not written to its end.")


def _model_error(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path} is no whole ONNX model that onnxruntime {runtime_version()} can open: {_first_line(error)}.",
        "Expected was a file written by 'python -m export'; copy it again if it was cut short.",
    )


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    # onnxruntime begins with its own source file, line and signature.
    return re.sub(r"^\S+\.(?:cc|cpp|h):\d+ .*?\) (?=[A-Z])", "", line).rstrip(".")


def _session(path: Path, asked: str, provider: str, note: str, ort: Any) -> Session:
    binding, without = _bind(ort, provider)
    return Session(path, asked, provider, note + without, read_metadata(path, ort), ort, binding)
