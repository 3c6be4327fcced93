"""Metadata of model files: ours, foreign, and wrong in each key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from analytic import centroid_network, metadata

from fkp_live.errors import ModelError
from fkp_live.inference.metadata import METADATA_PREFIX
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session

YUNET = models_dir() / "yunet.onnx"


def test_metadata_values_are_json() -> None:
    for prop in onnx.load(str(YUNET)).metadata_props:
        assert prop.key.startswith(METADATA_PREFIX)
        json.loads(prop.value)


def test_a_foreign_model_is_refused_with_the_expected_schemas(tmp_path: Path) -> None:
    model = onnx.load(str(YUNET))
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "foreign.onnx"))
    with pytest.raises(
        ModelError,
        match=r"no metadata fkp\.schema; expected fkp-landmarks/1, fkp-detector/1, fkp-expression/1 or fkp-eyes/1",
    ):
        open_session(tmp_path / "foreign.onnx", "cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "fkp-landmarks/2"}, "fkp.schema 'fkp-landmarks/2'; expected"),
        ({"points": {"markup": "wflw", "count": 98}}, "fkp.points is not as expected: markup ibug68"),
        ({"input": {**metadata()["input"], "mean": [127.5] * 3}}, "fkp.input is not as expected"),
        ({"input": {**metadata()["input"], "color": "RGB"}}, "fkp.input is not as expected"),
        ({"input": {**metadata()["input"], "name": "x"}}, "fkp.input.name is not as expected"),
        ({"input": {**metadata()["input"], "size": "112"}}, "fkp.input.size is not as expected"),
        ({"input": 7}, "fkp.input is not as expected"),
        ({"name": "\x1b[2J\x07"}, "fkp.name is not as expected: at most 100 printable characters"),
        ({"name": "a" * 101}, "fkp.name is not as expected"),
        ({"name": ["analytic"]}, "fkp.name is not as expected"),
        ({"crop": {"kind": "square"}}, "fkp.crop is not as expected"),
        (
            {"output": {**metadata()["output"], "confidence": "none"}},
            "fkp.output.confidence is not as expected",
        ),
        ({"output": {**metadata()["output"], "unit": "relative"}}, "fkp.output.unit is not as expected"),
    ],
)
def test_metadata_is_checked(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = centroid_network(tmp_path / "model.onnx", **changes)
    with pytest.raises(ModelError, match=r"model\.onnx") as caught:
        open_session(path, "cpu")
    assert message in caught.value.message


def eye_model(path: Path, key: str, **changes: Any) -> Path:
    """The shipped eye network with one entry of its metadata changed."""
    model = onnx.load(str(models_dir() / "fkp-eyes.onnx"))
    (prop,) = (prop for prop in model.metadata_props if prop.key == f"fkp.{key}")
    prop.value = json.dumps({**json.loads(prop.value), **changes})
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("key", "changes", "message"),
    [
        ("input", {"color": "BGR"}, r"fkp\.input is not as expected.*GRAY"),
        ("input", {"width": "32"}, r"fkp\.input\.width is not as expected"),
        ("input", {"height": None}, r"fkp\.input\.width is not as expected"),
        ("input", {"height": 32}, r"has shape .*expected \['eyes', 1, 32, 32\]"),
        ("crop", {"kind": "square"}, r"fkp\.crop is not as expected: kind eye corners"),
        ("crop", {"eye": 0}, r"fkp\.crop is not as expected"),
        ("output", {"shut": "none"}, r"fkp\.output\.shut is not as expected"),
    ],
)
def test_metadata_of_an_eye_network_is_checked(
    tmp_path: Path, key: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        open_session(eye_model(tmp_path / "model.onnx", key, **changes), "cpu")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{square", r"fkp\.crop is not JSON"),
        ("[" * 100_000 + "]" * 100_000, r"fkp\.crop is not JSON"),
        ('{"kind": "square", "margin": ' + "9" * 5_000 + "}", r"fkp\.crop is not JSON"),
        ('{"kind": "square", "margin": ' + "9" * 400 + "}", r"fkp\.crop is not as expected"),
        ('{"kind": "square", "margin": 1e400}', r"fkp\.crop is not as expected"),
        ('{"kind": "square", "margin": NaN}', r"fkp\.crop is not as expected"),
        ('{"kind": "square", "margin": 5000}', r"fkp\.crop is not as expected"),
    ],
    ids=["cut", "deep", "5000 digits", "400 digits", "infinite", "not a number", "large"],
)
def test_metadata_that_cannot_be_read(tmp_path: Path, value: str, message: str) -> None:
    model = onnx.load(str(centroid_network(tmp_path / "model.onnx")))
    next(prop for prop in model.metadata_props if prop.key == "fkp.crop").value = value
    onnx.save(model, str(tmp_path / "model.onnx"))
    with pytest.raises(ModelError, match=message) as caught:
        open_session(tmp_path / "model.onnx", "cpu")
    assert len(caught.value.message) < 300 + len(str(tmp_path))


def test_a_crop_of_gigabytes_is_refused(tmp_path: Path) -> None:
    path = centroid_network(tmp_path / "model.onnx", input={**metadata()["input"], "size": 9000})
    with pytest.raises(ModelError, match="at most 1024"):
        open_session(path, "cpu")


def test_a_foreign_schema_is_shown_in_part(tmp_path: Path) -> None:
    path = centroid_network(tmp_path / "model.onnx", schema="\x1b[2J" + "x" * 10_000)
    with pytest.raises(ModelError, match=r"fkp\.schema") as caught:
        open_session(path, "cpu")
    assert len(caught.value.message) < 300 + len(str(tmp_path))
    assert caught.value.message.isprintable()


def test_metadata_that_is_not_utf_8(tmp_path: Path) -> None:
    path = centroid_network(tmp_path / "model.onnx", name="analytic")
    path.write_bytes(path.read_bytes().replace(b'"analytic"', b'"\xff\xfe\xfdlytic"'))
    with pytest.raises(ModelError, match=r"model\.onnx"):
        open_session(path, "cpu")
