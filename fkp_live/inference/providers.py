"""Execution providers: names, order, options, and the check that a session really runs on one.

onnxruntime lists providers that cannot run (a GPU wheel on a machine without CUDA) and then computes on the
CPU without an error. So the provider that is reported follows from ``session.get_providers()``, the assignment
of nodes and a trial run, never from the request.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

from fkp_live.inference.runtime import onnxruntime_module

CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
# Our name -> onnxruntime's name.
ORT_NAMES = {
    "cpu": CPU,
    "cuda": _CUDA,
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
# "auto" tries them in this order. The other two run on request only, for the reasons below.
AUTO_ORDER = ("cuda", "directml", "openvino", "cpu")
_ON_REQUEST = {"tensorrt": "builds an engine at every start", "coreml": "computes in half precision"}
CURES = {
    "cuda": "pip uninstall onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]', and an NVIDIA driver.",
    "tensorrt": "pip uninstall onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]' tensorrt, "
    "and an NVIDIA driver.",
    "openvino": "pip uninstall onnxruntime && pip install onnxruntime-openvino.",
    "coreml": "Needs macOS: pip install onnxruntime (its macOS wheel holds CoreML).",
    "directml": "Needs Windows: pip uninstall onnxruntime && pip install onnxruntime-directml.",
    "cpu": "pip install --force-reinstall onnxruntime.",
}

ProviderSpec = str | tuple[str, dict[str, Any]]


def available_providers() -> list[str]:
    """onnxruntime's names of the providers in this build; not all of them need run on this machine."""
    return list(onnxruntime_module().get_available_providers())


def listed_providers(available: list[str]) -> set[str]:
    """Our names of the providers among onnxruntime's names."""
    return {name for name, ort_name in ORT_NAMES.items() if ort_name in available}


def preload_cuda() -> None:
    """Load the CUDA libraries of the nvidia-* packages; onnxruntime prints what is missing, here to stderr."""
    preload = getattr(onnxruntime_module(), "preload_dlls", None)
    if preload is not None:
        with contextlib.redirect_stdout(sys.stderr):
            preload()


def provider_specs(provider: str, threads: int) -> list[ProviderSpec]:
    """The ``providers`` argument of an onnxruntime session: this provider, and the CPU for the rest.

    Parameters
    ----------
    provider : one of `choices.PROVIDERS` except "auto"
    threads : threads inside one operator on the CPU
    """
    name = ORT_NAMES[provider]
    if provider == "cpu":
        return [CPU]
    if provider == "tensorrt":
        return [name, _CUDA, CPU]  # what TensorRT cannot do, CUDA can
    if provider == "openvino":
        # On CPUs with AMX it would otherwise compute in bfloat16, too coarse for points within a pixel.
        return [(name, {"precision": "ACCURACY", "num_of_threads": str(threads)}), CPU]
    if provider == "cuda":
        # The default search for the fastest convolution would halt a stream at every new number of faces.
        return [(name, {"cudnn_conv_algo_search": "HEURISTIC"}), CPU]
    return [name, CPU]


def why_not_assigned(ort: Any, provider: str) -> str:
    """Why an open session does not use the provider, in one clause; empty if it does.

    Parameters
    ----------
    ort : an ``onnxruntime.InferenceSession``
    provider : one of `choices.PROVIDERS` except "auto"
    """
    name = ORT_NAMES[provider]
    running = ort.get_providers()
    if name not in running:
        return f"onnxruntime fell back to {', '.join(running)}"
    assignment = getattr(ort, "get_provider_graph_assignment_info", None)
    if provider != "cpu" and assignment is not None:
        owners = {subgraph.ep_name for subgraph in assignment()}
        if owners and name not in owners:
            return f"it takes no operation of this model, all run on {', '.join(sorted(owners))}"
    return ""


def auto_note(taken: str, refused: list[str], listed: set[str]) -> str:
    """One line for the log: the provider that "auto" took, and why not the others."""
    reasons = list(refused)
    reasons += [f"{name} on request only ({why})" for name, why in _ON_REQUEST.items() if name in listed]
    later = [name for name in AUTO_ORDER[AUTO_ORDER.index(taken) + 1 :] if name in listed and name != "cpu"]
    reasons += [f"{name} comes after it" for name in later]
    absent = [name for name in ORT_NAMES if name not in listed]
    if absent:
        reasons.append(f"not in this build of onnxruntime: {', '.join(absent)}")
    return f"auto took {taken}; {'; '.join(reasons)}"


def has_vnni(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this is an x86 CPU with dot products of 8-bit integers; False where ``cpu_info`` is missing."""
    try:
        flags = next(line for line in cpu_info.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(flags.split())
