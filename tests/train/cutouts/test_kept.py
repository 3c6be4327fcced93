"""Cut-outs that are kept from one run to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fkp_live.errors import InputError
from train.cutouts.kept import kept_arrays


def test_they_are_made_once_and_read_in_the_order_asked_for(tmp_path: Path) -> None:
    path, made = tmp_path / "run" / "kept.npz", []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"one": np.arange(3), "two": np.array(["a"])}

    for _ in range(2):
        two, one = kept_arrays(path, ("two", "one"), make)
        assert two.tolist() == ["a"]
        assert one.tolist() == [0, 1, 2]
    assert made == [1]
    assert [each.name for each in path.parent.iterdir()] == ["kept.npz"]


def test_a_failure_while_they_are_made_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture"):
        kept_arrays(tmp_path / "kept.npz", ("one",), lambda: (_ for _ in ()).throw(InputError("no picture")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "another"])
def test_a_damaged_file_is_an_input_error_with_the_cure(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "kept.npz"
    kept_arrays(path, ("one",), lambda: {"one": np.arange(5000)})
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no arrays", "another": whole}[damage]
    )
    with pytest.raises(InputError, match="is damaged") as caught:
        kept_arrays(path, ("two" if damage == "another" else "one",), dict)
    assert "Delete it" in str(caught.value.hint)
