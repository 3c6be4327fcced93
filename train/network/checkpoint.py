"""Checkpoints of trainings: a network's options and weights, and what a resumed training needs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fkp_live.errors import ModelError, OutputError, UsageError
from train.network.model import LandmarkNet
from train.options import ModelOptions
from train.recipe import section

# Options that older checkpoints store, with the only values that are left.
_FORMER_OPTIONS = {"stride": 4, "head": "soft-argmax"}


def save_checkpoint(path: Path, model: LandmarkNet, **extra: Any) -> None:
    """Write a checkpoint: model options, ``model`` weights and the ``extra`` values. OutputError as `write_content`."""
    write_content(path, {"options": asdict(model.options), "model": model.state_dict(), **extra})


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, which replaces an older one only when it is complete.

    Raises
    ------
    OutputError
        It cannot be written; an older one is as it was.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        torch.save(content, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch has a RuntimeError for a full disk
        reason = error.strerror if isinstance(error, OSError) else "it could not be written completely"
        raise OutputError(
            f"cannot write {path}: {reason}", "Is there room on the disk, and does the folder exist?"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _written_by(command: str) -> str:
    return f"Expected a .pt file written by `python -m train {command}`."


_WRITTEN_BY_FIT = _written_by("fit")


def read_content(path: Path, command: str, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Content of a checkpoint that another command than `fit` wrote, ``expression`` or ``eyes``.

    Raises
    ------
    ModelError
        The file is missing, damaged, of another command, or does not hold what is needed.
    """
    content = read_file(path, _written_by(command))
    if not isinstance(content, dict) or content.get("kind") != command:
        raise ModelError(f"{path} was not written by `python -m train {command}`", _written_by(command))
    if missing := [key for key in needs if key not in content]:
        raise ModelError(f"{path} holds no {missing[0]}", _written_by(command))
    return content


def read_file(path: Path, expected: str) -> Any:
    """What a file of torch holds, whatever it is. ModelError, with the cure ``expected``, where it cannot be read."""
    if not path.is_file():
        raise ModelError(f"no checkpoint at {path}", expected)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ModelError(f"{path} is damaged or is not a checkpoint", expected) from error


def read_checkpoint(path: Path, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Content of a checkpoint.

    Parameters
    ----------
    needs : what it must hold besides ``options`` and ``model``; a bare network holds nothing else

    Raises
    ------
    ModelError
        The file is missing, is not a checkpoint of this program or does not hold what is needed.
    """
    content = read_file(Path(path), _WRITTEN_BY_FIT)
    if not isinstance(content, dict) or not {"options", "model"} <= content.keys():
        raise ModelError(f"{path} holds no model of this program", _WRITTEN_BY_FIT)
    missing = [key for key in needs if key not in content]
    if missing:
        raise ModelError(
            f"{path} holds no {missing[0]}: it is not the checkpoint of a training run",
            f"{_WRITTEN_BY_FIT} `fit --init` takes any network.",
        )
    if "recipe" in content:
        _check_recipe(content, path)
    return content


def _check_recipe(content: dict[str, Any], path: Path) -> None:
    recipe = content["recipe"]
    for key in ("data", "model", "training"):
        if not isinstance(recipe, dict) or not isinstance(recipe.get(key), dict):
            raise ModelError(f"{path} holds a damaged recipe, without {key}", _WRITTEN_BY_FIT)
    if _options(recipe["model"], path) != _options(content["options"], path):
        raise ModelError(f"{path} holds another network than its recipe describes", _WRITTEN_BY_FIT)


def _options(values: Any, path: Path) -> ModelOptions:
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if _FORMER_OPTIONS.get(key) != value}
    try:
        return section(ModelOptions, values, "options")
    except UsageError as error:
        raise ModelError(
            f"{path} holds a network that cannot be built: {error.message}", error.hint
        ) from error


def network_of(content: dict[str, Any], path: Path) -> LandmarkNet:
    """The network of a checkpoint's content, with its averaged (EMA) weights where it has them.

    Raises
    ------
    ModelError
        The options describe no possible network, or the weights do not fit it.
    """
    model = LandmarkNet(_options(content["options"], path))
    load_weights(model, content.get("ema") or content["model"], path)
    return model


def load_weights(
    model: nn.Module | torch.optim.Optimizer, state: Any, path: Path, command: str = "fit"
) -> None:
    """Give a network, or its optimiser, the state that a checkpoint holds; ModelError where it does not fit."""
    try:
        model.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        kind = "weights" if isinstance(model, nn.Module) else "a state of the optimiser"
        raise ModelError(
            f"{path} holds {kind} of another network than its options describe", _written_by(command)
        ) from error


def load_checkpoint(path: Path) -> LandmarkNet:
    """The network of a checkpoint in eval mode, with its averaged (EMA) weights where it has them.

    Raises as `read_checkpoint` and `network_of` do.
    """
    return network_of(read_checkpoint(path), path).eval()
