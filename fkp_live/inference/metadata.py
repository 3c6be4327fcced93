"""The ``fkp.*`` metadata of a model file, decoded and checked against its schema and graph."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fkp_live.errors import ModelError
from fkp_live.topology import N_POINTS
from fkp_live.types import EXPRESSIONS

LANDMARKS, DETECTOR, EXPRESSION = "fkp-landmarks/1", "fkp-detector/1", "fkp-expression/1"
EYES = "fkp-eyes/1"
SCHEMAS = (LANDMARKS, DETECTOR, EXPRESSION, EYES)
METADATA_PREFIX = "fkp."
# Crops beyond these are a damaged file: at 9,000 px a batch of two takes 2 GB.
_MAX_SIZE, _MAX_MARGIN = 1024, 10
_LONGEST_NAME = 100
_MAX_NUMBER = 1e6


def read_metadata(path: Path, ort: Any) -> dict[str, Any]:
    """The ``fkp.*`` metadata of an open model, decoded and checked against its schema and graph.

    Raises
    ------
    ModelError
        If there is none, if it is of another schema, or if this program cannot run the model that it describes.
    """
    hint = "Expected a model written by 'python -m export', or a shipped one."
    metadata: dict[str, Any] = {}
    for key, value in ort.get_modelmeta().custom_metadata_map.items():
        if key.startswith(METADATA_PREFIX):
            try:
                metadata[key.removeprefix(METADATA_PREFIX)] = json.loads(value)
            # ValueError: not JSON, or a number of thousands of digits. RecursionError: nested too deep.
            except (ValueError, RecursionError):
                raise ModelError(f"{path}: the metadata {key} is not JSON: {value[:60]!r}.", hint) from None
    schema = metadata.get("schema")
    if schema not in SCHEMAS:
        found = "no metadata fkp.schema" if schema is None else f"fkp.schema {reprlib.repr(schema)}"
        raise ModelError(
            f"{path} is an ONNX model with {found}; expected {', '.join(SCHEMAS[:-1])} or {SCHEMAS[-1]}.",
            hint,
        )
    inputs = [value.name for value in ort.get_inputs()]
    outputs = [value.name for value in ort.get_outputs()]
    for what, is_right, expected in _expectations(metadata, inputs, outputs):
        if not is_right:
            raise ModelError(f"{path}: the metadata fkp.{what} is not as expected: {expected}.", hint)
    return metadata


def _expectations(
    metadata: Mapping[str, Any], inputs: list[str], outputs: list[str]
) -> list[tuple[str, bool, str]]:
    """(key, whether it is as this program needs it, what it should be) for both schemas."""

    def entry(key: str) -> Mapping[str, Any]:
        value = metadata.get(key)
        return value if isinstance(value, Mapping) else {}

    def is_number(value: Any, least: float, most: float) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most

    image, crop, output, points = entry("input"), entry("crop"), entry("output"), entry("points")
    as_fed = {"layout": "NCHW", "dtype": "float32", "color": "BGR", "mean": [0, 0, 0], "std": [1, 1, 1]}
    name = metadata.get("name", "unnamed")
    is_name = isinstance(name, str) and len(name) <= _LONGEST_NAME and name.isprintable()
    if metadata["schema"] == EYES:
        as_fed |= {"color": "GRAY", "mean": [0], "std": [1]}
    checks = [
        # Printed to terminals and drawn on pictures.
        ("name", is_name, f"at most {_LONGEST_NAME} printable characters"),
        ("input", all(image.get(key) == value for key, value in as_fed.items()), json.dumps(as_fed)),
    ]
    if metadata["schema"] == EXPRESSION:
        named = [image.get("name"), points.get("name")]
        checks.append(("input.name", named == inputs, f"with points.name {reprlib.repr(inputs)}"))
    else:
        checks.append(
            ("input.name", [image.get("name")] == inputs, f"the graph's only input, {reprlib.repr(inputs)}")
        )
    if metadata["schema"] == EXPRESSION:
        names: tuple[str, ...] = ("logits",)
        checks += _expression_checks(metadata, image, crop, output)
    elif metadata["schema"] == EYES:
        names = ("openness", "shut")
        sides = [image.get("width"), image.get("height")]
        checks += [
            (
                "input.width",
                all(isinstance(side, int) and is_number(side, 8, _MAX_SIZE) for side in sides),
                f"with input.height sides of the patch in pixels, at least 8, at most {_MAX_SIZE}",
            ),
            (
                "crop",
                crop.get("kind") == "eye corners" and is_number(crop.get("eye"), 4, _MAX_SIZE),
                f"kind eye corners, and the width of the eye, eye, of 4 to {_MAX_SIZE} pixels",
            ),
        ]
    elif metadata["schema"] == LANDMARKS:
        names = ("points", "confidence")
        size = image.get("size")
        checks += [
            (
                "points",
                points.get("markup") == "ibug68" and points.get("count") == 68,
                "markup ibug68, count 68",
            ),
            (
                "input.size",
                isinstance(size, int) and is_number(size, 8, _MAX_SIZE),
                f"side of the crop in pixels, at least 8, at most {_MAX_SIZE}",
            ),
            (
                "crop",
                crop.get("kind") == "square" and is_number(crop.get("margin"), 0, _MAX_MARGIN),
                f"kind square and a margin of 0 to {_MAX_MARGIN}",
            ),
            ("output.unit", output.get("unit") == "crop pixels", "crop pixels"),
        ]
    else:
        names = ("score", "box", "keypoints")
        checks.append(("output.strides", output.get("strides") == [8, 16, 32], "[8, 16, 32]"))
    for name in names:
        checks.append(
            (
                f"output.{name}",
                output.get(name) in outputs,
                f"one of the graph's outputs, {reprlib.repr(outputs)}",
            )
        )
    return checks


def _expression_checks(
    metadata: Mapping[str, Any], image: Mapping[str, Any], crop: Mapping[str, Any], output: Mapping[str, Any]
) -> list[tuple[str, bool, str]]:
    """The checks that the schema of expressions adds."""
    size = image.get("size")
    difference = metadata.get("difference")
    is_size = isinstance(size, int) and not isinstance(size, bool) and 16 <= size <= _MAX_SIZE
    return [
        ("input.size", is_size, f"side of the crop in pixels, at least 16, at most {_MAX_SIZE}"),
        (
            "crop",
            crop.get("kind") == "similarity" and _are_numbers(crop.get("template"), N_POINTS, 2),
            "kind similarity and a template of 68 pairs of numbers",
        ),
        ("output.classes", output.get("classes") == [*EXPRESSIONS], json.dumps(EXPRESSIONS)),
        (
            "neutral",
            _are_numbers([metadata.get("neutral")], 1, len(EXPRESSIONS)),
            f"{len(EXPRESSIONS)} numbers",
        ),
        (
            "difference",
            isinstance(difference, Mapping)
            and _are_numbers(difference.get("weights"), len(EXPRESSIONS), 2 * N_POINTS)
            and _are_numbers([difference.get("bias")], 1, len(EXPRESSIONS)),
            f"weights, {len(EXPRESSIONS)} rows of {2 * N_POINTS} numbers, and bias, {len(EXPRESSIONS)} numbers",
        ),
    ]


def _are_numbers(value: Any, rows: int, columns: int) -> bool:
    """Whether a value is ``rows`` lists of ``columns`` finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == rows
        and all(
            isinstance(row, list)
            and len(row) == columns
            and all(type(one) in (int, float) and abs(one) < _MAX_NUMBER for one in row)
            for row in value
        )
    )
