"""Providers that run, that are missing and that lie; model files of every wrong kind."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp_live.errors import ExitCode, ModelError, ProviderError
from fkp_live.faces.detector import YuNet, landmark_boxes
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.inference import session as runtime
from fkp_live.inference.session import Backend, create_session, models_dir, open_session, resolve_model

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

    def name_of(spec: runtime.ProviderSpec) -> str:
        return spec if isinstance(spec, str) else spec[0]

    def create(path: Path, providers: Sequence[runtime.ProviderSpec], threads: int) -> Any:
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


def test_cpu_really_runs() -> None:
    session = open_session(YUNET, "cpu")
    assert (session.provider, session.asked) == ("cpu", "cpu")
    assert session.ort.get_providers() == [CPU]
    assert session.sha256 == hashlib.sha256(YUNET.read_bytes()).hexdigest()
    assert session.metadata["name"] == "yunet"
    image = np.zeros((2, 3, 32, 64), np.float32)
    keypoints, score = session.run({"image": image}, ["keypoints", "score"])
    assert keypoints.shape == (2, 4 * 8 + 2 * 4 + 1 * 2, 10)
    assert score.shape == (2, 42, 1)


def test_threads_reach_the_session() -> None:
    assert open_session(YUNET, "cpu", threads=2).ort.get_session_options().intra_op_num_threads == 2
    assert open_session(YUNET, "cpu").ort.get_session_options().intra_op_num_threads == 1


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_takes_what_runs_and_says_why_not_the_others() -> None:
    session = open_session(YUNET, backend=machine(TENSORRT, CUDA, CPU))
    assert (session.asked, session.provider) == ("auto", "cpu")
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
def test_an_explicit_provider_that_lies_is_refused(provider: str, trouble: str) -> None:
    name = runtime._ORT_NAMES[provider]
    if trouble == "listed only" and name in runtime.available_providers():
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


@pytest.mark.parametrize("provider", runtime.PROVIDERS)
def test_every_provider_that_is_listed_here(provider: str, astronaut: np.ndarray) -> None:
    """On this very machine: it computes what the CPU computes, or it is refused."""
    expected = YuNet(open_session(YUNET, "cpu")).detect(astronaut)
    try:
        session = open_session(YUNET, provider)
    except ProviderError:
        if provider in ("auto", "cpu"):
            raise
        return  # that the refusal is right is for the tests above
    assert runtime._ORT_NAMES[session.provider] in session.ort.get_providers()
    assert provider in ("auto", session.provider)
    found = YuNet(session).detect(astronaut)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.5)
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.5)
    boxes = landmark_boxes(expected.boxes)
    for name in ("fkp68", "fkp68-tiny", "fkp68-int8"):
        here, there = (LandmarkNetwork(open_session(resolve_model(name), p)) for p in ("cpu", provider))
        np.testing.assert_allclose(there(astronaut, boxes).points, here(astronaut, boxes).points, atol=0.5)


def test_tensorrt_leaves_the_rest_to_cuda_and_loads_its_libraries() -> None:
    seen: list[Any] = []
    base = machine(TENSORRT, CUDA, CPU, runs=[TENSORRT])

    def create(path: Path, providers: Sequence[runtime.ProviderSpec], threads: int) -> Any:
        seen.append(list(providers))
        return base.create(path, providers, threads)

    backend = Backend(base.available, create, lambda: seen.append("preload"))
    assert open_session(YUNET, "tensorrt", backend=backend).provider == "tensorrt"
    assert seen == ["preload", [TENSORRT, CUDA, CPU]]


@pytest.mark.parametrize("name", ["fkp68", "yunet"])
def test_a_device_of_its_own_is_run_through_io_binding(
    monkeypatch: pytest.MonkeyPatch, astronaut: np.ndarray, name: str
) -> None:
    """Main memory stands for the device's: binding, buffers and copies are onnxruntime's own."""
    monkeypatch.setitem(runtime._DEVICES, "cuda", "cpu")
    plain = open_session(resolve_model(name), "cpu")
    bound = open_session(resolve_model(name), backend=machine(CUDA, CPU, runs=[CUDA]))
    assert (plain.binding, bound.provider) == (None, "cuda")
    assert bound.binding is not None
    assert "I/O binding" not in bound.note
    crop = astronaut[:112, 150:262] if name == "fkp68" else astronaut[:256, :256]
    image = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32)
    kept: list[list[np.ndarray]] = []
    for faces in (1, 3, 1, 2):  # buffers of a shape are used again, and their old answers stay as they were
        inputs = {"image": np.concatenate([image * (0.5 + 0.1 * k) for k in range(faces)])[:, :, ::-1]}
        kept += [bound.run(inputs), plain.run(inputs)]
    assert bound.run({"image": 0.3 * image})[0].shape[0] == 1
    for ours, expected in zip(kept[::2], kept[1::2], strict=True):
        for one, other in zip(ours, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    wanted = [plain.ort.get_outputs()[1].name]
    np.testing.assert_array_equal(
        bound.run({"image": image}, wanted)[0], plain.run({"image": image}, wanted)[0]
    )


def test_many_shapes_do_not_pile_up_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runtime._DEVICES, "cuda", "cpu")
    session = open_session(YUNET, backend=machine(CUDA, CPU, runs=[CUDA]))
    assert session.binding is not None
    for width in range(32, 32 * 40, 32):
        assert (
            session.run({"image": np.zeros((1, 3, 32, width), np.float32)}, ["score"])[0].shape[1]
            == 21 * width // 32
        )
        assert len(session.binding._kept) <= runtime._KEPT_SHAPES


@pytest.mark.parametrize("trouble", ["no memory there", "old answers"])
def test_io_binding_that_does_not_work_is_not_used(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """This build of onnxruntime has no CUDA memory; and a device whose buffers did not take what is new."""
    if trouble == "old answers":
        monkeypatch.setitem(runtime._DEVICES, "cuda", "cpu")
        first = runtime.Binding.run
        answers: list[Any] = []

        def run(self: runtime.Binding, *args: Any) -> Any:
            answers.append(first(self, *args))
            return answers[0]

        monkeypatch.setattr(runtime.Binding, "run", run)
    elif "CUDAExecutionProvider" in runtime.available_providers():
        pytest.skip("this onnxruntime has CUDA memory")
    session = open_session(YUNET, "cuda", backend=machine(CUDA, CPU, runs=[CUDA]))
    assert session.binding is None
    reason = {
        "no memory there": "Can't allocate memory on the CUDA device",
        "old answers": "gave other values",
    }
    assert "cuda, as asked; without I/O binding" in session.note
    assert reason[trouble] in session.note
    assert session.run({"image": np.zeros((1, 3, 32, 32), np.float32)}, ["score"])[0].shape == (1, 21, 1)


def test_a_trial_run_that_gives_no_numbers_is_refused() -> None:
    class Nonsense(Relabelled):
        def run(self, *_: Any) -> list[np.ndarray]:
            return [np.array([np.nan], np.float32)]

    def create(path: Path, providers: Sequence[runtime.ProviderSpec], threads: int) -> Any:
        return Nonsense(create_session(path, [CPU], threads), [CUDA], [CUDA])

    with pytest.raises(ProviderError, match="not numbers"):
        open_session(YUNET, "cuda", backend=Backend(lambda: [CUDA, CPU], create, lambda: None))


def test_a_provider_is_not_blamed_for_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(YUNET.read_bytes()[:5000])
    with pytest.raises(ModelError):
        open_session(path, "cuda", backend=machine(CUDA, CPU, broken=[CUDA]))


def damaged(kind: str, folder: Path) -> Path:
    path = folder / "model.onnx"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        whole = YUNET.read_bytes()
        contents = {
            "empty": b"",
            "text": b"this is no model\n" * 20,
            "truncated": whole[: len(whole) // 2],
            "random": np.random.default_rng(0).bytes(20000),
            "picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
        }
        path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "truncated", "random", "picture"])
@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_files_that_are_no_model(tmp_path: Path, kind: str, provider: str) -> None:
    path = damaged(kind, tmp_path)
    with pytest.raises(ModelError, match=r"model\.onnx") as caught:
        open_session(path, provider)
    assert caught.value.exit_code == ExitCode.MODEL
    assert len(caught.value.message.splitlines()) == 1


def test_names_and_paths_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_model("yunet") == YUNET
    assert resolve_model(None, default="yunet") == YUNET
    assert resolve_model(str(YUNET)) == YUNET
    own = tmp_path / "own.onnx"
    own.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert resolve_model("own.onnx") == Path("own.onnx")
    for given in ("fkp99", "no.onnx", tmp_path / "no" / "no.onnx", tmp_path):
        with pytest.raises(ModelError, match=r"shipped model|folder|not a file") as caught:
            resolve_model(given)
        assert "Shipped models:" in caught.value.hint
        assert "yunet" not in caught.value.hint


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="provider is 'gpu', expected was one of auto, cpu"):
        open_session(YUNET, "gpu")
    with pytest.raises(ValueError, match="threads is 0"):
        open_session(YUNET, "cpu", threads=0)


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
def test_vnni_is_read_from_what_the_system_tells(tmp_path: Path, info: str | None, expected: bool) -> None:
    told = tmp_path / "cpuinfo"
    if info is not None:
        told.write_text(f"processor\t: 0\n{info}\nbogomips : 1\n")
    assert runtime.has_vnni(told) is expected


@pytest.mark.parametrize(
    ("provider", "listed", "vnni", "expected"),
    [
        ("auto", [CPU], True, "fkp68-int8"),
        ("auto", ["AzureExecutionProvider", CPU], True, "fkp68-int8"),
        ("auto", [CPU], False, "fkp68"),
        ("auto", ["CUDAExecutionProvider", CPU], True, "fkp68"),
        ("cpu", ["CUDAExecutionProvider", CPU], True, "fkp68-int8"),
        ("openvino", ["OpenVINOExecutionProvider", CPU], True, "fkp68"),
    ],
)
def test_streams_take_the_8_bit_network_only_where_it_pays(
    monkeypatch: pytest.MonkeyPatch, provider: str, listed: list[str], vnni: bool, expected: str
) -> None:
    monkeypatch.setattr(runtime, "available_providers", lambda: listed)
    monkeypatch.setattr(runtime, "has_vnni", lambda: vnni)
    assert runtime.stream_model(provider) == expected
