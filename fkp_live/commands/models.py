"""``fkp-live models``: which networks ship, what each learnt from, how good it is and what may be done with it."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fkp_live.arguments import Help, Parser
from fkp_live.commands.signals import Stops
from fkp_live.console import say
from fkp_live.errors import ExitCode, ModelError

if TYPE_CHECKING:
    from fkp_live.inference.session import Session

_EPILOG = """\
NME is the mean error in % of the distance of the outer eye corners, given a box as inexact as a detector's. FR10 is the
share of faces over 10 %, from picture to points, missed faces included. Everything else is in the card of each model.

examples:
  fkp-live models
  fkp-live models fkp68
  fkp-live models --json
"""
_TASKS = {
    "fkp-landmarks/1": "landmarks",
    "fkp-detector/1": "face detection",
    "fkp-expression/1": "expression",
    "fkp-eyes/1": "openness of eyes",
}
# Held-out sets, as a reader knows them.
_SETS = {
    "wild_val": "300-W, held out",
    "unseen": "Udacity, persons never seen",
    "udacity_test": "official Udacity test",
    "faces": "five classes, persons never seen",
    "rafdb": "seven classes, RAF-DB",
    "hard, held out": "hard faces, held out",
}
_WIDTH = 110


def main(words: Sequence[str], stops: Stops | None = None) -> int:
    """Print what ships, or what is known of the models that are named, and return the exit code.

    Raises
    ------
    UsageError
        For wrong options.
    ModelError
        For a name that is not a model, and for a file that is damaged or of another program.
    """
    options = _parser().parse_args(words)
    # Not at the top: onnxruntime takes longer to load than --help needs.
    from fkp_live.inference.models import models_dir, resolve_model
    from fkp_live.inference.session import open_session

    paths = [resolve_model(name) for name in options.names] or sorted(models_dir().glob("*.onnx"))
    if not paths:
        raise ModelError(f"No model is in {models_dir()}.", "Install the package again.")
    found = []
    for path in paths:
        if stops is not None:
            stops.raise_interrupt()
        found.append(_described(open_session(path, "cpu")))
    if options.json:
        say(json.dumps(found, indent=1))
    else:
        say("\n\n".join(_text(one) for one in found))
    return int(ExitCode.OK)


def _parser() -> Parser:
    made = Parser(
        prog="fkp-live models",
        description="The networks that ship: size, data, figures, licence.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    made.add_argument(
        "names",
        nargs="*",
        metavar="NAME|FILE",
        help="only these: names of shipped ones, or files of your own",
    )
    made.add_argument(
        "--json", action=argparse.BooleanOptionalAction, default=False, help="a JSON list on standard output"
    )
    made.add_argument("--debug", action="store_true", help="show where a failure happened")
    return made


def _described(session: Session) -> dict[str, Any]:
    """What is known of a model: its metadata, and the measured figures that lie beside the file."""
    path, metadata = session.path, session.metadata
    card = path.with_suffix(".md")
    return {
        "name": metadata.get("name", path.stem),
        "task": _TASKS[metadata["schema"]],
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": session.sha256,
        "input": _sides(metadata["input"]),
        "data": _data(metadata.get("training")),
        "figures": _figures(path.with_suffix(".json")),
        "licence": metadata.get("licence"),
        "card": str(card) if card.is_file() else None,
    }


def _sides(image: Mapping[str, Any]) -> int | list[int] | None:
    """Pixels of a square input, width and height of another one; None where it takes any size."""
    if "size" not in image and "width" in image:
        return [image["width"], image["height"]]
    return image.get("size")


def _data(training: Any) -> dict[str, Any]:
    """Names of the sets that a model learnt from, and of those it never saw."""
    if not isinstance(training, Mapping):
        return {"trained_on": [] if training is None else [training], "held_out": []}
    names = {
        "trained_on": training.get("sets", training.get("trained_on")),
        "held_out": training.get("held_out"),
    }
    # A file of somebody's own may hold anything there.
    return {key: [*map(str, of)] if isinstance(of, list | dict) else [] for key, of in names.items()}


def _figures(file: Path) -> dict[str, dict[str, Any]]:
    """By held-out set: number of faces, then NME and FR10 of a landmark network, shares of an expression network, or
    what an eye network reads: the line against the labels, and per cent of the shut eyes found at 3 % false.

    ``nme`` and ``fr10`` are in the convention of the training labels (Udacity's own is shifted by about 1 px), and
    ``nme_raw`` against the labels as they are.
    """
    if not file.is_file():
        return {}
    try:
        sets = json.loads(file.read_text(encoding="utf-8"))["figures"]
        return {name: _of_set(measured) for name, measured in sets.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The figures {file} cannot be read: {type(error).__name__}: {error}.",
            "Expected what 'python -m export' writes beside a model; install the package again, or remove the file.",
        ) from None


def _of_set(measured: Mapping[str, Any]) -> dict[str, Any]:
    ways = measured["ways"]
    if "slope" in ways.get("network", {}):
        found = ways["network"]
        return {
            "faces": int(measured["faces"]),
            "shut": int(measured["shut"]),
            **{name: float(found[name]) for name in ("slope", "intercept", "error")},
            "shut_found": None if found["shut_found"] is None else float(found["shut_found"]),
        }
    if "network" in ways:
        return {
            "faces": int(measured["faces"]),
            **{name: float(ways["network"][name]) for name in ("accuracy", "macro_f1")},
        }
    boxes, found = ways["jitter"], ways["detector"]
    return {
        "faces": int(boxes["raw"]["faces"]),
        "nme": float(boxes.get("own", boxes["raw"])["nme"]),
        "nme_raw": float(boxes["raw"]["nme"]),
        "fr10": float(found.get("own", found["raw"])["fr10"]),
    }


def _text(model: Mapping[str, Any]) -> str:
    sides = model["input"] if isinstance(model["input"], list) else [model["input"]] * 2
    size = f", input {sides[0]}x{sides[1]}" if model["input"] else ""
    lines = [f"{model['name']}: {model['task']}, {model['bytes'] / 1e6:.1f} MB{size}"]
    data = "; ".join(
        f"{words} {', '.join(model['data'][kind])}"
        for kind, words in (("trained_on", "trained on"), ("held_out", "never trained on"))
        if model["data"][kind]
    )
    figures = "; ".join(f"{_SETS.get(name, name)}: {_in_words(of)}" for name, of in model["figures"].items())
    shown = {"data": data, "figures": figures, "licence": model["licence"]}
    shown |= {"sha256": model["sha256"], "file": model["file"], "card": model["card"]}
    for what, text in shown.items():
        if text:
            lines += textwrap.wrap(
                "".join(letter for letter in str(text) if letter.isprintable()),
                _WIDTH,
                initial_indent=f"  {what:<9}",
                subsequent_indent=" " * 11,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def _in_words(figures: Mapping[str, Any]) -> str:
    if "nme" in figures:
        raw = figures["nme_raw"]
        against = f" (raw {raw:.2f})" if raw != figures["nme"] else ""
        return (
            f"NME {figures['nme']:.2f} %{against}, FR10 {figures['fr10']:.2f} % of {figures['faces']} faces"
        )
    if "slope" in figures:
        found = "" if figures["shut_found"] is None else f", {figures['shut_found']:.0f} % found"
        openness = f"openness with slope {figures['slope']:.2f} of {figures['faces']} faces"
        return f"{openness} (shut eyes: {figures['shut']}{found})"
    accuracy, f1 = figures["accuracy"], figures["macro_f1"]
    return f"right {accuracy:.1f} %, macro-F1 {f1:.1f} % of {figures['faces']} faces"
