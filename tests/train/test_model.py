"""The network, its losses and its checkpoints."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fkp_live.errors import ModelError, OutputError
from train.losses import LossOptions, Truth, map_cross_entropy, point_distance, total_loss
from train.model import (
    STRIDE,
    Answer,
    LandmarkNet,
    ModelOptions,
    SoftArgmax,
    count_macs,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from train.values import KINDS

SMALL = ModelOptions(size=64, channels=(4, 4, 8, 8), blocks=(1, 1, 1), decoder=(8, 8))


@pytest.mark.parametrize("stride", [4, 8])
def test_soft_argmax_finds_a_peak_between_cells(stride: int) -> None:
    head = SoftArgmax(16, stride)
    cells = torch.arange(16.0)
    # Logits of a Gaussian of one cell at cell (5.3, 9.6), which is crop pixel cell * stride + (stride - 1) / 2.
    logits = -((cells[None, :] - 5.3) ** 2 + (cells[:, None] - 9.6) ** 2) / 2.0
    points, spread = head(logits[None, None])
    expected = torch.tensor([5.3, 9.6]) * stride + (stride - 1) / 2.0
    assert (points[0, 0] - expected).abs().max() < 0.02 * stride
    assert spread.item() == pytest.approx(2**0.5 * stride, rel=0.05)


def test_shapes_at_any_batch() -> None:
    model = LandmarkNet(ModelOptions(size=64, channels=(4, 4, 8, 8), decoder=(8, 8))).eval()
    for batch in (1, 3):
        points, confidence = model(torch.zeros(batch, 3, 64, 64))
        assert points.shape == (batch, 68, 2)
        assert confidence.shape == (batch, 68)
        assert ((confidence >= 0) & (confidence <= 1)).all()
        assert ((points >= 0) & (points <= 63)).all()


def test_the_network_learns_one_face() -> None:
    torch.manual_seed(0)
    model = LandmarkNet(SMALL)
    crops, points = torch.rand(4, 3, 64, 64) * 255, torch.rand(1, 68, 2).expand(4, -1, -1) * 40 + 10
    truth = Truth(points, torch.ones(4, dtype=torch.bool), torch.ones(4), torch.zeros(4, dtype=torch.bool))
    optimiser, errors = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(30):
        answer = model.read(*model.features(crops))
        loss = total_loss(answer, truth, LossOptions(sigma=0.5), 51.0, STRIDE)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(float((answer.points.detach() - points).norm(dim=-1).mean()))
    assert errors[-1] < 0.7 * errors[0]


def test_macs_are_counted_by_hand() -> None:
    model = LandmarkNet(ModelOptions(size=32, channels=(1, 1, 1, 1), blocks=(0, 0, 0), decoder=(1, 1)))
    # stem 16x16x27, strides 4, 8, 16: 9 a cell; laterals, narrow and merges; heads; trust.
    convolutions = 256 * 27 + 64 * 9 + 16 * 9 + 4 * 9 + 4 + 16 + 16 * 9 + 16 + 64 + 64 * 9 + 64 * 68
    assert count_macs(model) == convolutions + 69 * 64 + 64 * 68


def test_a_checkpoint_of_an_older_version_is_read(tmp_path: Path) -> None:
    """It stores options that have one value left; another value is another network."""
    model = LandmarkNet(SMALL)
    content = {"options": {**asdict(SMALL), "stride": 4, "head": "soft-argmax"}, "model": model.state_dict()}
    torch.save(content, tmp_path / "old.pt")
    assert load_checkpoint(tmp_path / "old.pt").options == SMALL
    torch.save({**content, "options": {**asdict(SMALL), "head": "flat"}}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="unknown key 'head'"):
        load_checkpoint(tmp_path / "other.pt")


def test_checkpoint_gives_back_the_averaged_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    raw, averaged = LandmarkNet(SMALL), LandmarkNet(SMALL)
    save_checkpoint(tmp_path / "last.pt", raw, ema=averaged.state_dict())
    crops = torch.rand(2, 3, 64, 64) * 255
    assert torch.equal(load_checkpoint(tmp_path / "last.pt")(crops)[0], averaged.eval()(crops)[0])


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pt"):
        load_checkpoint(path)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": 1}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="holds no model of this program"):
        load_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"options": {"foo": 1}}, "unknown key 'foo'"),
        ({"options": "large"}, "cannot be built"),
        ({"options": {**asdict(SMALL), "channels": (0, 4, 8, 8)}}, "channels = "),
        ({"options": asdict(replace(SMALL, decoder=(8, 4)))}, "another network than its options say"),
        ({"model": {}}, "another network than its options say"),
        ({"model": 3}, "another network than its options say"),
        ({"recipe": 3}, "damaged recipe"),
        ({"recipe": {"data": {}, "model": asdict(SMALL)}}, "damaged recipe, without training"),
        (
            {"recipe": {"data": {}, "training": {}, "model": asdict(replace(SMALL, size=96))}},
            "another network than its recipe describes",
        ),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    content = {"options": asdict(SMALL), "model": LandmarkNet(SMALL).state_dict()}
    torch.save({**content, **changes}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"x\.pt") as caught:
        load_checkpoint(tmp_path / "x.pt")
    assert said in caught.value.message


def test_a_damaged_file_is_not_answered_with_advice_to_trust_it(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"garbage")
    with pytest.raises(ModelError) as caught:
        load_checkpoint(tmp_path / "x.pt")
    assert "weights_only" not in str(caught.value)


def test_a_full_disk_leaves_the_previous_checkpoint_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, LandmarkNet(SMALL), epoch=1)

    def full(_: object, partial: Path) -> None:
        partial.write_bytes(b"PK")
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="cannot write") as caught:
        save_checkpoint(path, LandmarkNet(SMALL), epoch=2)
    assert caught.value.exit_code == 6
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    assert read_checkpoint(path)["epoch"] == 1


@pytest.mark.parametrize("place", ["folder", "file/x.pt", "none/x.pt"])
def test_a_place_that_holds_no_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        save_checkpoint(tmp_path / place, LandmarkNet(SMALL))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def _faces(n: int) -> torch.Tensor:
    points = torch.rand(n, 68, 2) * 40 + 12
    points[:, 36], points[:, 45] = torch.tensor([18.0, 25.0]), torch.tensor([46.0, 25.0])
    return points


@pytest.mark.parametrize("kind", KINDS)
def test_every_distance_grows_with_the_error_and_vanishes_without(kind: str) -> None:
    options = LossOptions(kind=kind)
    errors = torch.tensor([0.0, 0.5, 2.0, 7.9, 8.1, 30.0])[:, None, None].expand(-1, 1, 2)
    distances = point_distance(errors, options)[:, 0]
    assert distances[0] < 0.02
    assert (distances.diff() > 0).all()


def test_a_face_counts_by_its_eye_distance_and_a_background_only_for_confidence() -> None:
    true = _faces(2)
    options = LossOptions(maps=0.0, confidence=0.0)

    def loss(points: torch.Tensor, is_face: list[bool]) -> float:
        answer = Answer(points, torch.zeros(2, 68), torch.zeros(2, 68, 8, 8))
        truth = Truth(true, torch.tensor(is_face), torch.ones(2), torch.zeros(2, dtype=torch.bool))
        return float(total_loss(answer, truth, options, face_side=51.2, stride=8)["loss"])

    off = true.clone()
    off[1] += 3.0
    assert loss(true, [True, True]) == pytest.approx(0.0, abs=1e-4)
    assert loss(off, [True, True]) > 1.0
    assert loss(off, [True, False]) == pytest.approx(0.0, abs=1e-4)


def test_guessed_labels_teach_the_points_but_not_the_confidence() -> None:
    true = _faces(2)
    answer = Answer(true + 1.0, torch.full((2, 68), 3.0, requires_grad=True), torch.zeros(2, 68, 8, 8))
    guessed = torch.tensor([True, False])
    truth = Truth(true, torch.ones(2, dtype=torch.bool), torch.ones(2), guessed)
    terms = total_loss(answer, truth, LossOptions(maps=0.0), face_side=51.2, stride=8)
    terms["confidence"].backward()
    assert answer.confidence.grad is not None
    assert (answer.confidence.grad[0] == 0.0).all()
    assert (answer.confidence.grad[1] != 0.0).all()
    assert terms["points"] > 1.0


def test_maps_are_pulled_to_the_point_and_points_outside_do_not_count() -> None:
    points = torch.tensor([[[30.0, 20.0], [-30.0, 20.0]]])
    maps = torch.zeros(1, 2, 16, 16, requires_grad=True)
    entropy = map_cross_entropy(maps, points, sigma=1.0, stride=4)
    assert entropy[0, 1] == 0.0
    entropy.sum().backward()
    assert maps.grad is not None
    steepest = int((-maps.grad[0, 0]).argmax())
    assert divmod(steepest, 16) == (5, 7)  # row (20 - 1.5) / 4 = 4.6, column (30 - 1.5) / 4 = 7.1
    assert (maps.grad[0, 1] == 0).all()
