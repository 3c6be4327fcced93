"""Known warps move pixels and points alike."""

from __future__ import annotations

import torch

from train.fit.next_frame import next_frame, random_warps, warp_crops, warp_points


def _spots(points: torch.Tensor, size: int) -> torch.Tensor:
    """A crop for each of N points (N, 2) with a soft spot there."""
    axis = torch.arange(size, dtype=torch.float32)
    square = (axis - points[:, :1]).square()[:, None, :] + (axis - points[:, 1:]).square()[:, :, None]
    return torch.exp(-square / 8.0)[:, None]


def _centres(crops: torch.Tensor) -> torch.Tensor:
    axis = torch.arange(crops.shape[-1], dtype=torch.float32)
    mass = crops.sum((1, 2, 3))
    return (
        torch.stack([(crops.sum((1, 2)) * axis).sum(1), (crops.sum((1, 3)) * axis).sum(1)], 1) / mass[:, None]
    )


def test_a_spot_goes_where_its_point_goes() -> None:
    points = torch.tensor([[20.0, 30.0], [40.5, 25.25], [32.0, 41.0]])
    warps = random_warps(3, 64, seed=1)
    moved = warp_points(points[:, None], warps)[:, 0]
    assert (moved - points).norm(dim=1).min() > 0.5
    assert (_centres(warp_crops(_spots(points, 64), warps)) - moved).abs().max() < 0.1


def test_warps_follow_from_the_seed_and_keep_the_centre_near() -> None:
    assert torch.equal(random_warps(4, 112, 7), random_warps(4, 112, 7))
    assert not torch.equal(random_warps(4, 112, 7), random_warps(4, 112, 8))
    still = random_warps(2, 112, 3, turn=0.0, scale=0.0, shift=0.0)
    assert torch.allclose(still, torch.eye(2, 3).expand(2, 2, 3), atol=1e-5)


def test_the_next_frame_differs_from_this_one_as_a_camera_s_does() -> None:
    crops = torch.full((64, 3, 56, 56), 128.0)
    view, warps = next_frame(crops, seed=5)
    moved = warps[:, :, 2]
    assert torch.equal(warps[:, :, :2], torch.eye(2).expand(64, 2, 2))
    assert 0.15 < moved.std() < 0.35  # pixels
    inner = view[:, :, 4:-4, 4:-4]
    noise = inner.std((1, 2, 3))
    assert 4.0 < noise.max() < 6.5  # grey levels
    assert noise.min() < 1.0
    assert ((inner.mean((1, 2, 3)) / 128.0 - 1.0).abs() < 0.025).all()

    def roughness(crops: torch.Tensor) -> torch.Tensor:
        return (crops[..., 1:] - crops[..., :-1]).std((1, 2, 3)) / crops.std((1, 2, 3))

    assert roughness(inner)[::2].median() < 0.8 * roughness(inner)[1::2].median()  # coarse grain is smoother
    assert torch.equal(view, next_frame(crops, seed=5)[0])
    assert not torch.equal(view, next_frame(crops, seed=6)[0])
