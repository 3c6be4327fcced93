"""Models that do not do what their metadata claims: the trial run at opening refuses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from analytic import SIZE, centroid_network, metadata
from onnx import TensorProto, helper, numpy_helper

from fkp_live.errors import ExitCode, FkpError, ModelError
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import Backend, create_session, open_session

YUNET = models_dir() / "yunet.onnx"
Nodes = Sequence[onnx.NodeProto]


def altered(path: Path, output: str, nodes: Nodes, tensors: Sequence[onnx.TensorProto] = ()) -> Path:
    """The analytic network with nodes between the old output, now named "old", and the new one."""
    model = onnx.load(str(centroid_network(path)))
    for node in model.graph.node:
        node.output[:] = ["old" if name == output else name for name in node.output]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensors)
    # The graph declares its outputs as before: only a run shows the difference.
    (declared,) = (value for value in model.graph.output if value.name == output)
    declared.type.tensor_type.ClearField("shape")
    onnx.save(model, str(path))
    return path


def node(kind: str, output: str, *more: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, ["old", *more], [output], **attributes)


def tensor(name: str, values: Any, kind: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, kind), name)


@pytest.mark.parametrize(
    ("output", "nodes", "tensors", "message"),
    [
        ("confidence", [node("ReduceMean", "confidence", axes=[1])], [], r"\(1, 1\).*expected \(1, 68\)"),
        ("confidence", [node("ReduceMean", "confidence", axes=[1], keepdims=0)], [], r"shape \(1,\)"),
        ("confidence", [node("Mul", "confidence", "ten")], [tensor("ten", 10)], "between 0 and 1"),
        ("points", [node("Flatten", "points")], [], r"\(1, 136\).*expected \(1, 68, 2\)"),
        ("points", [node("Transpose", "points", perm=[0, 2, 1])], [], r"shape \(1, 2, 68\)"),
        ("points", [node("Concat", "points", "old", axis=1)], [], r"shape \(1, 136, 2\)"),
        ("points", [node("Mul", "points", "nan")], [tensor("nan", np.nan)], "not finite"),
        ("points", [node("ReduceMean", "points", axes=[0])], [], r"\(1, 68, 2\).*expected \(2, 68, 2\)"),
        ("points", [node("Reshape", "points", "one")], [tensor("one", [1, 68, 2], np.int64)], "trial run"),
    ],
)  # fmt: skip
def test_outputs_of_another_shape_or_range_are_refused(
    tmp_path: Path, output: str, nodes: Nodes, tensors: Sequence[onnx.TensorProto], message: str
) -> None:
    path = altered(tmp_path / "model.onnx", output, nodes, tensors)
    with pytest.raises(ModelError, match=message) as caught:
        open_session(path, "cpu")
    assert "model.onnx" in caught.value.message
    assert len(caught.value.message.splitlines()) == 1
    assert caught.value.exit_code == ExitCode.MODEL


def retyped(path: Path, output: str, cast: str, to: int) -> Path:
    altered(path, output, [helper.make_node(cast, ["old"], [output], **({"to": to} if to else {}))])
    model = onnx.load(str(path))
    (declared,) = (value for value in model.graph.output if value.name == output)
    if to:
        declared.type.tensor_type.elem_type = to
    else:
        element = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        declared.type.CopyFrom(helper.make_sequence_type_proto(element))
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("cast", "to"),
    [
        *(("Cast", kind) for kind in (TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64)),
        ("SequenceConstruct", 0),
    ],
)
def test_outputs_that_are_not_float32_are_refused(tmp_path: Path, cast: str, to: int) -> None:
    with pytest.raises(ModelError, match=r"'points' is .*, expected float32"):
        open_session(retyped(tmp_path / "model.onnx", "points", cast, to), "cpu")


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        (
            TensorProto.FLOAT,
            ["n", 3, 2 * SIZE, 2 * SIZE],
            r"\['n', 3, 64, 64\], expected \['faces', 3, 32, 32\]",
        ),
        (TensorProto.FLOAT, ["n", 3, 40000, 40000], "40000"),
        (TensorProto.FLOAT, ["n", 1, SIZE, SIZE], r"\['n', 1, 32, 32\]"),
        (TensorProto.FLOAT, [1, 3, SIZE, SIZE], r"\[1, 3, 32, 32\]"),
        (TensorProto.FLOAT, ["n", 3 * SIZE * SIZE], r"\['n', 3072\]"),
        (TensorProto.UINT8, ["n", 3, SIZE, SIZE], r"tensor\(uint8\)"),
    ],
)
def test_inputs_that_the_graph_declares_otherwise_are_refused(
    tmp_path: Path, kind: int, shape: list[Any], message: str
) -> None:
    """Before anything is allocated for them."""
    constants = [tensor("points", np.zeros((1, 68, 2))), tensor("confidence", np.zeros((1, 68)))]
    outputs = [helper.make_tensor_value_info(value.name, TensorProto.FLOAT, None) for value in constants]
    nodes = [helper.make_node("Constant", [], [value.name], value=value) for value in constants]
    nodes.append(helper.make_node("Shape", ["image"], ["unused"]))
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("image", kind, shape)], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    helper.set_model_props(model, {f"fkp.{key}": json.dumps(value) for key, value in metadata().items()})
    onnx.save(model, str(tmp_path / "model.onnx"))
    with pytest.raises(ModelError, match=message):
        open_session(tmp_path / "model.onnx", "cpu")


def test_a_model_that_allocates_terabytes_is_refused(tmp_path: Path) -> None:
    nodes = [node("Expand", "vast", "wide"), helper.make_node("ReduceMax", ["vast"], ["points"], axes=[0])]
    path = altered(tmp_path / "model.onnx", "points", nodes, [tensor("wide", [10**10, 68, 2], np.int64)])
    with pytest.raises(ModelError, match="buffer of") as caught:
        open_session(path, "cpu")
    assert caught.value.exit_code == ExitCode.MODEL


def detector(path: Path, **output: Any) -> Path:
    model = onnx.load(str(YUNET))
    (prop,) = (prop for prop in model.metadata_props if prop.key == "fkp.output")
    prop.value = json.dumps({**json.loads(prop.value), **output})
    onnx.save(model, str(path))
    return path


def test_a_detector_with_exchanged_outputs_is_refused(tmp_path: Path) -> None:
    assert open_session(detector(tmp_path / "same.onnx"), "cpu").metadata["schema"] == "fkp-detector/1"
    path = detector(tmp_path / "model.onnx", box="keypoints", keypoints="box")
    with pytest.raises(ModelError, match=r"'keypoints' .*expected \(1, \d+, 4\)"):
        open_session(path, "cpu")


def test_one_output_for_two_purposes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'keypoints' .*expected \(1, \d+, 4\)"):
        open_session(detector(tmp_path / "model.onnx", box="keypoints"), "cpu")
    output = {**metadata()["output"], "confidence": "points"}
    with pytest.raises(ModelError, match=r"'points' .*expected \(1, 68\)"):
        open_session(centroid_network(tmp_path / "model.onnx", output=output), "cpu")


def test_a_detector_for_one_size_of_picture_is_refused(tmp_path: Path) -> None:
    path = detector(tmp_path / "model.onnx")
    model = onnx.load(str(path))
    for axis, side in ((2, 64), (3, 64)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = side
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match=r"3, 64, 64\], expected"):
        open_session(path, "cpu")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 512. MiB"),
        RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Load model from a.onnx failed:std::bad_alloc"),
        RuntimeError("arena.cc:360 Failed to allocate memory for requested buffer of size 4096"),
        RuntimeError("bad allocation"),
    ],
)
def test_low_memory_is_not_a_damaged_model(error: Exception) -> None:
    def create(*_: Any) -> Any:
        raise error

    with pytest.raises(FkpError, match="not enough memory") as caught:
        open_session(YUNET, "cpu", backend=Backend(create=create))
    assert caught.value.exit_code == ExitCode.FAILURE


def test_low_memory_of_a_device_is_not_the_end_of_auto() -> None:
    def create(path: Path, providers: Sequence[Any], threads: int) -> Any:
        if providers[0] != "CPUExecutionProvider":
            raise RuntimeError("CUDA failure 2: out of memory")
        return create_session(path, providers, threads)

    listed: Callable[[], list[str]] = lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]  # noqa: E731
    session = open_session(YUNET, "auto", backend=Backend(listed, create, lambda: None))
    assert session.provider == "cpu"
    assert "cuda is listed but does not run (CUDA failure 2: out of memory)" in session.note
