"""Providers that run, that are missing, and that are listed but do not run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp_live.choices import PROVIDERS
from fkp_live.errors import ExitCode, ModelError, ProviderError
from fkp_live.faces.detector import YuNet, landmark_boxes
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.inference.models import models_dir, resolve_model
from fkp_live.inference.providers import ORT_NAMES, ProviderSpec, available_providers, has_vnni
from fkp_live.inference.session import Backend, create_session, open_session

YUNET = models_dir() / "yunet.onnx"
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"


class Relabelled:
    """A real CPU session under another provider's name, as a machine that has it would give."""

    def __init__(self, session: Any, providers: list[str], owners: Sequence[str] = ()) -> None:
        self._session, self._providers, self._owners = session, providers, owners

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return self._providers

    def get_provider_graph_assignment_info(self) -> list[Any]:
        return [type("Subgraph", (), {"ep_name": owner})() for owner in self._owners]


def machine(
    *listed: str, runs: Sequence[str] = (), broken: Sequence[str] = (), idle: Sequence[str] = ()
) -> Backend:
    """A machine whose onnxruntime lists, runs, fails to open, or opens and leaves idle, these providers.

    A provider that is only listed is opened by the real onnxruntime, which does not have it and falls back.
    """

    def name_of(spec: ProviderSpec) -> str:
        return spec if isinstance(spec, str) else spec[0]

    def create(path: Path, providers: Sequence[ProviderSpec], threads: int) -> Any:
        names = [name_of(spec) for spec in providers]
        if names[0] in broken:
            raise RuntimeError(
                f"/src/bridge.cc:729 void Register(Options&) Please install {names[0]} libraries.\nmore"
            )
        if names[0] in runs or names[0] in idle:
            session = create_session(path, [CPU], threads)
            return Relabelled(session, names, [CPU] if names[0] in idle else [names[0], CPU])
        return create_session(path, providers, threads)

    return Backend(available=lambda: list(listed), create=create, preload=lambda: None)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_takes_a_provider_that_runs_and_notes_why_not_the_others() -> None:
    session = open_session(YUNET, backend=machine(TENSORRT, CUDA, CPU))
    assert session.provider == "cpu"
    assert session.note.startswith("auto took cpu; cuda is listed but does not run (")
    assert "tensorrt on request only" in session.note
    assert "not in this build of onnxruntime: openvino, coreml, directml" in session.note
    assert "\n" not in session.note


def test_auto_prefers_a_provider_that_runs() -> None:
    session = open_session(YUNET, backend=machine(OPENVINO, CUDA, CPU, runs=[CUDA]))
    assert session.provider == "cuda"
    assert "openvino comes after it" in session.note
    session = open_session(YUNET, backend=machine(OPENVINO, CUDA, CPU, runs=[OPENVINO], broken=[CUDA]))
    assert session.provider == "openvino"
    assert "cuda is listed but does not run (Please install CUDAExecutionProvider libraries)" in session.note


# onnxruntime's own warning about a provider that it does not have.
@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize("trouble", ["listed only", "broken", "idle"])
@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino", "coreml", "directml"])
def test_a_requested_provider_that_does_not_run_is_refused(provider: str, trouble: str) -> None:
    name = ORT_NAMES[provider]
    if trouble == "listed only" and name in available_providers():
        pytest.skip("this onnxruntime has it: see test_every_provider_that_is_listed_here")
    kinds = {"broken": {"broken": [name]}, "idle": {"idle": [name]}}.get(trouble, {})
    with pytest.raises(ProviderError, match=f"provider {provider} is listed but does not run") as caught:
        open_session(YUNET, provider, backend=machine(name, CPU, **kinds))
    assert caught.value.exit_code == ExitCode.PROVIDER
    assert "pip install" in caught.value.hint
    reason = {"listed only": "fell back to CPU", "broken": ": Please install", "idle": "takes no operation"}
    assert reason[trouble] in caught.value.message


def test_a_provider_that_is_not_listed_is_refused_with_the_cure() -> None:
    with pytest.raises(
        ProviderError, match=r"openvino is not in this build of onnxruntime.*lists cpu"
    ) as caught:
        open_session(YUNET, "openvino", backend=machine(CPU))
    assert "onnxruntime-openvino" in caught.value.hint


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_that_is_listed_here(provider: str, astronaut: np.ndarray) -> None:
    """On this machine: it computes the same points as the CPU, or it is refused."""
    expected = YuNet(open_session(YUNET, "cpu")).detect(astronaut)
    try:
        session = open_session(YUNET, provider)
    except ProviderError:
        if provider in ("auto", "cpu"):
            raise
        return  # the tests above check the refusal
    assert ORT_NAMES[session.provider] in session.ort.get_providers()
    assert provider in ("auto", session.provider)
    detected = YuNet(session).detect(astronaut)
    np.testing.assert_allclose(detected.boxes, expected.boxes, atol=0.5)
    np.testing.assert_allclose(detected.keypoints, expected.keypoints, atol=0.5)
    boxes = landmark_boxes(expected.boxes)
    for name in ("fkp68", "fkp68-large", "fkp68-medium", "fkp68-medium-int8", "fkp68-tiny", "fkp68-int8"):
        here, there = (LandmarkNetwork(open_session(resolve_model(name), p)) for p in ("cpu", provider))
        np.testing.assert_allclose(there(astronaut, boxes).points, here(astronaut, boxes).points, atol=0.5)


def test_tensorrt_leaves_the_rest_to_cuda_and_loads_its_libraries() -> None:
    seen: list[Any] = []
    base = machine(TENSORRT, CUDA, CPU, runs=[TENSORRT])

    def create(path: Path, providers: Sequence[ProviderSpec], threads: int) -> Any:
        seen.append(list(providers))
        return base.create(path, providers, threads)

    backend = Backend(base.available, create, lambda: seen.append("preload"))
    assert open_session(YUNET, "tensorrt", backend=backend).provider == "tensorrt"
    assert seen == ["preload", [TENSORRT, CUDA, CPU]]


def test_a_trial_run_that_gives_no_numbers_is_refused() -> None:
    class Nonsense(Relabelled):
        def run(self, *words: Any) -> list[np.ndarray]:
            return [np.full_like(values, np.nan) for values in self._session.run(*words)]

    def create(path: Path, providers: Sequence[ProviderSpec], threads: int) -> Any:
        session = create_session(path, [CPU], threads)
        return session if providers[0] == CPU else Nonsense(session, [CUDA], [CUDA])

    with pytest.raises(ProviderError, match="'score' is not finite"):
        open_session(YUNET, "cuda", backend=Backend(lambda: [CUDA, CPU], create, lambda: None))


def test_a_provider_is_not_blamed_for_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(YUNET.read_bytes()[:5000])
    with pytest.raises(ModelError):
        open_session(path, "cuda", backend=machine(CUDA, CPU, broken=[CUDA]))


VNNI, PLAIN = "flags\t\t: fpu avx2 avx512_vnni", "flags\t\t: fpu avx2"


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (VNNI, True),
        ("flags : avx_vnni fpu", True),
        (PLAIN, False),
        ("Features : asimddp", False),
        (None, False),
    ],
)
def test_vnni_is_read_from_the_flags_of_the_cpu(tmp_path: Path, info: str | None, expected: bool) -> None:
    cpu_info = tmp_path / "cpuinfo"
    if info is not None:
        cpu_info.write_text(f"processor\t: 0\n{info}\nbogomips : 1\n")
    assert has_vnni(cpu_info) is expected
