"""Training on an accelerator: no step of it makes a tensor on the CPU.

The device "meta" stands for CUDA, so that no GPU is needed: its tensors have a shape and a device but no values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from train.fit.loop import Run, nme_per_face
from train.fit.loss import Truth, total_loss
from train.fit.next_frame import next_frame
from train.network.model import LandmarkNet, Prediction
from train.options import LossOptions, ModelOptions, Recipe, TrainingOptions
from train.recipe import KINDS

DEVICE = "meta"
MODEL = ModelOptions(size=32, channels=(4, 4, 8, 8), blocks=(1, 1, 1), decoder=(8, 8))
RECIPE = Recipe(model=MODEL, training=TrainingOptions(epochs=1, batch=4, bf16=False))


class OneDevice(TorchDispatchMode):
    """Fails where an operation, forward or backward, mixes tensors of two devices, as CUDA does.

    As on CUDA, copies may cross devices and a tensor without dimensions may be on the CPU.
    """

    COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        inputs = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor) and value.dim()]
        found = {value.device.type for value in inputs}
        if function is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return 0.0  # float() of a value that is not there
        if function in self.COPIES:
            if found == {DEVICE} and kwargs.get("device") == torch.device("cpu"):
                return torch.zeros(args[0].shape, dtype=args[0].dtype)
        elif len(found) > 1:
            raise RuntimeError(f"{function} of tensors on {' and '.join(sorted(found))}")
        return function(*args, **kwargs)


@pytest.fixture(autouse=True)
def _one_device() -> Iterator[None]:
    with OneDevice():
        yield


def devices(module: nn.Module) -> set[str]:
    return {value.device.type for value in module.state_dict().values()}


def batch() -> list[Tensor]:
    """One batch as the loader gives it, on the CPU: crops, points, is_face, weights, guessed, point weights."""
    faces = torch.ones(4, dtype=torch.bool)
    crops = torch.zeros(4, 32, 32, 3, dtype=torch.uint8)
    return [crops, torch.rand(4, 68, 2), faces, torch.ones(4, dtype=torch.float64), ~faces, torch.ones(4, 68)]


def test_mixed_devices_are_noticed() -> None:
    with pytest.raises(RuntimeError, match="on cpu and meta"):
        torch.cat([torch.rand(3), torch.rand(3, device=DEVICE)])


@pytest.mark.parametrize("per_eye_distance", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_stays_on_the_device(kind: str, per_eye_distance: bool) -> None:
    points, maps = torch.rand(2, 4, 68, 2, device=DEVICE), torch.rand(4, 68, 8, 8, device=DEVICE)
    faces = torch.ones(4, dtype=torch.bool, device=DEVICE)
    weights = torch.rand(4, device=DEVICE), torch.ones(4, 68, device=DEVICE)
    truth = Truth(points[0], faces, weights[0], ~faces, weights[1])
    options = LossOptions(kind=kind, per_eye_distance=per_eye_distance, lids=1.0)
    terms = total_loss(Prediction(points[1], points[0, ..., 0], maps), truth, options, 25.6)
    assert {term.device.type for term in terms.values()} == {DEVICE}


def test_the_next_frame_stays_on_the_device() -> None:
    crops, warps = next_frame(torch.rand(4, 3, 32, 32, device=DEVICE), 0)
    assert (crops.device.type, warps.device.type) == (DEVICE, DEVICE)


def test_the_network_and_its_evaluation_stay_on_the_device() -> None:
    network = LandmarkNet(MODEL).to(DEVICE)
    errors = nme_per_face(network, torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.rand(4, 68, 2))
    assert errors.shape == (4,)


@pytest.mark.parametrize(
    "changes", [{}, {"kind": "l2", "per_eye_distance": False}, {"stillness": 1.0, "stillness_share": 0.5}]
)
def test_a_whole_step_runs_on_the_device(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward pass, losses, second views, backward pass, optimiser and averaged weights."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # knows no "meta"
    run = Run(replace(RECIPE, loss=LossOptions(**changes)), tmp_path, torch.device(DEVICE))
    loader: Any = [batch(), batch()]
    run.train_one_epoch(loader, tqdm(disable=True), lambda: None)
    assert run.step == 2
    assert devices(run.model) == devices(run.ema) == {DEVICE}
