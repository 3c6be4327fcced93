"""Numbers with their nouns."""

from fkp_live.wording import counted


def test_one_is_singular_and_none_is_plural() -> None:
    assert [counted(number, "face") for number in (0, 1, 2)] == ["0 faces", "1 face", "2 faces"]
