"""A recipe, read from a TOML file: every value is checked against the type of its option and a range.

recipe = read_recipe(Path("train/recipes/fkp68.toml"))
recipe.training.epochs  # 190
"""

from __future__ import annotations

import os
import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from fkp_live.errors import InputError, UsageError
from train.options import (
    LITE,
    PLAIN,
    AugmentOptions,
    DataOptions,
    LossOptions,
    ModelOptions,
    Recipe,
    TrainingOptions,
)

T = TypeVar("T")
# A recipe over another over another …; the project's own chains have two.
_MOST_BASES = 20

# Distances of the points, see `train.fit.loss`.
KINDS = ("l1", "l2")

_CHOICES: dict[str, tuple[Any, ...]] = {"kind": KINDS, "trunk": (PLAIN, LITE)}
# The least and the largest value, of every number in a list or a table too; both ends are allowed.
_SHARE = (0.0, 1.0)
_WEIGHT = (0.0, 1000.0)
_RANGES: dict[str, tuple[float, float]] = {
    "share": _WEIGHT, "weight": _WEIGHT, "udacity_offset": (-100.0, 100.0), "covered": _SHARE, "brows": _WEIGHT,
    "size": (16, 1024), "margin": (0.0, 2.0), "channels": (1, 4096), "blocks": (0, 64), "decoder": (1, 4096),
    "rotation": (0.0, 180.0), "shift": _SHARE, "scale": _SHARE, "far": _SHARE, "stretch": _SHARE, "shear": _SHARE,
    "mirror": _SHARE, "light": _SHARE, "grey": _SHARE, "low_resolution": _SHARE, "blur": _SHARE, "noise": _SHARE,
    "jpeg": _SHARE, "occlusion": _SHARE, "labels_right": (-0.5, 0.5),
    "tilt": _SHARE, "turn": _SHARE, "cover": _SHARE, "shadow": _SHARE, "dark": _SHARE,
    "maps": _WEIGHT, "sigma": (0.05, 100.0),
    "confidence": _WEIGHT, "stillness": _WEIGHT, "stillness_share": _SHARE, "lids": _WEIGHT,
    "epochs": (1, 1_000_000), "batch": (2, 65536), "lr": (1e-9, 1e9), "weight_decay": (0.0, 100.0),
    "clip": (1e-6, 1e9), "warmup": _SHARE, "ema": (0.0, 0.999999), "seed": (0, 2**32 - 1),
    "backgrounds": (0.0, 0.95), "pose_balance": (0.0, 10.0), "hard_balance": _WEIGHT, "epoch_faces": (0, 100_000_000),
    "workers": (0, 256), "evaluate_every": (1, 1_000_000),
}  # fmt: skip
_WORDS = {int: "whole number", float: "number", str: "text"}


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
        raise UsageError(f"{path}: name = {shown(name)}, expected text")
    made: dict[str, Any] = {
        key: section(kind, content.get(key, {}), f"{path} [{key}]") for key, kind in sections.items()
    }
    _check_trunk(made["model"], f"{path} [model]")
    return Recipe(name=name, **made)


def _check_trunk(model: ModelOptions, where: str) -> None:
    """Raise UsageError where the recipe asks for what a trunk of fixed shape does not have."""
    if model.trunk == PLAIN:
        return
    if model.size % 32:
        raise UsageError(
            f"{where}: size = {model.size}, expected a multiple of 32",
            f"The trunk {model.trunk} halves the crop five times.",
        )
    usual = ModelOptions()
    if (model.channels, model.blocks) != (usual.channels, usual.blocks):
        raise UsageError(
            f"{where}: the trunk {model.trunk} has channels and blocks of its own",
            "Leave both out; a base that names them cannot be a base here.",
        )


def _content(path: Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The file over what its ``base`` holds, section by section; ``above``: the files that build on it."""
    real = os.path.realpath(path)
    if real in above:
        raise UsageError(f"{path}: its base leads back to itself", "Remove the base of one of them.")
    if len(above) > _MOST_BASES:
        raise UsageError(
            f"{path}: more than {_MOST_BASES} recipes build on each other",
            "Put what they say into one of them.",
        )
    content = read_toml(path)
    if "base" not in content:
        return content
    base = content.pop("base")
    if not isinstance(base, str) or "\0" in base:
        raise UsageError(f"{path}: base = {shown(base)}, expected the name of a recipe beside it")
    under = _content(path.parent / base, (*above, real))
    for name, values in content.items():
        both = isinstance(values, dict) and isinstance(under.get(name), dict)
        under[name] = {**under[name], **values} if both else values
    return under


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file. InputError where it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read recipe {path}: {error.strerror}", "See train/recipes/.") from error
    except RecursionError as error:
        raise InputError(
            f"{path} is nested too deeply for a recipe", "See train/recipes/ for examples."
        ) from error
    except ValueError as error:  # of TOML or of UTF-8, or a number of more than 4,300 digits
        raise InputError(f"{path} is not TOML: {error}", "See train/recipes/ for examples.") from error


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    return reprlib.repr(value)


def section(kind: type[T], values: Any, where: str) -> T:
    """A dataclass from the keys and values of a recipe's section; what they do not name keeps its default.

    Parameters
    ----------
    where : names the section in messages

    Raises
    ------
    UsageError
        A key that does not exist, a value of another type or out of its range.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: expected a section of keys and values")
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise UsageError(f"{where}: unknown key '{key}'", f"Known: {', '.join(sorted(known))}.")
    given = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
    for key, value in given.items():
        if not (_is(value, hints[key]) and _fits(key, value)):
            raise UsageError(f"{where}: {key} = {shown(values[key])}, expected {_expected(key, hints[key])}")
    return kind(**given)


def _parts(hint: Any) -> tuple[type, tuple[Any, ...]]:
    """``tuple[int, int]`` -> tuple, (int, int); ``float`` -> float, ()."""
    return get_origin(hint) or hint, get_args(hint)


def _is(value: Any, hint: Any) -> bool:
    kind, inner = _parts(hint)
    if kind is tuple:
        if type(value) is not tuple:
            return False
        if Ellipsis in inner:
            return all(_is(v, inner[0]) for v in value)
        return len(value) == len(inner) and all(map(_is, value, inner))
    if kind is dict:
        return isinstance(value, dict) and all(
            _is(k, inner[0]) and _is(v, inner[1]) for k, v in value.items()
        )
    # True is an int to Python, and a whole number is good enough for a float.
    return type(value) in ((int, float) if kind is float else (kind,))


def _fits(key: str, value: Any) -> bool:
    if key in _CHOICES:
        return value in _CHOICES[key]
    if key not in _RANGES:
        return True
    low, high = _RANGES[key]
    numbers = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
    # The trunk halves the crop four times.
    return all(low <= v <= high and (key != "size" or v % 16 == 0) for v in numbers)


def _expected(key: str, hint: Any) -> str:
    if key in _CHOICES:
        return "one of " + ", ".join(map(str, _CHOICES[key]))
    kind, inner = _parts(hint)
    ends = " from {} to {}".format(*_RANGES[key]) if key in _RANGES else ""
    if kind is bool:
        return "true or false"
    if kind is dict:
        return f"a table of numbers{ends} by set name"
    if kind is tuple:
        count = "" if Ellipsis in inner else f"{len(inner)} "
        return f"a list of {count}{_WORDS[inner[0]]}s{ends}"
    if kind is str:
        return "text"
    return f"a {_WORDS[kind]}{ends}" + (", a multiple of 16" if key == "size" else "")
