"""A recipe: everything that decides how a network is trained, in one small TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fkp_live.errors import InputError, UsageError
from train.augment import AugmentOptions
from train.data import HELD_OUT, FaceSet, read_csv, splits
from train.losses import LossOptions
from train.model import ModelOptions
from train.values import section

# What the Udacity labels sit to the right of and below 300-W's convention, in pixels of their images.
# Measured by `python -m train offset`; train/EXPERIMENTS.md has the figures.
UDACITY_OFFSET = (0.9, 0.8)


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which faces are shown.

    Attributes
    ----------
    sets : names of `train.data.splits` to train on
    csv : further CSV files, relative to the data folder or absolute
    validation : CSV files whose error is watched, instead of wild val and the unseen persons
    share : chance of a face of each set to be drawn, relative to the others, by set name (default 1)
    weight : how much a face of each set counts in the loss, by set name (default 1)
    guessed : names of sets that a network labelled: they teach the points, not the confidence, because a network agrees
        with a network more than with people
    udacity_offset : (x, y) in pixels taken off the Udacity labels before the sets are mixed
    """

    sets: tuple[str, ...] = ("udacity_train", "wild_train")
    csv: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    share: dict[str, float] = field(default_factory=dict)
    weight: dict[str, float] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    udacity_offset: tuple[float, float] = UDACITY_OFFSET


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Schedule.

    Attributes
    ----------
    epochs, batch, lr, weight_decay, clip, seed : as usual; AdamW, one cycle with ``warmup`` as a share of the run
    ema : decay of the averaged weights, which are the ones that ship
    backgrounds : share of crops that hold no face and teach the confidence
    bf16 : convolutions in bfloat16 where the processor gains by it
    pose_balance : see `train.sampling.face_weights`
    epoch_faces : faces in an epoch (0: as many as there are)
    workers : processes that make crops
    """

    epochs: int = 100
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    clip: float = 5.0
    warmup: float = 0.08
    ema: float = 0.999
    seed: int = 0
    bf16: bool = True
    backgrounds: float = 0.06
    pose_balance: float = 0.5
    epoch_faces: int = 0
    workers: int = 1
    evaluate_every: int = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """All sections of a recipe."""

    name: str = "unnamed"
    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, as checkpoints and model cards store them."""
        return asdict(self)


def read_recipe(path: Path) -> Recipe:
    """A recipe from a TOML file.

    What it does not name is as in ``base``, another recipe beside it that it may name, else the default.

    Raises
    ------
    InputError
        The file cannot be read or is not TOML.
    UsageError
        It names a section, a key or a value that does not exist.
    """
    content = _content(Path(path))
    sections = {"data": DataOptions, "model": ModelOptions, "augment": AugmentOptions, "loss": LossOptions,
                "training": TrainingOptions}  # fmt: skip
    unknown = content.keys() - sections.keys() - {"name"}
    if unknown:
        raise UsageError(
            f"{path}: unknown section '{sorted(unknown)[0]}'", f"Sections: {', '.join(sections)}."
        )
    name = content.get("name", Path(path).stem)
    if not isinstance(name, str):
        raise UsageError(f"{path}: name = {name!r}, expected text")
    made: dict[str, Any] = {
        key: section(kind, content.get(key, {}), f"{path} [{key}]") for key, kind in sections.items()
    }
    return Recipe(name=name, **made)


def _content(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file over what its ``base`` holds, section by section; ``above``: the files that build on it."""
    if path.resolve() in above:
        raise UsageError(f"{path}: its base leads back to itself")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read recipe {path}: {error.strerror}", "See train/recipes/.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}", "See train/recipes/ for examples.") from error
    if "base" not in content:
        return content
    base = content.pop("base")
    if not isinstance(base, str):
        raise UsageError(f"{path}: base = {base!r}, expected the name of a recipe beside it")
    under = _content(path.parent / base, (*above, path.resolve()))
    for name, values in content.items():
        both = isinstance(values, dict) and isinstance(under.get(name), dict)
        under[name] = {**under[name], **values} if both else values
    return under


def training_sets(recipe: Recipe, root: Path) -> list[FaceSet]:
    """The faces that the recipe trains on.

    Raises
    ------
    InputError
        A file of theirs cannot be read.
    UsageError
        The recipe names no set, a set that is none, or shares of sets that are not loaded.
    """
    options = recipe.data
    _check_names(options)
    available, chosen = splits(root), []
    for name in options.sets:
        faces = available[name]
        if name == "udacity_train":
            faces = faces.shifted([-v for v in options.udacity_offset])
        chosen.append(faces)
    return chosen + [read_csv(Path(root) / csv) for csv in options.csv]


def _check_names(options: DataOptions) -> None:
    for name in options.sets:
        if name not in HELD_OUT:
            raise UsageError(
                f"[data] sets: '{name}' is not a training set", f"Expected {' or '.join(HELD_OUT)}."
            )
    loaded = [*options.sets, *(Path(csv).stem for csv in options.csv)]
    if not loaded:
        raise UsageError("[data]: neither sets nor csv name any faces")
    for key in ("share", "weight", "guessed"):
        if missing := [name for name in getattr(options, key) if name not in loaded]:
            raise UsageError(
                f"[data] {key}: no set '{missing[0]}' is trained on",
                f"Trained on: {', '.join(loaded)}. Add NAME.csv with --more, or correct the name.",
            )
    if not any(options.share.get(name, 1.0) for name in loaded):
        raise UsageError("[data] share: 0 for every set, so no face can be drawn", "Leave one above 0.")


def validation_sets(recipe: Recipe, root: Path) -> dict[str, FaceSet]:
    """The faces that are watched while training, never trained on: what is held out beside the recipe's sets, or the
    CSV files that the recipe names."""
    options = recipe.data
    if options.validation or not options.sets:
        return {Path(csv).stem: read_csv(Path(root) / csv) for csv in options.validation}
    available, watched = splits(root), {}
    for trained in sorted(options.sets, reverse=True):
        name = HELD_OUT[trained]
        offset = [-v for v in options.udacity_offset] if name == "unseen" else (0.0, 0.0)
        watched[name] = available[name].shifted(offset)
    return watched
