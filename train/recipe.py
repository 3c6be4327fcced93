"""A recipe: everything that decides how a network is trained, in one small TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from fkp_live.errors import InputError, UsageError
from train.augment import AugmentOptions
from train.data import FaceSet, read_csv, splits
from train.heads import HEADS
from train.losses import KINDS, LossOptions
from train.model import ModelOptions

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


T = TypeVar("T", DataOptions, ModelOptions, AugmentOptions, LossOptions, TrainingOptions)


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
    made = {
        name: _section(kind, content.get(name, {}), f"{path} [{name}]") for name, kind in sections.items()
    }
    recipe = Recipe(name=str(content.get("name", Path(path).stem)), **made)  # type: ignore[arg-type]
    if recipe.loss.kind not in KINDS:
        raise UsageError(f"{path} [loss]: kind '{recipe.loss.kind}'", f"Expected one of {', '.join(KINDS)}.")
    if recipe.training.epochs < 1 or recipe.training.batch < 2:
        raise UsageError(f"{path} [training]: epochs must be at least 1 and batch at least 2")
    if recipe.model.stride not in (4, 8, 16) or recipe.model.size % 16:
        raise UsageError(f"{path} [model]: stride must be 4, 8 or 16 and size a multiple of 16")
    if recipe.model.head not in HEADS:
        raise UsageError(
            f"{path} [model]: head '{recipe.model.head}'", f"Expected one of {', '.join(HEADS)}."
        )
    return recipe


def _content(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file over what its ``base`` holds, section by section; ``above``: the files that build on it."""
    if path.resolve() in above:
        raise UsageError(f"{path}: its base leads back to itself")
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read recipe {path}: {error.strerror}", "See train/recipes/.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}", "See train/recipes/ for examples.") from error
    if "base" not in content:
        return content
    under = _content(path.parent / str(content.pop("base")), (*above, path.resolve()))
    for name, section in content.items():
        both = isinstance(section, dict) and isinstance(under.get(name), dict)
        under[name] = {**under[name], **section} if both else section
    return under


def _section(kind: type[T], values: Any, where: str) -> T:
    if not isinstance(values, dict):
        raise UsageError(f"{where}: expected a section of keys and values")
    known = {f.name for f in fields(kind)}
    unknown = values.keys() - known
    if unknown:
        raise UsageError(
            f"{where}: unknown key '{sorted(unknown)[0]}'", f"Known: {', '.join(sorted(known))}."
        )
    return kind(
        **{  # type: ignore[arg-type]
            key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
        }
    )


def training_sets(recipe: Recipe, root: Path) -> list[FaceSet]:
    """The faces that the recipe trains on."""
    options = recipe.data
    available = splits(root) if options.sets else {}
    chosen = []
    for name in options.sets:
        if name not in ("udacity_train", "wild_train"):
            raise UsageError(
                f"[data] sets: '{name}' is not a training set", "Expected udacity_train or wild_train."
            )
        faces = available[name]
        if name == "udacity_train":
            faces = faces.shifted([-v for v in options.udacity_offset])
        chosen.append(faces)
    chosen += [read_csv(Path(root) / csv) for csv in options.csv]
    if not chosen:
        raise UsageError("[data]: neither sets nor csv name any faces")
    return chosen


def validation_sets(recipe: Recipe, root: Path) -> dict[str, FaceSet]:
    """The faces that are watched while training, never trained on: wild val and the unseen persons, or the CSV files
    that the recipe names."""
    options = recipe.data
    if options.validation or not options.sets:
        return {Path(csv).stem: read_csv(Path(root) / csv) for csv in options.validation}
    available = splits(root)
    offset = [-v for v in options.udacity_offset]
    return {"wild_val": available["wild_val"], "unseen": available["unseen"].shifted(offset)}
