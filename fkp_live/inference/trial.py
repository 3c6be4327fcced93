"""The trial run of an opened model: does it do what its metadata claims?

A file may declare one thing and compute another: points of another shape, a confidence per face, a fixed batch.
Such a model would fail at the first face, or run on with wrong numbers, so it runs once on noise when it is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.inference.metadata import EXPRESSION, EYES, LANDMARKS
from fkp_live.topology import N_POINTS
from fkp_live.types import EXPRESSIONS

Shape = tuple[int, ...]
# (height, width) in pixels of the trial pictures of a detector: two, because the sizes of pictures differ.
_PICTURES = ((64, 96), (96, 64))
# What the second output is where it lies between 0 and 1.
_SHARES = {LANDMARKS: "confidence", EYES: "probability of shut eyes"}


def trial_complaint(ort: Any, metadata: Mapping[str, Any]) -> str:
    """What is wrong with the model, in one clause; empty if the trial runs give what the metadata claims.

    Errors of onnxruntime pass through.

    Parameters
    ----------
    ort : an ``onnxruntime.InferenceSession``
    metadata : of the model, as `read_metadata` returns it
    """
    image, *more = ort.get_inputs()
    if complaint := _input_complaint(image, metadata):
        return complaint
    random = np.random.default_rng(0)
    for shape, expected in _trials(metadata):
        noise = random.integers(0, 256, shape).astype(np.float32)
        inputs = {image.name: noise}
        # The points of an expression network.
        inputs |= {one.name: noise[:, 0].reshape(shape[0], -1, 2)[:, :N_POINTS] for one in more}
        outputs = ort.run([name for name, _ in expected], inputs)
        for (name, as_claimed), values in zip(expected, outputs, strict=True):
            if complaint := _output_complaint(values, as_claimed):
                return f"for an input of shape {shape} the output {name!r} is {complaint}"
        if metadata["schema"] in _SHARES:
            share = outputs[1]
            # A little beyond, because kernels round.
            if share.min() < -1e-3 or share.max() > 1 + 1e-3:
                what = _SHARES[metadata["schema"]]
                return f"the {what} reaches {np.abs(share).max():g}, expected values between 0 and 1"
    return ""


def _trials(metadata: Mapping[str, Any]) -> Iterator[tuple[Shape, list[tuple[str, Shape]]]]:
    """Shape of an input, and names and shapes of its outputs; metadata may name one output twice."""
    output = metadata["output"]
    if metadata["schema"] in (LANDMARKS, EXPRESSION):
        size = metadata["input"]["size"]
        for faces in (1, 2):
            if metadata["schema"] == LANDMARKS:
                named = [(output["points"], (faces, N_POINTS, 2)), (output["confidence"], (faces, N_POINTS))]
            else:
                named = [(output["logits"], (faces, len(EXPRESSIONS)))]
            yield (faces, 3, size, size), named
    elif metadata["schema"] == EYES:
        image = metadata["input"]
        for eyes in (1, 2):
            named = [(output["openness"], (eyes,)), (output["shut"], (eyes,))]
            yield (eyes, 1, image["height"], image["width"]), named
    else:
        for height, width in _PICTURES:
            anchors = sum((height // stride) * (width // stride) for stride in output["strides"])
            yield (
                (1, 3, height, width),
                [
                    (output["score"], (1, anchors, 1)),
                    (output["box"], (1, anchors, 4)),
                    (output["keypoints"], (1, anchors, 10)),
                ],
            )


def _input_complaint(image: Any, metadata: Mapping[str, Any]) -> str:
    """What is wrong with the input that the graph declares."""
    if image.type != "tensor(float)":
        return f"the input {image.name!r} is {image.type}, expected tensor(float)"
    expected: list[int | str] = [1, 3, "height", "width"]
    if metadata["schema"] in (LANDMARKS, EXPRESSION):
        size = metadata["input"]["size"]
        expected = ["faces", 3, size, size]
    elif metadata["schema"] == EYES:
        expected = ["eyes", 1, metadata["input"]["height"], metadata["input"]["width"]]
    # A side that the graph leaves open is a name or None, and takes any number.
    fits = len(image.shape) == len(expected) and all(
        not isinstance(side, int) or side == wanted
        for side, wanted in zip(image.shape, expected, strict=True)
    )
    return "" if fits else f"the input {image.name!r} has shape {image.shape}, expected {expected}"


def _output_complaint(values: Any, expected: Shape) -> str:
    if not isinstance(values, np.ndarray) or values.dtype != np.float32:
        kind = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        return f"{kind}, expected float32"
    array: NDArray[np.float32] = values
    if array.shape != expected:
        return f"of shape {array.shape}, expected {expected}"
    return "" if np.isfinite(array).all() else "not finite"
