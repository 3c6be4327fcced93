"""The comparison with rivals: everything but the rivals themselves, which live in an environment of their own."""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapes import FRONTAL, face_at

from benchmarks import peers, rivals
from benchmarks.convention import MAPS, fit_linear, fit_offset, mapped
from benchmarks.peers import Ours, Record, figures, peer_errors, run
from benchmarks.peers_worker import MESH_TO_68, serve, timed
from benchmarks.placement import Placement, matching
from benchmarks.rivals import Answer, Rivals, ensure_env
from fkp_live.errors import ExitCode, FkpError, InputError
from fkp_live.geometry import box_of
from fkp_live.metrics import inter_ocular, nme
from fkp_live.topology import MIRROR
from fkp_live.types import Image
from train.data.faces import FaceSet
from train.evaluate.command import read_peers


def faces(count: int, seed: int = 0) -> np.ndarray:
    """(N, 68, 2) faces of different place, size and build."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        build = FRONTAL * [1.0, random.uniform(0.8, 1.2)] + random.normal(0, 0.005, (68, 2))
        made.append(build * random.uniform(40, 200) + random.uniform(0, 500, 2))
    return np.stack(made)


# --- MediaPipe's mesh ---------------------------------------------------------------------------------------------


def test_the_mesh_correspondence_is_symmetric() -> None:
    # Mirror partners in MediaPipe's mesh, and points on its middle line, as its picture of the canonical face has them.
    partner = {33: 263, 133: 362, 61: 291, 70: 300, 107: 336, 127: 356, 234: 454, 37: 267, 78: 308, 97: 326}
    middle = {152, 168, 6, 197, 195, 5, 4, 2, 0, 17, 13, 14}
    assert len(MESH_TO_68) == 68
    assert {number for numbers in MESH_TO_68 for number in numbers} <= set(range(468))
    for point, numbers in enumerate(MESH_TO_68):
        for number in numbers:
            if number in partner:
                assert partner[number] in MESH_TO_68[MIRROR[point]]
        assert (set(numbers) <= middle) == (MIRROR[point] == point)


# --- conventions --------------------------------------------------------------------------------------------------


def test_offset_takes_off_a_constant_shift_of_points() -> None:
    truth = faces(40)
    shift = np.random.default_rng(1).normal(0, 0.05, (68, 2))
    said = truth + shift * inter_ocular(truth)[:, None, None]
    groups = [f"person {number // 2}" for number in range(40)]
    assert nme(said, truth).mean() > 5
    assert nme(mapped(said, truth, groups, fit_offset), truth).mean() < 0.5


def test_linear_takes_off_what_goes_with_the_shape_too() -> None:
    truth = faces(300)
    tall = np.ptp(truth[..., 1], axis=1) / np.ptp(truth[..., 0], axis=1)
    wrong = (tall - tall.mean())[:, None, None] * np.array([0.5, -0.3])
    said = truth + wrong * inter_ocular(truth)[:, None, None]
    groups = [str(number) for number in range(300)]
    errors = {name: nme(mapped(said, truth, groups, fit), truth).mean() for name, fit in MAPS.items()}
    assert errors["linear"] < 0.6 * errors["offset"]


@pytest.mark.parametrize("fit", [fit_offset, fit_linear])
def test_a_face_is_mapped_by_what_other_persons_taught(fit: Any) -> None:
    truth, said = faces(30), faces(30) + 2.0
    groups = [f"person {number // 3}" for number in range(30)]
    before = mapped(said, truth, groups, fit)
    truth[:3] += 50.0  # the labels of the first person
    after = mapped(said, truth, groups, fit)
    np.testing.assert_array_equal(after[:3], before[:3])
    assert not np.allclose(after[3:], before[3:])


def test_missed_faces_stay_missed_and_teach_nothing() -> None:
    truth = faces(20)
    said = truth + 3.0
    said[4] = np.nan
    result = mapped(said, truth, [str(number) for number in range(20)], fit_offset)
    assert np.isnan(result[4]).all()
    assert np.isfinite(np.delete(result, 4, 0)).all()


# --- boxes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [False, True])
def test_a_placement_is_learnt_from_where_a_rival_looked(level: bool) -> None:
    wanted = Placement(1.5, 0.05, -0.1, level)
    turns = np.linspace(-0.6, 0.6, 9)
    truths = [face_at(200, 150, 50 + 10 * n, roll) for n, roll in enumerate(turns)]
    learnt = Placement.fit(truths, [wanted.region(truth) for truth in truths], level)
    assert asdict(learnt) == pytest.approx(asdict(wanted), abs=1e-3)


def test_a_levelled_region_turns_with_the_face_and_another_does_not() -> None:
    level, upright = Placement(1.5, 0.0, 0.3, True), Placement(1.5, 0.0, 0.3, False)
    x, _, width, height, angle = level.region(face_at(200, 150, roll=0.5))
    assert angle == pytest.approx(0.5, abs=1e-3)
    assert width == height
    assert (width, height) == pytest.approx(level.region(face_at(0, 0))[2:4], rel=1e-3)
    # Lower on the face is to the left of a head that is tilted clockwise.
    assert x < box_of(face_at(200, 150, roll=0.5))[[0, 2]].mean()
    assert upright.region(face_at(200, 150, roll=0.5))[4] == 0.0


def test_the_labelled_face_is_chosen_among_those_found() -> None:
    truth = face_at(200, 150)
    found = np.stack([face_at(400, 150), face_at(205, 148), face_at(30, 30)])
    assert matching(found, truth) == 1
    assert matching(found[[0, 2]], truth) is None
    assert matching(np.empty((0, 68, 2)), truth) is None


# --- the process ---------------------------------------------------------------------------------------------------


class Brightest:
    """Says that all points lie where the picture is reddest; fails on a black one."""

    def prepare(self, way: str, image: np.ndarray, region: list[float]) -> tuple[Any, Any]:
        def look() -> Any:
            if not image.any():
                raise ValueError("nothing to see")
            return np.unravel_index(image[..., 0].argmax(), image.shape[:2])

        return look, lambda at: {"faces": [[[int(at[1]), int(at[0])]] * 68], "way": way, "region": region}


def test_requests_are_answered_one_by_one_and_failures_told() -> None:
    image = np.zeros((6, 9, 3), np.uint8)
    image[2, 7] = (200, 10, 20)  # RGB
    image[5, 1] = (10, 20, 250)
    ask = {"ask": "brightest", "way": "box", "region": [1, 2, 3, 4, 0], "repeats": 2, "shape": [6, 9, 3]}
    line = json.dumps(ask).encode() + b"\n"
    requests = io.BytesIO(line + bytes(6 * 9 * 3) + line + image.tobytes())
    replies = io.BytesIO()
    serve({"brightest": Brightest()}, requests, replies)
    failed, good = (json.loads(reply) for reply in replies.getvalue().splitlines())
    assert failed == {"error": "ValueError: nothing to see"}
    assert good["faces"] == [[[7, 2]] * 68]
    assert (good["way"], good["region"]) == ("box", [1, 2, 3, 4, 0])
    assert len(good["wall"]) == len(good["cpu"]) == 2


def test_the_first_call_is_not_timed() -> None:
    numbers = itertools.count()
    answer, wall, cpu = timed(lambda: next(numbers), 3)
    assert (answer, next(numbers), len(wall), len(cpu)) == (0, 4, 3, 3)


def test_an_only_call_is_timed() -> None:
    answer, wall, cpu = timed(lambda: "once", 0)
    assert (answer, len(wall), len(cpu)) == ("once", 1, 1)


@pytest.mark.skipif(importlib.util.find_spec("dlib") is not None, reason="dlib is installed here")
def test_a_worker_without_rivals_says_what_is_missing() -> None:
    with pytest.raises(FkpError, match="No module named 'dlib'"):
        Rivals(Path(sys.executable))


def test_a_python_that_answers_nothing_is_an_error_not_a_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("")
    monkeypatch.setattr(rivals, "WORKER", silent)
    with pytest.raises(FkpError, match="without an answer"):
        Rivals(Path(sys.executable))


def test_an_environment_is_made_once_and_no_other_folder_touched(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    (ready / "rivals.json").write_text(json.dumps(list(rivals.PACKAGES)))
    assert ensure_env(ready, "no such python").parts[-1].startswith("python")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("dear to somebody")
    with pytest.raises(InputError, match="not an environment"):
        ensure_env(foreign)
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    new = tmp_path / "new"
    for _ in range(2):  # a half-made one is taken up again
        with pytest.raises(FkpError, match="cannot be installed"):
            ensure_env(new, "no such python")
    assert (new / ".gitignore").read_text() == "*\n"


# --- the run ------------------------------------------------------------------------------------------------------


class Exact:
    """Knows the truth, ``off`` pixels to the right of it; misses every face on request."""

    def __init__(self, name: str, off: float, blind: bool = False) -> None:
        self.name, self.off, self.blind = name, off, blind

    def ask(self, way: str, image: Image, truth: np.ndarray, repeats: int) -> Answer | None:
        if way == "network":
            return None
        found = np.empty((0, 68, 2)) if self.blind and way == "detector" else truth[None] + [self.off, 0]
        seconds = (0.001 * (1 + self.off),) * repeats
        return Answer(found, np.empty((0, 5)), seconds, seconds)


def test_figures_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaceSet, "image", lambda self, number: np.zeros((8, 8, 3), np.uint8))
    truth = np.stack([face_at(100 + n, 80, 100) for n in range(12)])
    some = FaceSet("some", tuple(Path(f"{n}.jpg") for n in range(12)), truth)
    records = run([Exact("fkp68", 0.0), Exact("dlib", 3.0, blind=True)], some, repeats=2)
    assert isinstance(records["dlib"], Record)
    results = figures(records, some, some.names)
    assert results["fkp68"]["accuracy"]["detector"]["raw"]["nme"] == pytest.approx(0.0, abs=1e-4)
    assert results["dlib"]["accuracy"]["box"]["raw"]["nme"] == pytest.approx(3.0, rel=1e-3)
    assert results["dlib"]["accuracy"]["box"]["offset"]["nme"] == pytest.approx(0.0, abs=1e-3)
    assert results["dlib"]["accuracy"]["detector"]["raw"]["fr10"] == 100.0
    assert results["dlib"]["times"]["box"]["ratio"] == pytest.approx(4.0)
    assert "network" not in results["dlib"]["times"]
    page = peers.report(
        {"set": "some", "faces": 12, "picture": "8x8", "machine": "m", "versions": {}, "systems": results}
    )
    assert "dlib, end to end" in page
    lists = tmp_path / "peers.json"
    lists.write_text(json.dumps(peer_errors(results)))
    read = read_peers(lists, 12)
    assert set(read) == {"dlib, end to end, raw", "dlib, end to end, linear"}
    assert np.isnan(read["dlib, end to end, raw"]).all()


def test_our_networks_are_asked_as_the_product_asks_them(astronaut: Image) -> None:
    ours = Ours("fkp68")
    whole = ours.ask("detector", astronaut, np.zeros((68, 2)), 1)
    assert whole is not None
    assert len(whole.faces) == 1
    assert whole.faces[0, 36:48, 1].mean() < whole.faces[0, 48:68, 1].mean()
    given = ours.ask("box", astronaut, whole.faces[0], 1)
    assert given is not None
    assert nme(given.faces, whole.faces)[0] < 4
    assert given.wall[0] > 0


def test_bad_options_end_in_their_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "bind_to_one_core", lambda: None)  # would stay for the rest of the tests
    for options, code in (
        (["--repeats", "0"], ExitCode.USAGE),
        ([], ExitCode.INPUT),
    ):
        monkeypatch.setattr(sys, "argv", ["peers", "--data", str(tmp_path), *options])
        assert peers.main() == code
        assert "error:" in capsys.readouterr().err
