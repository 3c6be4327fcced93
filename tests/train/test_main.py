"""`python -m train` and `python -m export`: any failure is one message and an exit code."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from labelled import row_of, write_csv, write_images

from export.__main__ import main as export
from fkp_live.errors import ExitCode
from train.__main__ import COMMANDS as TRAIN
from train.__main__ import main as train
from train.running import EXTRAS

ROOT = Path(__file__).parents[2]
COMMANDS = [
    (train, ["view", "faces.csv", "--out", "sheet.png"], "train.data.view.read_faces"),
    (export, ["last.pt", "--out", "OUT"], "export.ship.sound_network"),
    (export, ["quantise", "fkp68", "--data", "d", "--out", "x.onnx"], "export.quantise.quantise"),
]


@pytest.mark.parametrize(("main", "words", "place"), COMMANDS)
@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unexpected_failure_is_one_message(
    main: Callable[[Sequence[str]], int],
    words: list[str],
    place: str,
    debug: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault\nof the program")

    monkeypatch.setenv("FKP_DEBUG", debug)
    monkeypatch.setattr(place, fail)
    assert main([word.replace("OUT", str(tmp_path)) for word in words]) == ExitCode.FAILURE
    message = capsys.readouterr().err
    assert "error: unexpected failure: ZeroDivisionError: a fault of the program" in message
    assert ("Traceback" in message) == bool(debug)
    assert ("FKP_DEBUG=1" in message) != bool(debug)


def in_a_process(line: str, tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A shell line in a folder that it may delete; ``python`` is this one, and the checkout is importable."""
    here = tmp_path / "here"
    here.mkdir()
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        ["sh", "-c", line.replace("python", f'"{sys.executable}"')],
        env={**os.environ, "PYTHONPATH": paths, "HERE": str(here), **more},
        cwd=here,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a folder in use cannot be removed")
@pytest.mark.parametrize(
    "words",
    [
        "train view faces.csv --out sheet.png",
        "train fetch --archive a.zip --to .",
        "train fit r.toml --csv faces.csv --out run",
        "export last.pt --out models",
    ],
)
def test_a_working_folder_that_was_deleted(words: str, tmp_path: Path) -> None:
    done = in_a_process(f'rmdir "$HERE"; python -m {words}', tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.INPUT, "")
    assert done.stderr == "error: the working folder does not exist any more\n  cd to a folder that exists.\n"


@pytest.mark.parametrize("variable", [{"TQDM_MININTERVAL": "x"}, {"TQDM_BAR_FORMAT": "{nothing}"}])
def test_a_variable_that_tqdm_cannot_use_is_named(variable: dict[str, str], tmp_path: Path) -> None:
    done = in_a_process("python -m train fetch --to d --archive a.zip", tmp_path, **variable)
    assert done.returncode == ExitCode.USAGE
    assert next(iter(variable)) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("package", ["train", "train view", "export", "export.yunet"])
def test_help_that_cannot_be_delivered_is_a_failure(package: str, tmp_path: Path) -> None:
    done = in_a_process(f"python -m {package} --help > /dev/full", tmp_path)
    assert done.returncode == ExitCode.OUTPUT
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("main", "command"), [*((train, name) for name in ("", *TRAIN)), (export, ""), (export, "quantise")]
)
def test_help_fits_80_columns(
    main: Callable[[Sequence[str]], int],
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    followed = zip(lines, [*lines[1:], ""], strict=True)
    assert [a for a, b in followed if a.startswith("  -") and "  " not in a.strip() and b[:4].strip()] == []


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "tqdm.py").write_text("raise ModuleNotFoundError('none', name='tqdm')")
    done = in_a_process("python -m train view --help", tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == ExitCode.FAILURE
    assert done.stderr.startswith("error: tqdm is not installed\n  In the checkout: pip install")


def test_every_package_of_the_extra_is_known_to_be_one() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    asked = re.findall(r"^([\w-]+)", setup["options.extras_require"]["train"], re.MULTILINE)
    assert {name.replace("scikit-image", "skimage") for name in asked} == EXTRAS


@pytest.mark.parametrize("words", ["train fit r.toml --out run", "export last.pt", "export quantise fkp68"])
def test_a_package_that_is_not_installed_is_named(words: str, tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    (without / "sitecustomize.py").write_text(
        "import sys\nsys.modules['torch'] = sys.modules['onnx'] = None\n"
    )
    more = " --data d --out x.onnx" if "quantise" in words else ""
    done = in_a_process(f'PYTHONPATH="{without}:$PYTHONPATH" python -m {words}{more}', tmp_path)
    assert done.returncode == ExitCode.FAILURE
    assert re.fullmatch(r"error: (torch|onnx) is not installed\n  .*pip install -e .*\n", done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ["view", "faces.csv", "--out", "s.png", "--tile", "9" * 400],
        ["view", "faces.csv", "--out", "s.png", "--names", "a{99999999999}"],
        ["view", "faces.csv", "--out", "s.png", "--names", "(" * 5000 + ")" * 5000],
        ["view", "x" * 300, "--out", "s.png"],
        ["view", "faces.csv", "--out", "x" * 300 + ".png"],
        ["view", "faces.csv", "--images", "x" * 300, "--out", "s.png"],
        ["evaluate", "x" * 300, "--csv", "faces.csv"],
        [
            "evaluate",
            "fkp68",
            "--csv",
            "faces.csv",
            "--out",
            "r",
            "--peers",
            "deep.json",
            "--peers-set",
            "faces",
        ],
        [
            "evaluate",
            "fkp68",
            "--csv",
            "faces.csv",
            "--out",
            "r",
            "--peers",
            "big.json",
            "--peers-set",
            "faces",
        ],
        ["average", "x" * 300, "y", "--out", "m.pt"],
        ["average", "a.pt", "b.pt", "--share", "9" * 5000, "--out", "m.pt"],
        ["features", "x" * 300, "--model", "fkp68"],
        ["label", "fkp68", "x" * 300, "--out", "x.csv"],
        ["offset", "x" * 300, "--data", "."],
        ["original-table", "--data", ".", "--recipe", "deep.toml"],
        ["fetch", "--to", "x" * 300, "--archive", "a.zip"],
        ["fetch", "--to", "x" * 300, "--url", "http://127.0.0.1:9/a"],
        ["fit", "deep.toml", "--csv", "faces.csv", "--out", "run"],
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_odd_input_is_one_message(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path, "a.png")
    write_csv(tmp_path / "faces.csv", [row_of("a.png")])
    (tmp_path / "deep.toml").write_text("x = " + "[" * 2000 + "]" * 2000)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "big.json").write_text('{"x": [1' + "0" * 400 + "]}")
    code = train(words)
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "unexpected" not in message
    assert len(message) < 2000
    assert code in (ExitCode.USAGE, ExitCode.INPUT, ExitCode.MODEL, ExitCode.OUTPUT)


@pytest.mark.parametrize("command", [train, export])
@pytest.mark.parametrize(("own", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_without_spinning_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[Sequence[str]], int],
    own: str | None,
    expected: str,
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", own or "")
    if own is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    assert command(["nothing"]) != ExitCode.OK
    assert os.environ["OMP_WAIT_POLICY"] == expected
