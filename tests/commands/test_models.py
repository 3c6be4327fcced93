"""``fkp-live models``: what ships, as text and as JSON."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from fkp_live.commands.cli import main
from fkp_live.inference.models import STREAM_MODEL_INT8, models_dir

SHIPPED = {"fkp68", "fkp68-int8", "fkp68-large", "fkp68-tiny", "yunet"} | {
    "fkp68-medium",
    "fkp68-medium-int8",
    "fkp-expression",
    "fkp-expression-large",
    "fkp-eyes",
}


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict]:
    assert main(["models", "--json", *words]) == 0
    return {model["name"]: model for model in json.loads(capsys.readouterr().out)}


def test_every_shipped_model_is_listed_with_what_its_file_is(capsys: pytest.CaptureFixture[str]) -> None:
    models = listed(capsys)
    assert set(models) == SHIPPED
    sums = dict(reversed(line.split()) for line in (models_dir() / "SHA256SUMS").read_text().splitlines())
    for name, model in models.items():
        assert model["sha256"] == sums[f"{name}.onnx"]
        assert model["bytes"] == Path(model["file"]).stat().st_size
        assert Path(model["card"]).name == f"{name}.md"
        card = Path(model["card"]).read_text("utf-8")
        assert model["data"]["trained_on"]
        assert ("There streams take it" in card) == (name == STREAM_MODEL_INT8)
        assert ("non-commercial" in model["licence"]) == (name != "yunet")


def test_the_figures_are_those_of_the_cards(capsys: pytest.CaptureFixture[str]) -> None:
    models = listed(capsys)
    for name in sorted(name for name in SHIPPED if name.startswith("fkp68")):
        card = Path(models[name]["card"]).read_text("utf-8")
        for set_, figures in models[name]["figures"].items():
            own = "" if figures["nme"] == figures["nme_raw"] else ", labels' own convention"
            row = next(
                line
                for line in card.splitlines()
                if line.startswith(f"| {set_}, box given, detector jitter{own} ")
            )
            assert float(row.split("|")[3]) == pytest.approx(figures["nme"], abs=0.005)
    assert models["fkp-expression"]["figures"]["faces"]["accuracy"] == 83.6
    assert models["fkp68"]["figures"]["wild_val"]["faces"] == 300


def test_one_model_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fkp68"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("fkp68: landmarks, 2.2 MB, input 112x112\n")
    assert "300-W, held out: NME 3.54 %" in " ".join(shown.split())
    assert "never trained on" in shown
    assert "non-commercial" in shown


def test_the_eye_network_in_words_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    figures = listed(capsys, "fkp-eyes")["fkp-eyes"]["figures"]
    assert figures["wild_val"]["slope"] > 0.8
    assert figures["hard, held out"]["shut_found"] > 80
    assert main(["models", "fkp-eyes"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("fkp-eyes: openness of eyes, 0.1 MB, input 32x24 ")
    assert "300-W, held out: openness with slope 0.87 of 283 faces (shut eyes: 24, 96 % found)" in shown


def test_a_file_of_ones_own_has_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "meins é.onnx"
    shutil.copy(models_dir() / "fkp68-tiny.onnx", own)
    model = listed(capsys, str(own))["fkp68-tiny"]
    assert model["figures"] == {}
    assert model["card"] is None
    assert model["sha256"] == hashlib.sha256(own.read_bytes()).hexdigest()


@pytest.mark.parametrize("text", ["", "[]", '{"figures": {"unseen": {}}}', '{"figures": {"unseen": 3}}'])
def test_damaged_figures_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    own = tmp_path / "mine.onnx"
    shutil.copy(models_dir() / "yunet.onnx", own)
    own.with_suffix(".json").write_text(text)
    assert main(["models", str(own)]) == 4
    assert str(own.with_suffix(".json")) in capsys.readouterr().err


@pytest.mark.parametrize(("word", "code"), [("fkp99", 4), ("--jsn", 2)])
def test_what_is_no_model_is_refused(word: str, code: int) -> None:
    assert main(["models", word]) == code
