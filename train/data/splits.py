"""Training faces and held-out faces: the data folder's sets, and those that a recipe names.

300-W holds some photographs twice, and 17 of ``wild/val.txt`` have their twin among the other faces. `splits` omits
those twins (``wild_twins.txt``) from training, and `twins_in_validation` names the 17.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fkp_live.console import say
from fkp_live.errors import InputError, UsageError
from train.data.faces import FaceSet, read_csv
from train.data.habit import without_habit
from train.data.hard import HARD, read_hard
from train.data.reading import read_complete, read_faces
from train.options import DataOptions, Recipe

# Which set is held out beside each set that is trained on.
HELD_OUT = {"udacity_train": "unseen", "wild_train": "wild_val"}


def training_sets(recipe: Recipe, root: Path, images: Path | None = None) -> list[FaceSet]:
    """The faces that the recipe trains on.

    ``images``: folder of the pictures of its files, where they do not lie beside them.

    Raises
    ------
    InputError
        A file of theirs cannot be read.
    UsageError
        The recipe names no set, a set that does not exist, or shares of sets that are not loaded.
    """
    options = recipe.data
    _check_names(options)
    available, chosen = splits(root), []
    for name in options.sets:
        faces = available[name]
        if name == "udacity_train":
            faces = faces.shifted([-v for v in options.udacity_offset])
        if name in HARD and options.without_habit:
            faces = without_habit(faces)
        chosen.append(faces)
    return chosen + [read_faces(Path(root) / csv, images) for csv in options.csv]


def _check_names(options: DataOptions) -> None:
    for name in options.sets:
        if name not in HELD_OUT and name not in HARD:
            raise UsageError(
                f"[data] sets: '{name}' is not a training set", f"Expected {', '.join([*HELD_OUT, *HARD])}."
            )
    loaded = [*options.sets, *(Path(csv).stem for csv in options.csv)]
    if not loaded:
        raise UsageError("[data]: neither sets nor csv name any faces", "Name a set in sets, or give --csv.")
    for key in ("share", "weight", "guessed", "brows"):
        if missing := [name for name in getattr(options, key) if name not in loaded]:
            raise UsageError(
                f"[data] {key}: no set '{missing[0]}' is trained on",
                f"Trained on: {', '.join(loaded)}. Add NAME.csv with --more, or correct the name.",
            )
    if not any(options.share.get(name, 1.0) for name in loaded):
        raise UsageError("[data] share: 0 for every set, so no face can be drawn", "Leave one above 0.")


def validation_sets(recipe: Recipe, root: Path, images: Path | None = None) -> dict[str, FaceSet]:
    """The validation faces, never trained on: what is held out beside the recipe's sets, or the files that it names.

    ``images``: folder of the pictures of these files, where they do not lie beside them.
    """
    options = recipe.data
    if options.validation or not options.sets:
        return {Path(csv).stem: read_complete(Path(root) / csv, images) for csv in options.validation}
    available, watched = splits(root), {}
    for trained in sorted(set(options.sets) & HELD_OUT.keys(), reverse=True):
        name = HELD_OUT[trained]
        offset = [-v for v in options.udacity_offset] if name == "unseen" else (0.0, 0.0)
        watched[name] = available[name].shifted(offset)
    return watched


def person_of(name: str) -> str:
    """Person in a file name of YouTube Faces: ``Bill_Frist_21.jpg`` -> ``Bill_Frist``."""
    return re.sub(r"_?\d+\.\w+$", "", name)


def splits(root: Path) -> Mapping[str, FaceSet]:
    """The data sets under ``root`` (``udacity``, ``wild``, ``hard``) with the hold-outs taken out of training.

    Returns
    -------
    Mapping
        ``udacity_train`` (persons of ``unseen_persons.txt`` removed), ``udacity_test`` (all 770 official faces),
        ``unseen`` (the test faces of the held-out persons), ``wild_train`` (without the twins of validation faces),
        ``wild_val`` (``val.txt``), ``hard_aflw`` and ``hard_mtfl`` (with partial labels; listed where their folder
        exists). A folder is read, and may raise InputError, when a set of it is first used.
        Labels are as in the files: no offset is taken off.
    """
    return _Splits(Path(root))


class _Splits(Mapping[str, FaceSet]):
    _NAMES = ("udacity_train", "udacity_test", "unseen", "wild_train", "wild_val")

    def __init__(self, root: Path) -> None:
        self._root, self._read = root, dict[str, FaceSet]()

    def __getitem__(self, name: str) -> FaceSet:
        if name in HARD and name not in self._read:
            self._read[name] = read_hard(self._root / "hard" / HARD[name], name)
        if name not in self._NAMES and name not in HARD:
            raise KeyError(name)
        if name not in self._read:
            self._read |= _wild(self._root) if name.startswith("wild") else _udacity(self._root)
        if not len(self._read[name]):
            hint = _VALIDATION if name.startswith("wild") else _PERSONS
            listed = "wild/val.txt" if name.startswith("wild") else "unseen_persons.txt"
            raise InputError(f"{self._root}: {listed} leaves no face for {name}", hint)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._NAMES
        yield from (name for name, folder in HARD.items() if (self._root / "hard" / folder).is_dir())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _udacity(root: Path) -> dict[str, FaceSet]:
    folder = root / "udacity"
    train = read_csv(folder / "training_frames_keypoints.csv", name="udacity_train")
    test = read_csv(folder / "test_frames_keypoints.csv", name="udacity_test")
    persons = unseen_persons(root)
    return {
        "udacity_train": train.select([person_of(name) not in persons for name in train.names]),
        "udacity_test": test,
        "unseen": test.select([person_of(name) in persons for name in test.names], "unseen"),
    }


def _wild(root: Path) -> dict[str, FaceSet]:
    csv = root / "wild" / "keypoints.csv"
    if not csv.exists():
        raise InputError(
            f"no such data set: {csv}",
            "Without 300-W, train by train/recipes/quick.toml and evaluate --sets udacity_test unseen: both need "
            "Udacity's faces only.",
        )
    faces, held_out = read_csv(csv, name="wild"), validation_names(root)
    unknown = sorted(held_out - set(faces.names))
    if unknown:
        # Of a part of the data it is as it should be; a name that is misspelt must not be trained on unnoticed.
        more = f" and {len(unknown) - 1} more" if unknown[1:] else ""
        say(
            f"{root / 'wild' / 'val.txt'} names {unknown[0]}{more}, which {csv.name} does not hold.",
            sys.stderr,
        )
    twin = dict(_twins()) | {second: first for first, second in _twins()}
    in_val = np.array([name in held_out for name in faces.names])
    beside = np.array([twin.get(name) in held_out for name in faces.names])
    return {
        "wild_train": faces.select(~in_val & ~beside, "wild_train"),
        "wild_val": faces.select(in_val, "wild_val"),
    }


_PERSONS = (
    "One person per line, as the file names begin: Bill_Frist for Bill_Frist_21.jpg. They are not trained on."
)
_VALIDATION = (
    "val.txt lists the faces of wild/keypoints.csv that are kept for validation and not trained on, one file "
    "name per line. Write the names that you hold out into it."
)


def unseen_persons(root: Path) -> set[str]:
    """Persons held out of training: ``udacity/unseen_persons.txt`` under ``root``, else the project's own list."""
    own = root / "udacity" / "unseen_persons.txt"
    return set(_lines(own if own.exists() else Path(__file__).with_name("unseen_persons.txt"), _PERSONS))


def validation_names(root: Path) -> set[str]:
    """File names in ``wild/val.txt`` under ``root``."""
    return set(_lines(root / "wild" / "val.txt", _VALIDATION))


def twins_in_validation() -> set[str]:
    """File names of the validation faces whose other copy was trained on before such twins were omitted."""
    return {first for first, _ in _twins()}


def _twins() -> list[tuple[str, str]]:
    lines = _lines(Path(__file__).with_name("wild_twins.txt"), "It is part of the project.")
    return [(first, second) for first, second in (line.split() for line in lines if not line.startswith("#"))]


def _lines(path: Path, hint: str) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list of held-out names {path}: {error}", hint) from error
    return [line.strip() for line in text.splitlines() if line.strip()]
