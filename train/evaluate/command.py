"""`python -m train evaluate`: accuracy of a network, as tables, curves, contact sheets and JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fkp_live
from fkp_live import metrics
from fkp_live.arguments import whole_number
from fkp_live.console import say
from fkp_live.errors import ExitCode, InputError, OutputError, UsageError
from fkp_live.sinks.files import write_text
from fkp_live.wording import counted
from train.arguments import finite_number, make_folder, prepare_output
from train.data.faces import FaceSet
from train.data.reading import read_complete
from train.data.sheets import error_sheet, write_png
from train.data.splits import splits
from train.evaluate.evaluation import EVALUATED_SETS, WAYS, Evaluated, evaluate, finite, report
from train.evaluate.report import GLOSSARY, plot_calibration, plot_error_curves
from train.evaluate.visible import LABELS, evaluate_visible, visible_table
from train.network.opening import open_network
from train.options import UDACITY_OFFSET

Values = NDArray[np.float64]


def read_peers(path: Path, faces: int) -> dict[str, Values]:
    """Errors of other programs: {"name": [NME of each face, null where missed]} for a set of ``faces`` faces.

    Raises
    ------
    InputError
        The file cannot be read or is not of this form.
    """
    expected = f'Expected {{"name": [NME in per cent or null, one a face: {faces}]}}.'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        peers = {str(name): np.array(errors, np.float64) for name, errors in content.items()}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", expected) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} is not a list of errors for each name: {error}", expected) from error
    for name, errors in peers.items():
        if errors.shape != (faces,):
            raise InputError(f"{path}: '{name}' has errors of shape {errors.shape}, not ({faces},)", expected)
    return peers


def write_report(
    folder: Path, who: str, evaluated: Mapping[str, Evaluated], results: Mapping[str, Any], peers: Any
) -> None:
    """The files of --out: report.md with a glossary, errors.json, curves of ``who``, sheets, calibration."""
    try:
        (folder / "report.md").write_text(f"{GLOSSARY}\n\n{report(results)}\n")
        (folder / "errors.json").write_text(json.dumps(_errors(evaluated)) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}", "Choose another --out.") from error
    for name, one in evaluated.items():
        curves = {
            f"{who}, {WAYS[way]}": metrics.nme(some.points, one.faces.points)
            for way, some in one.best.items()
        }
        if one.own is not None:
            curves[f"{who}, end to end, raw"] = metrics.nme(one.raw["detector"].points, one.faces.points)
        curves |= peers.get(name, {})
        plot_error_curves(curves, folder / f"ced_{name}.png", f"{name}: {counted(len(one.faces), 'face')}")
        write_png(error_sheet(one.best["detector"].points, one.faces), folder / f"sheet_{name}.png")
    plot_calibration(
        {name: r["calibration"]["bins"] for name, r in results.items()}, folder / "calibration.png"
    )


def _errors(evaluated: Mapping[str, Evaluated]) -> dict[str, dict[str, list[float | None]]]:
    """NME of every face by set and way, null where missed; each of these lists is valid for --peers."""
    return {
        name: {
            way + suffix: _plain(metrics.nme(some.points, one.faces.points))
            for suffix, predictions in (("", one.raw), (" own", one.own or {}))
            for way, some in predictions.items()
        }
        for name, one in evaluated.items()
    }


def _plain(values: Iterable[float]) -> list[float | None]:
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train evaluate`."""
    parser.add_argument("model", type=Path, help="ONNX file, name of a shipped network, or checkpoint (.pt)")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with udacity/ and wild/: the three sets of the shipped cards; and the pose photos, where they are",
    )
    source.add_argument(
        "--csv",
        type=Path,
        action="append",
        metavar="FILE|DIR",
        help="evaluate on this CSV, folder of .pts files or COCO .json instead (labels as they are)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="with --csv: folder of the pictures, where they do not lie beside the file",
    )
    parser.add_argument(
        "--sets",
        nargs="+",
        choices=EVALUATED_SETS,
        metavar="SET",
        help=f"with --data: some of {', '.join(EVALUATED_SETS)} (default: those whose folder is there)",
    )
    parser.add_argument(
        "--offset",
        type=finite_number,
        nargs=2,
        metavar=("X", "Y"),
        default=UDACITY_OFFSET,
        help="pixels added for the Udacity labels' own convention (default: the measured %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="of the detector jitter (default: %(default)s)",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(1),
        metavar="N",
        help="only the first faces of each set, for a quick look",
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="FILE",
        help='errors of other programs for the curves: {"name": [NME, ...]}',
    )
    parser.add_argument(
        "--peers-set", default="udacity_test", metavar="SET", help="set of --peers (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for report, curves, sheets and calibration plot"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")


def _sets(args: argparse.Namespace) -> dict[str, FaceSet]:
    if args.csv:
        if args.sets:
            raise UsageError("--sets goes with --data", "A --csv is evaluated as a whole.")
        files: dict[str, Path] = {}
        for csv in args.csv:
            if csv.stem in files:
                raise UsageError(
                    f"--csv {files[csv.stem]} and --csv {csv}: both would be called '{csv.stem}' in the report",
                    "Rename one of them, or evaluate on them one by one.",
                )
            files[csv.stem] = csv
        sets = {name: read_complete(csv, args.images) for name, csv in files.items()}
    else:
        if args.images is not None:
            raise UsageError(
                "--images goes with --csv", "The sets of --data have their pictures beside them."
            )
        available = splits(args.data)
        sets = {name: available[name] for name in args.sets or _present(args.data)}
    if args.limit is not None:
        sets = {name: faces.select(np.arange(min(args.limit, len(faces)))) for name, faces in sets.items()}
    return sets


def _present(data: Path) -> list[str]:
    """The evaluated sets whose folder is there, and a line for those left out; all of them if none is there."""
    folders = {name: "wild" if name.startswith("wild") else "udacity" for name in EVALUATED_SETS}
    present = [name for name, folder in folders.items() if (data / folder).is_dir()]
    left_out = [name for name in EVALUATED_SETS if name not in present]
    if present and left_out:
        say(f"Without {data / folders[left_out[0]]}: {', '.join(left_out)} left out.", sys.stderr)
    return present or list(EVALUATED_SETS)


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train evaluate`."""
    network, identity = open_network(args.model)
    sets = _sets(args)
    peers: dict[str, Any] = {}
    if args.peers:
        if args.peers_set not in sets:
            raise UsageError(
                f"--peers-set {args.peers_set} is not evaluated here", f"Evaluated: {', '.join(sets)}."
            )
        if not args.out:
            raise UsageError("--peers goes with --out", "Their curves are drawn there.")
        peers[args.peers_set] = read_peers(args.peers, len(sets[args.peers_set]))
    if args.json:
        prepare_output(args.json, overwrite=True)
    if args.out:
        make_folder(args.out)
    offsets = {name: None if args.csv or name == "wild_val" else tuple(args.offset) for name in sets}
    evaluated = {name: evaluate(network, faces, offsets[name], args.seed) for name, faces in sets.items()}
    results = {name: one.figures() for name, one in evaluated.items()}
    print(report(results))
    visible = None
    if args.data and (args.data / LABELS).is_file() and not args.sets:
        visible = evaluate_visible(network, args.data, args.limit)
        print(f"\n{visible_table(visible)}")
    content = {
        **identity,
        "fkp_live": fkp_live.__version__,
        "machine": platform.platform(),
        "seed": args.seed,
        "udacity_offset": list(args.offset),
        "sets": results,
        **({} if visible is None else {"pose_photos": visible}),
    }
    if args.json:
        write_text(args.json, json.dumps(finite(content), indent=1) + "\n", overwrite=True)
        print(f"\n{args.json}")
    if args.out:
        who = identity.get("name", Path(identity["model"]).parent.name)
        write_report(args.out, who, evaluated, results, peers)
        print(f"\n{args.out}/: report.md, errors.json, ced_*.png, sheet_*.png, calibration.png")
    return ExitCode.OK
