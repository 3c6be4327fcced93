"""A recipe's values: of the right type and possible, or refused by name."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

from fkp_live.errors import ExitCode, FkpError, InputError, UsageError
from train import recipe
from train.options import AugmentOptions, DataOptions, LossOptions, ModelOptions, TrainingOptions
from train.recipe import read_recipe

SECTIONS = (DataOptions, ModelOptions, AugmentOptions, LossOptions, TrainingOptions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nema = 2.0", "ema = 2.0, expected a number from 0.0 to 0.999999"),
        ("[training]\nclip = 0", "clip = 0, expected a number"),
        ("[training]\nbackgrounds = 1.0", "backgrounds = 1.0"),
        ("[training]\nepochs = 1.5", "epochs = 1.5, expected a whole number"),
        ("[training]\nepochs = true", "epochs = True, expected a whole number"),
        ('[training]\nlr = "0.1"', "lr = '0.1', expected a number"),
        ("[training]\nlr = nan", "lr = nan, expected a number"),
        ("[training]\nseed = -1", "seed = -1"),
        ("[training]\nbf16 = 1", "bf16 = 1, expected true or false"),
        ("[augment]\nmirror = 5", "mirror = 5, expected a number from 0.0 to 1.0"),
        ("[augment]\nrotation = 400", "rotation = 400"),
        ("[augment]\nscale = -0.1", "scale = -0.1"),
        ("[loss]\nsigma = 0.0", "sigma = 0.0"),
        ("[model]\nmargin = -0.6", "margin = -0.6"),
        ("[model]\nsize = 50", "size = 50, expected a whole number from 16 to 1024, a multiple of 16"),
        ("[model]\nsize = 0", "size = 0"),
        ("[model]\nchannels = [8, 8]", "channels = [8, 8], expected a list of 4 whole numbers"),
        ("[model]\nchannels = [0, 8, 8, 8]", "channels = [0, 8, 8, 8]"),
        ("[model]\nchannels = 8", "channels = 8, expected a list"),
        ('[loss]\nkind = "wing"', "kind = 'wing', expected one of l1, l2"),
        ("[data]\nudacity_offset = [1.0]", "udacity_offset = [1.0], expected a list of 2 numbers"),
        ('[data]\ncsv = "a.csv"', "csv = 'a.csv', expected a list of texts"),
        ("[data]\nshare = 3", "share = 3, expected a table of numbers"),
        ('[data]\nshare = { wild_train = "2" }', "expected a table of numbers"),
        ("[data]\nshare = { wild_train = -1.0 }", "expected a table of numbers from 0"),
        ("name = 3", "name = 3, expected text"),
        ("base = 5", "base = 5, expected the name"),
    ],
)
def test_a_value_that_cannot_be_is_refused_when_the_recipe_is_read(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_recipe(tmp_path / "odd.toml")
    assert message in caught.value.message
    assert str(tmp_path / "odd.toml") in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "name = " + "[" * 2000 + "]" * 2000,
        "x = " + "9" * 5000,
        "name = '",
        "name = '\udcff'",
        r'base = "\u0000"',
    ],
    ids=["deep", "long", "open", "bytes", "zero byte"],
)
def test_what_is_not_toml_or_names_no_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text(text, "utf-8", "surrogateescape")
    with pytest.raises((InputError, UsageError)) as caught:
        read_recipe(tmp_path / "odd.toml")
    assert str(tmp_path) in caught.value.message


def test_a_whole_number_will_do_for_a_number(tmp_path: Path) -> None:
    (tmp_path / "whole.toml").write_text("[loss]\nmaps = 3\n[data]\nudacity_offset = [1, 0]")
    assert read_recipe(tmp_path / "whole.toml").loss.maps == 3


def test_every_number_has_a_range_and_every_range_a_number() -> None:
    hints = {f.name: get_type_hints(kind)[f.name] for kind in SECTIONS for f in fields(kind)}
    numbers = {name for name, hint in hints.items() if "int" in str(hint) or "float" in str(hint)}
    assert numbers - recipe._CHOICES.keys() == recipe._RANGES.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data]\nsets = " + "[" * 2000 + "]" * 2000, "nested too deeply"),
        ("x = " + "{a=" * 2000 + "1" + "}" * 2000, "nested too deeply"),
        ("[training]\nseed = " + "9" * 5000, "is not TOML"),
        ("[training]\nseed = 1\nseed = 2", "is not TOML"),
        ("\udcff", "is not TOML"),
    ],
    ids=["lists", "tables", "a number of 5,000 digits", "a key twice", "not UTF-8"],
)
def test_text_that_no_recipe_has_is_one_message(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match=said) as caught:
        read_recipe(tmp_path / "odd.toml")
    assert str(tmp_path / "odd.toml") in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" + ".a" * 2000 + " = 1", "unknown section 'a'"),
        ("[training]\nseed = " + "9" * 4000, "seed = 9"),
        ("[data]\ncsv = [" + "1, " * 10_000 + "]", "csv = ["),
        ('base = "a\\u0000b"', "base = 'a"),
        ('base = "odd.toml"', "leads back to itself"),
    ],
    ids=["dotted keys", "a number of 4,000 digits", "a long list", "a null byte", "its own base"],
)
def test_a_message_is_short_however_long_the_value(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        read_recipe(tmp_path / "odd.toml")
    assert len(caught.value.message) < 500


def test_a_long_chain_of_bases_is_refused(tmp_path: Path) -> None:
    for k in range(2000):
        (tmp_path / f"{k}.toml").write_text(f'base = "{k + 1}.toml"')
    with pytest.raises(UsageError, match="build on each other"):
        read_recipe(tmp_path / "0.toml")


@pytest.mark.parametrize("name", ["x" * 300 + ".toml", "none.toml", "loop.toml"])
def test_a_recipe_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    with pytest.raises(FkpError) as caught:
        read_recipe(tmp_path / name)
    assert caught.value.exit_code in (ExitCode.INPUT, ExitCode.USAGE)
