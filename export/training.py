"""Sections of a model card on training faces, licence and limits: what the checkpoint recorded and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.options import LITE

# Held-out sets by their name in a checkpoint, and what metadata calls them.
HELD_OUT = {"unseen": "udacity unseen persons", "wild_val": "wild_val"}
# The project's training sets, and what is known of them.
KNOWN = {
    "udacity_train": "frames of YouTube Faces, from the Udacity facial-keypoints set; its labels are shifted by "
    "about 1 px against 300-W's: x {x:.2f}, y {y:.2f} px are taken off",
    "wild_train": "of 300-W (AFW, HELEN, LFPW)",
    "hard_aflw": "of AFLW2000-3D with hand-made labels (MERL-RAV), hidden points omitted: AFLW2000-3D is no test of "
    "this network any more, except for photos kept apart",
    "hard_mtfl": "of MTFL with hand-made labels (MERL-RAV), hidden points omitted",
}
# Of hard faces, where the recipe says so.
_MOVED = "; labels moved to 300-W's convention, see `python -m train habit`"
# The sets that the shipped networks learn from, and those of hard faces.
USUAL, HARD = {"udacity_train", "wild_train"}, {"hard_aflw", "hard_mtfl"}
RECIPES = Path(__file__).parents[1] / "train" / "recipes"

_LICENCE = "weights: research and non-commercial use, as the faces of 300-W that they learnt from; code: MIT"
_OTHER_LICENCE = (
    "weights: as the faces that they learnt from and the networks that they come from allow; code: MIT"
)

# Of a network with the trunk EfficientNet-Lite0, whose first weights may be published ones, however many runs ago.
_PUBLISHED = "; trunk EfficientNet-Lite0: published first weights are Apache-2.0 and learnt from ImageNet"

# Of networks trained before checkpoints noted their sets: those that shipped.
_BEFORE_NOTES = """\
- 3,120 faces of the Udacity facial-keypoints set (frames of YouTube Faces; the 35 persons of its hold-out list are
  never trained on). Their labels are shifted by about 1 px against 300-W's: x {x:.2f}, y {y:.2f} px are taken off.
- 1,712 faces of 300-W (AFW, HELEN, LFPW); 300 more are the validation set `wild_val` and are never trained on.
{more}"""

_MORE = """\
- {names}: labels that networks trained here gave (mean of several boxes and their mirror images) to faces without
  labels and to the training faces once more; the commands stand in the recipe. No held-out face is among them.
"""

_LAST_EPOCH = (
    "The weights are those of the last epoch (averaged); no checkpoint was picked on validation faces."
)
_COMPARED = "Recipes were\ncompared on `wild_val` and on the unseen persons, see train/EXPERIMENTS.md."
_NON_COMMERCIAL = """\
Licence: the labelled faces of 300-W are for research and non-commercial use, and so are these weights. The code is MIT.
"""

_LIMITS = """\
- Profile faces (yaw beyond about 60 degrees): the markup itself is ill-defined there{few}.
- Small faces: the crop is enlarged and the error grows; see the slices by size.
- Dark or heavily backlit faces, hands and masks over the mouth: points are guessed from the rest of the face, and
  their confidence falls.
- The confidence estimates the probability that a point lies within a tenth of the eye distance of its true place: the
  distance of the outer eye corners, but at least 0.34 of the longer side of the box. It was learnt on training faces;
  the last table shows how well it fits others.
"""
_ADULTS = "- The faces that it learnt from are mostly adults in news footage and web photos.\n"


def licence(training: dict[str, Any]) -> str:
    """Licence of the weights, as the metadata states it."""
    terms = _LICENCE if "wild_train" in training.get("sets", ()) else _OTHER_LICENCE
    return terms + (_PUBLISHED if training.get("trunk") == LITE else "")


def turned_share(training: dict[str, Any]) -> float:
    """How much of the network learnt from turned faces with points that nobody sees, 0 to 1.

    So far its confidence is right there: of a mean of two networks, the share of the one that did.
    """
    own = float(any(name in HARD for name in training.get("sets", ())))
    other = training.get("averaged")
    if other is None:
        return own
    theirs = other.get("turned", any(row["name"] in HARD for row in other.get("trained_on", ())))
    return round(other["share"] * own + (1 - other["share"]) * theirs, 3)


def recipe_named(training: dict[str, Any]) -> str:
    """The recipe's file where it is one of this project's, else its name."""
    file = _own_recipe(training)
    return training["recipe"] if file is None else f"train/recipes/{file.relative_to(RECIPES).as_posix()}"


def _own_recipe(training: dict[str, Any]) -> Path | None:
    """The recipe's file, None where it is not one of this project's."""
    files = (folder / f"{training['recipe']}.toml" for folder in (RECIPES, RECIPES / "history"))
    return next((file for file in files if file.is_file()), None)


def data_section(training: dict[str, Any]) -> str:
    """The card's section on the data and the licence."""
    if "trained_on" in training:
        data = _as_noted(training)
    elif training["held_out"]:
        more = ", ".join(name for name in training["sets"] if name.endswith(".csv"))
        data = _BEFORE_NOTES.format(**_offset(training), more=_MORE.format(names=more) if more else "")
    else:
        sets = "".join(f"- {name}\n" for name in training["sets"])
        data = f"{sets}\nNothing is known about held-out faces, nor how many faces these sets had.\n"
    weights = f"{_LAST_EPOCH} {_COMPARED}" if _own_recipe(training) else _LAST_EPOCH
    terms = _NON_COMMERCIAL if licence(training) == _LICENCE else f"Licence: {licence(training)}.\n"
    return f"{data}\n{weights}\n\n{terms}"


def limits(training: dict[str, Any]) -> str:
    """The card's section on the limits of the network, and of its data where that is known."""
    sets = set(training["sets"])
    only_usual = sets >= USUAL and not sets & HARD
    few = " and the training data holds few" if only_usual else ""
    return _LIMITS.format(few=few) + (_ADULTS if only_usual else "")


def _offset(training: dict[str, Any]) -> dict[str, float]:
    return dict(zip("xy", training["udacity_offset"] or (), strict=False))


def _as_noted(training: dict[str, Any]) -> str:
    lines = []
    for row in training["trained_on"]:
        about = ", labels given by a network" if row["name"] in training["guessed"] else ""
        # Not another CSV file of that name, nor a folder of .pts files, whose name stands in both as it is.
        if row["name"] in training["sets"] and row["name"] in KNOWN:
            moved = _MOVED if row["name"] in HARD and training.get("without_habit") else ""
            about = f" ({KNOWN[row['name']].format(**_offset(training))}{moved})"
        lines.append(
            f"- {row['name']}: {row['faces']:,} faces{about}; SHA-256 of names and labels {row['sha256']}"
        )
    if training["init"]:
        lines.append("- first weights: {name}, SHA-256 {sha256}".format(**training["init"]))
    sentences, other = _counted(training["held_out_seen"], "them"), training.get("averaged", {})
    if "trained_on" in other:
        rows = (f"{row['name']} ({row['faces']:,} faces)" for row in other["trained_on"])
        lines.append(f"- {other['with']}, the network averaged with, learnt from {', '.join(rows)}")
        sentences += _counted(other["held_out"], f"those of {other['with']}")
    if training["init"] or (other and "trained_on" not in other):
        sentences.append("What the other network that it comes from had learnt from is not counted here.")
    return "\n".join([*lines, "", *sentences, ""])


def _counted(seen: dict[str, int | None] | None, faces: str) -> list[str]:
    """A sentence for each held-out set: how many of its faces are among ``faces``, where that is known."""
    return [
        f"Nothing is known about held-out faces of `{name}` among {faces}: no list of them was there then."
        if count is None
        else f"Held-out faces of `{name}` among {faces}: {count or 'none'}."
        for name, count in (seen or dict.fromkeys(HELD_OUT)).items()
    ]
