"""What is refused before anything is computed, by every command that takes it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from export.__main__ import main as export
from fkp_live.errors import ExitCode, OutputError
from train.__main__ import main as train
from train.arguments import finite_number, is_plain_name, prepare_output

EVALUATE = ["evaluate", "m", "--data", "d"]
LABEL = ["label", "m", "images", "--out", "x.csv"]
VIEW = ["view", "x.csv", "--out", "x.png"]
OFFSET = ["offset", "m", "--data", "d"]
FEATURES = ["features", "x.png", "--model", "m"]
QUANTISE = ["quantise", "m", "--data", "d", "--out", "x.onnx"]


@pytest.mark.parametrize(
    "words",
    [
        [*EVALUATE, "--seed", "-1"],
        [*LABEL, "--seed", "-1"],
        [*LABEL, "--threads", "0"],
        [*LABEL, "--views", "0"],
        [*LABEL, "--views", "-3"],
        [*LABEL, "--spread", "nan"],
        [*VIEW, "--seed", "-1"],
        [*OFFSET, "--threads", "0"],
        [*OFFSET, "--threads", "99999999999"],
        [*FEATURES, "--box", "nan", "0", "10", "10"],
        [*FEATURES, "--box", "0", "0", "10", "inf"],
        [*QUANTISE, "--seed", "-1"],
        [*QUANTISE, "--rounds", "0"],
    ],
)
def test_numbers_out_of_range_are_usage_errors(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (export if words[0] == "quantise" else train)(words) == ExitCode.USAGE
    assert words[-1] in capsys.readouterr().err or "--box" in words


@pytest.mark.parametrize("text", ["nan", "-inf", "1e999", "x", ""])
def test_what_is_no_finite_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        finite_number(text)
    assert finite_number("-1e3") == -1000.0


@pytest.mark.parametrize("name", ["a", "fkp68-tiny", "v1.2", "_x"])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)
    for wrong in ("", f"../{name}", f"{name}/x", f".{name}", f"{name}\n", f"C:{name}", name * 101):
        assert not is_plain_name(wrong)


def test_folders_of_an_output_are_made_and_files_are_no_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deeper" / "x.csv"
    prepare_output(path, overwrite=False)
    path.write_text("x")
    for wrong, overwrite in [(path, False), (path.parent, True), (path / "x.csv", True)]:
        with pytest.raises(OutputError):
            prepare_output(wrong, overwrite=overwrite)
    assert path.read_text() == "x"
