"""The network: positions between cells, shapes, and its count of multiplications."""

from __future__ import annotations

import pytest
import torch

from train.network.model import LandmarkNet, SoftArgmax, count_macs, fast_bf16
from train.options import ModelOptions


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


def test_macs_are_counted_by_hand() -> None:
    model = LandmarkNet(ModelOptions(size=32, channels=(1, 1, 1, 1), blocks=(0, 0, 0), decoder=(1, 1)))
    # stem 16x16x27, strides 4, 8, 16: 9 a cell; laterals, narrow and merges; heads; confidence.
    convolutions = 256 * 27 + 64 * 9 + 16 * 9 + 4 * 9 + 4 + 16 + 16 * 9 + 16 + 64 + 64 * 9 + 64 * 68
    assert count_macs(model) == convolutions + 69 * 64 + 64 * 68


@pytest.mark.parametrize(
    ("known", "fast"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({}, False),
    ],
)
def test_bfloat16_needs_a_processor_with_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, bool], fast: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    assert fast_bf16(torch.device("cpu")) is fast
