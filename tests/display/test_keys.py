"""The keys of the window: each has a meaning, and all are in the list for people."""

from __future__ import annotations

import string

import pytest

from fkp_live.display.keys import HINT, KEYS, Press, keys_table, press_of
from fkp_live.display.look import LAYERS


@pytest.mark.parametrize(
    ("key", "press"),
    [
        ("q", Press("quit")),
        ("\x1b", Press("quit")),
        (" ", Press("pause")),
        ("R", Press("record")),
        ("1", Press("layer", "points")),
        ("7", Press("layer", "hud")),
        ("[", Press("smooth", -1)),
        ("]", Press("smooth", 1)),
        ("=", Press("size", 1)),
        ("-", Press("size", -1)),
    ],
)
def test_a_key_asks_for_something(key: str, press: Press) -> None:
    assert press_of(ord(key)) == press


@pytest.mark.parametrize("code", [-1, 0, 255, ord("8"), ord("x")])
def test_other_keys_ask_for_nothing(code: int) -> None:
    assert press_of(code) is None


def test_every_key_that_does_something_is_in_the_list() -> None:
    listed = " ".join(key.keys for key in KEYS).replace(",", " ").split()
    characters = {{"space": " ", "Esc": "\x1b"}.get(name, name) for name in listed}
    working = {key for key in map(chr, range(128)) if press_of(ord(key))} - set(string.ascii_uppercase)
    assert characters == working - {"=", "_"}
    table = keys_table()
    assert all(key.effect in table for key in KEYS)
    # The list names the layers in the order of their keys.
    effects = ", ".join(key.effect for key in KEYS if key.keys[0] in "15")
    assert effects.lower().split(", ") == list(LAYERS)
    assert "h: all keys" in HINT
