"""A checkpoint shipped: ONNX file, model card, figures and the sums of all files, all of them or none.

They are made in a staging folder and renamed together; where one cannot be renamed, those before it are put back. Only
a process that is killed between two renames leaves some of each, the replaced ones in the staging folder.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export.card import card, headline, training_facts
from export.landmark import export_onnx, largest_difference, metadata, traced
from export.written import halve_weights, sha256_of
from fkp_live.errors import OutputError, UsageError
from fkp_live.sinks.files import check_output
from train.arguments import is_plain_name, make_folder
from train.data.faces import FaceSet
from train.data.splits import splits
from train.evaluate.evaluation import EVALUATED_SETS, evaluate, finite
from train.network.checkpoint import read_checkpoint
from train.network.opening import open_network, sound_network
from train.options import UDACITY_OFFSET

# A model, its figures and its card, by extension.
SHIPPED = (".onnx", ".json", ".md")


def ship(
    checkpoint: Path, name: str, folder: Path, data: Path | None, *, overwrite: bool, half: bool = False
) -> None:
    """Write ``name``.onnx, .md and .json into ``folder`` and bring SHA256SUMS up to date.

    Parameters
    ----------
    half : store the weights in 16 bits; it is measured as it ships

    Raises
    ------
    UsageError
        ``name`` is not a file name.
    OutputError
        One of the files exists and ``overwrite`` was not given, or the folder cannot be written.
    InputError
        ``data`` does not hold the evaluated sets.
    """
    check_place(checkpoint, name, folder, overwrite=overwrite)
    model = sound_network(checkpoint)
    training = training_facts(read_checkpoint(checkpoint, needs=("recipe", "epoch")))
    # Read before the export, so that faulty data are noticed first.
    sets = evaluated_sets(data) if data is not None else {}
    with staging_folder(folder) as staging:
        target, graph = staging / f"{name}.onnx", traced(model)
        if half:
            halve_weights(graph)
        export_onnx(model, target, metadata(model, name, training, {}), graph)
        figures: dict[str, Any] = {}
        if sets:
            # Evaluated as it ships: the file just written, through the product's code. Then the figures go into it.
            figures = measure(target, sets)
            export_onnx(model, target, metadata(model, name, training, headline(figures)), graph)
        write_beside(target, training, figures, card(name, target, model, training, figures))
        write_sums(folder, staging)
        difference = largest_difference(model, target)
    print(f"points differ from torch's by {difference:.4f} px at most", file=sys.stderr)
    print(folder / f"{name}.onnx")


def check_place(checkpoint: Path, name: str, folder: Path, *, overwrite: bool) -> None:
    """Make the folder for a model's files; raises as `ship` where they cannot, or must not, be written there."""
    if not is_plain_name(name):
        raise UsageError(
            f"--name '{name}' is not a file name", "Use letters, digits, dots, - and _; no folder."
        )
    make_folder(folder)
    for suffix in SHIPPED:
        check_output(folder / f"{name}{suffix}", overwrite=overwrite, inputs=[checkpoint])


def write_beside(model: Path, training: dict[str, Any], figures: dict[str, Any], card: str) -> None:
    """Figures and card beside an ONNX file."""
    facts = {"name": model.stem, "sha256": sha256_of(model), "training": training, "figures": figures}
    model.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    model.with_suffix(".md").write_text(card)


def ship_measured(
    model: Path,
    training: dict[str, Any],
    figures: dict[str, Any],
    export_onnx: Callable[[Path], float],
    card: Callable[[Path], str],
) -> None:
    """Ship a small network whose figures are there already.

    Parameters
    ----------
    export_onnx : writes the file and returns its largest difference from torch
    card : of the written file
    """
    with staging_folder(model.parent) as staging:
        target = staging / model.name
        apart = export_onnx(target)
        write_beside(target, training, figures, card(target))
        write_sums(model.parent, staging)
    print(f"outputs differ from torch's by {apart:.6f} at most", file=sys.stderr)
    print(model)


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder in ``folder``; what was made in it moves there at the end, all files or none.

    Raises OutputError where there is no room, or no permission to write.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".exporting-", dir=folder) as name:
            staging = Path(name)
            yield staging
            _move_all(staging, folder)
    except OSError as error:
        raise OutputError(
            f"cannot write into {folder}: {error.strerror or error}",
            "Make room there, or choose another --out.",
        ) from error


def _move_all(staging: Path, folder: Path) -> None:
    """Rename the files of ``staging`` into ``folder``; after a failure none has moved and the old ones are back."""
    names = [path.name for path in staging.iterdir()]
    old = staging / "replaced"
    old.mkdir()
    try:
        for name in names:
            if (folder / name).exists():
                (folder / name).replace(old / name)
            (staging / name).replace(folder / name)
    except BaseException:
        for name in names:
            if not (staging / name).exists():
                (folder / name).replace(staging / name)
            if (old / name).exists():
                (old / name).replace(folder / name)
        raise


def evaluated_sets(data: Path) -> dict[str, FaceSet]:
    """The sets that figures are measured on, by name. InputError if one of them cannot be read."""
    available = splits(data)
    return {name: available[name] for name in EVALUATED_SETS}


def measure(model: Path, sets: Mapping[str, FaceSet]) -> dict[str, Any]:
    """Figures of the ONNX file on the `evaluated_sets`, as `python -m train evaluate` prints them."""
    network, _ = open_network(model)
    results = {}
    for name, faces in sets.items():
        offset = None if name == "wild_val" else UDACITY_OFFSET
        results[name] = evaluate(network, faces, offset, seed=0).figures()
    return finite(results)


def write_sums(folder: Path, staging: Path) -> None:
    """Write SHA256SUMS into ``staging``, as `sha256sum --check` reads it.

    It lists every model, licence and file of figures that ``folder`` will hold once those of ``staging`` have moved
    there; no partial files.
    """
    files = {path.name: path for place in (folder, staging) for path in place.iterdir()}
    shipped = [
        files[name]
        for name in sorted(files)
        if files[name].suffix in (".onnx", ".txt", ".json") and not files[name].stem.endswith(".partial")
    ]
    (staging / "SHA256SUMS").write_text("".join(f"{sha256_of(path)}  {path.name}\n" for path in shipped))
