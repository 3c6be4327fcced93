"""A landmark file whose answer is known: centres of mass of the three colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 32


def metadata(**changes: Any) -> dict[str, Any]:
    """What a landmark file says of itself."""
    values: dict[str, Any] = {
        "schema": "fkp-landmarks/1",
        "name": "analytic",
        "points": {"markup": "ibug68", "count": 68},
        "input": {
            "name": "image",
            "layout": "NCHW",
            "dtype": "float32",
            "color": "BGR",
            "size": SIZE,
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
        },
        "crop": {"kind": "square", "margin": 0.125},
        "output": {"points": "points", "confidence": "confidence", "unit": "crop pixels"},
    }
    return {**values, **changes}


def centroid_network(path: Path, **changes: Any) -> Path:
    """A landmark file: points 0, 1, 2 are the centres of mass of blue, green and red, the rest that of red.

    The confidence of every point is the mean of the blue channel over 255.
    """
    columns, rows = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))
    channel = np.minimum(np.arange(68), 2)
    tensors = [
        numpy_helper.from_array(columns[None, None], "columns"),
        numpy_helper.from_array(rows[None, None], "rows"),
        numpy_helper.from_array(channel.astype(np.int64), "channel"),
        numpy_helper.from_array(np.float32(1e-6), "tiny"),
        numpy_helper.from_array(np.float32(255), "white"),
        numpy_helper.from_array(np.zeros(68, np.int64), "blue"),
        numpy_helper.from_array(np.array([1, 1, 1], np.float32), "one"),
    ]
    nodes = [
        helper.make_node("ReduceSum", ["image"], ["mass"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["mass", "tiny"], ["divisor"]),
        *(
            node
            for axis in ("columns", "rows")
            for node in (
                helper.make_node("Mul", ["image", axis], [f"{axis}_moment"]),
                helper.make_node("ReduceSum", [f"{axis}_moment"], [f"{axis}_sum"], axes=[2, 3], keepdims=0),
                helper.make_node("Div", [f"{axis}_sum", "divisor"], [f"{axis}_mean"]),
                helper.make_node("Gather", [f"{axis}_mean", "channel"], [f"{axis}_points"], axis=1),
                helper.make_node("Unsqueeze", [f"{axis}_points"], [f"{axis}_value"], axes=[2]),
            )
        ),
        helper.make_node("Concat", ["columns_value", "rows_value"], ["points"], axis=2),
        helper.make_node("ReduceMean", ["image"], ["light"], axes=[2, 3], keepdims=0),
        helper.make_node("Div", ["light", "white"], ["share"]),
        helper.make_node("Gather", ["share", "blue"], ["confidence"], axis=1),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "analytic",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [
            helper.make_tensor_value_info("points", TensorProto.FLOAT, ["batch", 68, 2]),
            helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["batch", 68]),
        ],
        [tensor for tensor in tensors if tensor.name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    helper.set_model_props(
        model, {f"fkp.{key}": json.dumps(value) for key, value in metadata(**changes).items()}
    )
    onnx.save(model, str(path))
    return path
