"""Provenance of a training, stored in its checkpoint: faces, initial weights, hold-outs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fkp_live.errors import InputError, ModelError, UsageError
from train.data.faces import FaceSet, image_folder
from train.data.splits import person_of, unseen_persons, validation_names

# Keys of a checkpoint. Those of older versions hold none of them.
KEYS = ("trained_on", "init", "held_out")


def provenance(sets: list[FaceSet], root: Path, init: Path | None) -> dict[str, Any]:
    """The three `KEYS` of a run.

    Returns
    -------
    dict
        ``trained_on``: name, number of faces and digest of each set; ``init``: name and digest of the file of first
        weights, or None; ``held_out``: how many faces of ``unseen`` and ``wild_val`` are in the sets all the same, by
        file name, None where ``root`` has no such data.

    Raises
    ------
    ModelError
        ``init`` cannot be read.
    """
    try:
        first = init and {"name": init.name, "sha256": hashlib.sha256(init.read_bytes()).hexdigest()}
    except OSError as error:
        raise ModelError(
            f"cannot read the first weights {init}: {error.strerror}", "Check its name and its permissions."
        ) from error
    trained_on = [{"name": faces.name, "faces": len(faces), "sha256": digest(faces)} for faces in sets]
    return {"trained_on": trained_on, "init": first, "held_out": _held_out(sets, root)}


def digest(faces: FaceSet) -> str:
    """SHA-256 of the names and the points of a set; where its files lie does not matter."""
    names = "\n".join(faces.names).encode()
    return hashlib.sha256(names + b"\0" + faces.points.astype("<f4").tobytes()).hexdigest()


def _held_out(sets: list[FaceSet], root: Path) -> dict[str, int | None]:
    names = {name for faces in sets for name in faces.names}
    found: dict[str, int | None] = {"unseen": None, "wild_val": None}
    if (root / "udacity").is_dir():
        persons = unseen_persons(root)
        found["unseen"] = sum(person_of(name) in persons for name in names)
    if (root / "wild" / "val.txt").is_file():
        found["wild_val"] = len(names & validation_names(root))
    return found


def refuse_held_out(sets: list[FaceSet], root: Path) -> None:
    """Raise InputError if a picture of the hold-outs under ``root`` is in one of the sets, under any path."""
    kept = _held_out_pictures(root)
    for faces in sets:
        found = [path.name for path in faces.paths if path.resolve() in kept]
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            raise InputError(
                f"{faces.name} has faces that are held out of training: {', '.join(found[:5])}{more}",
                f"Remove their rows: the persons in unseen_persons.txt and the faces in val.txt of {root} measure the "
                "network.",
            )


def _held_out_pictures(root: Path) -> set[Path]:
    pictures: list[Path] = []
    if (root / "udacity").is_dir():
        persons = unseen_persons(root)
        for part in ("training", "test"):
            folder = image_folder(root / "udacity" / f"{part}_frames_keypoints.csv")
            pictures += [path for path in folder.iterdir() if person_of(path.name) in persons]
    if (root / "wild" / "val.txt").is_file():
        folder = image_folder(root / "wild" / "keypoints.csv")
        pictures += [folder / name for name in validation_names(root)]
    return {path.resolve() for path in pictures}


def refuse_other_data(stored: dict[str, Any], mine: dict[str, Any], checkpoint: Path) -> None:
    """Raise UsageError if a checkpoint was trained on other faces; one of an older version does not record them."""
    if "trained_on" not in stored or stored["trained_on"] == mine["trained_on"]:
        return
    before, now = (
        {one["name"]: (one["faces"], one["sha256"]) for one in content["trained_on"]}
        for content in (stored, mine)
    )
    different = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    raise UsageError(
        f"{checkpoint} was trained on other faces ({', '.join(different) or 'sets in another order'} differs)",
        "Resume with the same data, or train into another folder, with --init for its weights.",
    )
