"""Claims: made by one only, counted for ever, taken over from the dead and from nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fkp_live.batch.claims import Attempts, Claim, Claims

KEY = "3f" + "0" * 30


def claimed(claims: Claims, number: int = 1) -> Claim:
    claim = claims.take(KEY, number)
    assert claim is not None
    return claim


def of_another_machine(claim: Claim, age: float) -> None:
    """Make a claim look as if another machine had made it, and renewed it ``age`` seconds ago."""
    owner = json.loads((claim.folder / "owner.json").read_text())
    (claim.folder / "owner.json").write_text(json.dumps(owner | {"host": "other", "place": "other"}))
    then = claim.folder.stat().st_mtime - age
    os.utime(claim.folder, (then, then))


def test_one_of_many_takes_a_claim(tmp_path: Path) -> None:
    runs = [Claims(tmp_path, 300) for _ in range(8)]
    start, taken = threading.Barrier(8), []

    def take(claims: Claims) -> None:
        start.wait()
        taken.append(claims.take(KEY, 1))

    threads = [threading.Thread(target=take, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claim for claim in taken if claim is not None]) == 1


def test_a_claim_of_a_running_process_is_held(tmp_path: Path) -> None:
    claims = Claims(tmp_path, stale=0)
    claimed(claims)
    found = claims.attempts(KEY)
    assert (found.number, found.died, found.held) == (1, 0, True)
    assert str(os.getpid()) in found.by
    assert claims.keys() == {KEY}


def test_a_claim_of_a_process_that_has_ended_is_free_at_once(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from fkp_live.batch.claims import Claims
claim = Claims(Path({str(tmp_path)!r}), 300).take({KEY!r}, 1)
(claim.folder / "points.partial.jsonl").write_text("half")
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(root)})
    claims = Claims(tmp_path, 300)
    found = claims.attempts(KEY)
    assert (found.number, found.held) == (1, False)
    claims.bury(KEY, found)
    assert [path.name for path in tmp_path.glob("claims/3f/*")] == [f"{KEY}.1.lost"]
    assert list(tmp_path.glob("claims/3f/*/*")) == []
    assert claimed(claims, 2).number == 2


@pytest.mark.parametrize(("age", "held"), [(50, True), (70, False)])
def test_a_claim_of_another_machine_dies_when_it_is_not_renewed(
    tmp_path: Path, age: float, held: bool
) -> None:
    claims = Claims(tmp_path, stale=60)
    of_another_machine(claimed(claims), age)
    assert claims.attempts(KEY).held is held


def test_a_claim_without_an_owner_lives_for_its_time(tmp_path: Path) -> None:
    claims = Claims(tmp_path, stale=60)
    (claimed(claims).folder / "owner.json").write_text("")
    assert claims.attempts(KEY).held
    assert claims.attempts(KEY).by == "another run"


def test_renewing_keeps_it_alive(tmp_path: Path) -> None:
    claims = Claims(tmp_path, stale=60)
    claim = claimed(claims)
    of_another_machine(claim, 1000)
    claims.renew(claim)
    assert claims.attempts(KEY).held


def test_whoever_was_taken_for_dead_holds_nothing(tmp_path: Path) -> None:
    first, second = Claims(tmp_path, 60), Claims(tmp_path, 60)
    claim = claimed(first)
    assert first.holds(claim)
    of_another_machine(claim, 1000)
    second.bury(KEY, second.attempts(KEY))
    later = claimed(second, 2)
    assert not first.holds(claim)
    assert not claim.folder.exists()
    assert second.holds(later)


def test_a_second_look_with_old_knowledge_buries_no_new_claim(tmp_path: Path) -> None:
    claims = Claims(tmp_path, 60)
    of_another_machine(claimed(claims), 1000)
    old = claims.attempts(KEY)
    claims.bury(KEY, old)
    claim = claimed(claims, 2)
    claims.bury(KEY, old)
    assert claims.take(KEY, 2) is None
    assert claims.holds(claim)


def test_attempts_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    claims = Claims(tmp_path, 60)
    claims.give_up(claimed(claims, 1), died=True)
    claims.give_up(claimed(claims, 2), died=False)
    claims.give_up(claimed(claims, 3), died=True)
    found = claims.attempts(KEY)
    assert (found.number, found.died, found.held) == (3, 2, False)
    claims.drop(claimed(claims, 4))
    assert claims.attempts(KEY).number == 3
    claims.clear(KEY)
    assert claims.attempts(KEY).number == 0
    assert claims.keys() == set()


def test_a_process_with_a_number_used_again_is_another_one(tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self"):
        pytest.skip("needs /proc, which knows when a process began")
    claims = Claims(tmp_path, 60)
    claim = claimed(claims)
    owner = json.loads((claim.folder / "owner.json").read_text())
    (claim.folder / "owner.json").write_text(json.dumps(owner | {"began": "1"}))
    assert not claims.attempts(KEY).held


@pytest.mark.parametrize("way", ["clear", "drop"])
def test_a_claim_whose_removal_was_killed_half_way_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    claims = Claims(tmp_path, 300.0)
    claim = claims.take("a" * 32, 1)
    assert claim is not None

    def half(folder: Path, **_: object) -> None:
        (Path(folder) / "owner.json").unlink()

    with monkeypatch.context() as patch:
        patch.setattr("fkp_live.batch.claims.shutil.rmtree", half)
        if way == "clear":
            claims.clear(claim.key)
        else:
            claims.drop(claim)
    assert not Claims(tmp_path, 300.0).attempts(claim.key).held
    claims.clear(claim.key)
    assert list(tmp_path.glob("claims/*/*")) == []


def test_a_claim_that_was_killed_while_it_was_made_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = Claims(tmp_path, 300.0)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            claims.take(KEY, 1)
    assert len(list(tmp_path.glob("claims/*/*"))) == 1
    assert Claims(tmp_path, 300.0).attempts(KEY) == Attempts()
    assert claims.take(KEY, 1) is not None
    claims.clear(KEY)
    assert list(tmp_path.glob("claims/*/*")) == []
