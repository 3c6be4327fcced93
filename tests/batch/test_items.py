"""What the sources of a batch name: kinds, keys, order, lists, and what is passed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fkp_live.batch.items import FILM, PICTURE, in_shard, list_items, longest_first, segments_of
from fkp_live.errors import InputError, UsageError


def make(folder: Path, *names: str, size: int = 1) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (1_700_000_000, 1_700_000_000))


def names(*sources: str | Path, without: Path | None = None) -> list[str]:
    return [item.name for item in list_items([str(source) for source in sources], without=without).items]


def test_a_folder_gives_its_films_and_pictures_in_natural_order(tmp_path: Path) -> None:
    make(
        tmp_path,
        "b10.mp4",
        "b2.MP4",
        "a/p.JPG",
        "a/deep/q.webm",
        "notes.txt",
        "t.csv",
        ".hidden.mp4",
        "._b2.mp4",
    )
    make(tmp_path, ".git/x.mp4", ".DS_Store")
    listing = list_items([str(tmp_path)])
    found = [(item.name, item.kind) for item in listing.items]
    assert found == [
        ("a/deep/q.webm", FILM),
        ("a/p.JPG", PICTURE),
        ("b2.MP4", FILM),
        ("b10.mp4", FILM),
    ]
    assert listing.ignored == {".txt": 1, ".csv": 1}


def test_a_key_stays_where_the_folder_moves_and_changes_with_the_file(tmp_path: Path) -> None:
    make(tmp_path / "one", "a.mp4", "b.mp4")
    make(tmp_path / "two", "a.mp4", "b.mp4")
    (first, other), (moved, _) = (list_items([str(tmp_path / name)]).items for name in ("one", "two"))
    assert first.key == moved.key
    assert first.key != other.key
    assert len(first.key) == 32
    make(tmp_path / "two", "a.mp4", size=2)
    assert list_items([str(tmp_path / "two")]).items[0].key != first.key
    os.utime(tmp_path / "one" / "a.mp4", (1_600_000_000, 1_600_000_000))
    assert list_items([str(tmp_path / "one")]).items[0].key != first.key


def test_copies_in_two_sources_are_two_items_and_a_file_named_twice_is_one(tmp_path: Path) -> None:
    make(tmp_path / "one", "a.mp4")
    make(tmp_path / "two", "a.mp4")
    items = list_items([str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "one" / "a.mp4")]).items
    assert len(items) == 2
    assert items[0].key != items[1].key
    again = list_items([str(tmp_path / "one"), str(tmp_path / "two")]).items
    assert [item.key for item in again] == [item.key for item in items]


def test_a_folder_is_named_by_any_path_and_the_results_in_it_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "films", "a.mp4", "results/annotated/3f/x.mp4")
    monkeypatch.chdir(tmp_path / "films")
    by_path = list_items([str(tmp_path / "films")], without=Path("results")).items
    by_dot = list_items(["."], without=Path("results")).items
    assert [item.name for item in by_path] == ["a.mp4"]
    assert [item.key for item in by_path] == [item.key for item in by_dot]


def test_results_go_to_another_folder_than_that_of_the_films(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    with pytest.raises(UsageError, match="Choose another --out"):
        names(tmp_path, without=tmp_path)


def test_a_link_that_leads_back_ends(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "sub/b.mp4")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert names(tmp_path) == ["a.mp4", "sub/b.mp4"]


def test_names_of_any_kind(tmp_path: Path) -> None:
    odd = ["two\nlines.mp4", "a b.mp4", "対話.mp4", "[x].mp4", "#1.mp4", os.fsdecode(b"\xff\xfe.mp4")]
    make(tmp_path, *odd)
    assert sorted(names(tmp_path)) == sorted(odd)
    assert names(tmp_path / "[x].mp4") == [str(tmp_path / "[x].mp4")]
    assert len({item.key for item in list_items([str(tmp_path)]).items}) == len(odd)


def test_a_pattern_names_below_its_fixed_part(tmp_path: Path) -> None:
    make(tmp_path, "day1/a.mp4", "day2/a.mp4", "day2/deep/b.mp4", "day2/b.txt", "other/c.mp4")
    assert names(tmp_path / "day*" / "*") == ["day1/a.mp4", "day2/a.mp4", "day2/deep/b.mp4"]
    assert names(tmp_path / "**" / "*.mp4") == ["day1/a.mp4", "day2/a.mp4", "day2/deep/b.mp4", "other/c.mp4"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("l.txt", "a.mp4\n\nfilms/b c.mp4\n", ["a.mp4", "films/b c.mp4"]),
        ("l.txt", "\ufeffa.mp4\r\nhttp://h/x.mp4?token=abc\n", ["a.mp4", "http://h/x.mp4?token=***"]),
        ("l.csv", "id,Path\n1,a.mp4\n2,films/b c.mp4\n3,\n", ["a.mp4", "films/b c.mp4"]),
        ("l.csv", "url\nhttps://h/y.mp4\n", ["https://h/y.mp4"]),
        ("l.csv", 'a.mp4,x\n"films/two\nlines.mp4",y\n', ["a.mp4", "films/two\nlines.mp4"]),
        ("l.csv", "name,age\na.mp4,3\n", ["a.mp4"]),
    ],
)
def test_lists(tmp_path: Path, name: str, content: str, expected: list[str]) -> None:
    make(tmp_path, "a.mp4", "films/b c.mp4", "films/two\nlines.mp4")
    (tmp_path / name).write_bytes(content.encode())
    assert names(tmp_path / name) == expected


def test_a_list_in_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    make(tmp_path, "a.mp4", "b.mp4")
    table = pyarrow.table({"id": [1, 2, 3], "file": ["a.mp4", None, "b.mp4"]})
    parquet.write_table(table, tmp_path / "l.parquet")
    assert names(tmp_path / "l.parquet") == ["a.mp4", "b.mp4"]
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match=r"bad\.parquet is not a table in Parquet"):
        names(tmp_path / "bad.parquet")


def test_a_list_may_name_folders_and_what_is_not_there(tmp_path: Path) -> None:
    make(tmp_path, "films/a.mp4", "films/b.mp4")
    (tmp_path / "l.txt").write_text("films\ngone.mp4\n7\n")
    items = list_items([str(tmp_path / "l.txt")]).items
    assert [(item.name, item.size) for item in items] == [
        ("films/a.mp4", 1),
        ("films/b.mp4", 1),
        ("gone.mp4", None),
        ("7", None),
    ]


def test_a_url_keeps_its_password_to_itself() -> None:
    (item,) = list_items(["https://me:secret@host/film.mp4?sig=deadbeef"]).items
    assert item.where == "https://me:secret@host/film.mp4?sig=deadbeef"
    assert "secret" not in item.name + repr(item)
    assert "deadbeef" not in item.name + repr(item)
    (renewed,) = list_items(["https://me:new@host/film.mp4?sig=cafe"]).items
    assert renewed.key == item.key


def test_urls_that_differ_in_a_secret_only_are_two_items() -> None:
    one, two = list_items(["https://h/f?key=1", "https://h/f?key=2"]).items
    assert one.name == two.name
    assert one.key != two.key


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("gone.mp4", InputError, r"There is no file gone\.mp4"),
        ("gone/*.mp4", InputError, "matches no file"),
        ("0", UsageError, "is a camera"),
        ("camera://front", UsageError, "is a camera"),
        ("", InputError, "There is no file"),
        (".", InputError, r"There is no film and no picture in \."),
    ],
)
def test_sources_that_name_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        list_items([source])


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path\n")
    with pytest.raises(InputError, match="names no file"):
        list_items([str(tmp_path / "l.csv")])


def test_shards_divide_all_items(tmp_path: Path) -> None:
    make(tmp_path, *(f"{number}.mp4" for number in range(40)))
    items = list_items([str(tmp_path)]).items
    parts = [[item for item in items if in_shard(item, number, 3)] for number in range(3)]
    assert sorted(item.name for part in parts for item in part) == sorted(item.name for item in items)
    assert all(len(part) > 5 for part in parts)


def test_the_largest_come_first_and_unknown_sizes_before_them(tmp_path: Path) -> None:
    make(tmp_path, "small.mp4")
    make(tmp_path, "large.mp4", size=9)
    items = list_items([str(tmp_path), "http://h/x.mp4"]).items
    assert [item.name for item in longest_first(items)] == ["http://h/x.mp4", "large.mp4", "small.mp4"]


@pytest.mark.parametrize(
    ("duration", "ends"),
    [
        (10.0, [None]),
        (14.9, [None]),
        (15.1, [10, None]),
        (20.0, [10, None]),
        (24.0, [10, None]),
        (36.0, [10, 20, 30, None]),
    ],
)
def test_a_film_in_parts_has_no_short_last_one(duration: float, ends: list[float | None]) -> None:
    parts = segments_of(duration, 10.0)
    assert [part.end for part in parts] == ends
    assert [part.start for part in parts] == [10.0 * number for number in range(len(ends))]
    assert [part.number for part in parts] == list(range(len(ends)))
