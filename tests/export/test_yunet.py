"""The preparation of YuNet, and the file that it left under models/."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export import yunet
from fkp_live.errors import ExitCode, FkpError, InputError
from fkp_live.inference.models import models_dir

SHIPPED = models_dir() / "yunet.onnx"


def foreign_heads(batch: int = 1, side: int = 64) -> onnx.ModelProto:
    """A graph with YuNet's twelve heads, fixed sizes, random weights and one trunk convolution a level."""
    random = np.random.default_rng(1)
    nodes, tensors, outputs = [], [], []

    def conv(source: str, name: str, inputs: int, channels: int, size: int, **extra: object) -> str:
        spread = 0.01 / size if source == "input" else 0.4  # pixels are 0 to 255
        weight = random.normal(0, spread, (channels, inputs, size, size)).astype(np.float32)
        bias = random.normal(0, 0.4, channels).astype(np.float32)
        tensors.extend(
            [numpy_helper.from_array(weight, f"{name}_w"), numpy_helper.from_array(bias, f"{name}_b")]
        )
        nodes.append(helper.make_node("Conv", [source, f"{name}_w", f"{name}_b"], [name], name, **extra))
        return name

    for stride in yunet.STRIDES:
        features = conv("input", f"trunk{stride}", 3, 4, stride, strides=[stride, stride])
        cells = (side // stride) ** 2
        for head, channels in yunet.HEADS:
            point = conv(features, f"p_{head}{stride}", 4, channels, 1)
            value = conv(point, f"d_{head}{stride}", 1, channels, 3, pads=[1] * 4, group=channels)
            shape = f"shape_{head}{stride}"
            tensors.append(numpy_helper.from_array(np.array([1, -1, channels], np.int64), shape))
            nodes.append(helper.make_node("Transpose", [value], [f"t_{value}"], perm=[0, 2, 3, 1]))
            last = f"{head}_{stride}"
            rows = last if channels > 1 else f"r_{value}"
            nodes.append(helper.make_node("Reshape", [f"t_{value}", shape], [rows]))
            if channels == 1:
                nodes.append(helper.make_node("Sigmoid", [rows], [last]))
            outputs.append(helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, cells, channels]))
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, side, side])
    graph = helper.make_graph(
        nodes, "foreign", [image], outputs, tensors, doc_string="/home/somebody/model.py"
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def test_prepare_keeps_the_outputs_of_the_heads() -> None:
    original = foreign_heads()
    before = original.SerializeToString()
    prepared = yunet.prepare(original)
    assert original.SerializeToString() == before
    assert len([node for node in prepared.graph.node if node.op_type == "Conv"]) == 3 + 2 * 3
    image = np.random.default_rng(2).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)
    found = yunet.run(prepared, image)
    expected = yunet.joined_outputs(yunet.run(original, image))
    assert found["score"].shape == (1, 64 + 16 + 4, 1)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)
    assert float(np.ptp(found["score"])) > 0.1


def test_prepared_runs_at_other_sizes_and_batches() -> None:
    prepared = yunet.prepare(foreign_heads())
    images = np.random.default_rng(3).uniform(0, 255, (2, 3, 96, 160)).astype(np.float32)
    both = yunet.run(prepared, images)
    assert both["keypoints"].shape == (2, 12 * 20 + 6 * 10 + 3 * 5, 10)
    np.testing.assert_allclose(yunet.run(prepared, images[1:])["box"][0], both["box"][1], atol=1e-5)


def test_the_check_sees_a_changed_weight() -> None:
    original = foreign_heads(side=640)
    prepared = yunet.prepare(original)
    assert yunet.check_outputs(original, prepared) <= yunet.TOLERANCE
    bias = next(tensor for tensor in prepared.graph.initializer if tensor.name == "depth_16_bias")
    changed = numpy_helper.to_array(bias).copy()
    changed[5] += 0.01
    bias.CopyFrom(numpy_helper.from_array(changed, bias.name))
    with pytest.raises(FkpError, match=r"differs from the original by 0\.01"):
        yunet.check_outputs(original, prepared)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"something else", "its SHA-256 is"),
        (None, "cannot be read"),
        ("wheel", "holds no face_detection_yunet"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | str | None, message: str
) -> None:
    path = tmp_path / "given.onnx"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "wheel":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("package/other.onnx", b"x")
    with pytest.raises(InputError, match=message):
        yunet.read_original(path)
    assert yunet.main([str(path), "--out", str(tmp_path / "out.onnx")]) == ExitCode.INPUT
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()


def test_shipped_file_explains_itself() -> None:
    model = onnx.load(str(SHIPPED))
    onnx.checker.check_model(model, full_check=True)
    metadata = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert metadata == {f"fkp.{key}": value for key, value in yunet.METADATA.items()}
    assert metadata["fkp.figures"]["original_sha256"] == yunet.ORIGINAL_SHA256
    sides = [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["batch", 3, "height", "width"]
    assert not model.doc_string
    assert not any(node.doc_string for node in model.graph.node)
    assert not model.graph.value_info
    assert b"/home/" not in SHIPPED.read_bytes()


def test_licence_and_card_lie_beside_it() -> None:
    licence = (models_dir() / "LICENSE-yunet.txt").read_text()
    assert "Shenzhen Institute" in licence
    assert "Permission is hereby granted" in licence
    assert yunet.ORIGINAL_SHA256 in licence
    assert yunet.ORIGINAL_SHA256 in (models_dir() / "yunet.md").read_text()
