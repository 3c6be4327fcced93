"""Every block of code of the pages is run by ``python -m docs.blocks``, or docs/blocks.toml says why not."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from docs.blocks import pages, shown, table
from docs.blocks.supplied import Supplies
from fkp_live.commands.cli import main

TABLE = table.read()
BLOCKS = [block for page in pages.names() for block in pages.blocks(page)]
RUN = [block for block in BLOCKS if TABLE.shows(block) is None]
# (page, command, or a whole block in another language)
TEXTS = [
    (block.page, text)
    for block in RUN
    for text in (pages.commands(block) if block.language in pages.SHELL else [block.text])
]


def test_every_language_is_one_that_is_run() -> None:
    assert {block.language for block in RUN} <= set(pages.LANGUAGES)
    assert {block.language for block in RUN} >= {"", "sh", "python", "js", "sql", "yaml"}


def test_every_entry_of_the_table_is_still_on_a_page() -> None:
    for rule in (*TABLE.marked, *TABLE.stand_in):
        for page in rule.pages or ("",):
            assert any(rule.finds(name, text) for name, text in TEXTS if page in ("", name)), (
                page,
                rule.text,
            )
    for begin in TABLE.shown:
        assert any(block.text.startswith(begin) for block in BLOCKS), begin
    named = {name for page in TABLE.pages.values() for name in page.supplies}
    assert named <= {*Supplies.NAMES}
    assert {*TABLE.pages} <= {block.page for block in RUN}


def test_what_is_marked_says_why() -> None:
    marked = [rule.reason for page, text in TEXTS if (rule := TABLE.mark(page, text)) is not None]
    assert all(marked)
    assert len(marked) < len(TEXTS) / 5


def test_commands_may_take_several_lines() -> None:
    text = "# first\nf() { echo 1\n  echo 2; }\n\nf \\\n  one\necho 'a\nb'  # c\n$ f\n"
    assert pages.commands(pages.Block("page", 1, "", text)) == [
        "f() { echo 1\n  echo 2; }",
        "f \\\n  one",
        "echo 'a\nb'  # c",
        "f",
    ]
    with pytest.raises(ValueError, match="page:1: bash does not understand"):
        pages.commands(pages.Block("page", 1, "", "echo 'a\n"))


def test_a_block_in_a_list_loses_its_indent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.md").write_text(
        "1. Build:\n\n   ```\n   make\n   ```\n\n```{toctree}\nx\n```\n\n```js\n1\n```\n"
    )
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    assert pages.blocks("page.md") == [
        pages.Block("page.md", 3, "", "make\n"),
        pages.Block("page.md", 11, "js", "1\n"),
    ]


def test_every_command_has_options_that_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that need a camera or a cluster, and those in the files of other programs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: name)  # what --on starts need not be installed
    monkeypatch.syspath_prepend(str(pages.ROOT / "docs" / "extensions"))
    command_line = importlib.import_module("command_line")
    lines = [text for _, text in TEXTS]
    lines += [line for block in RUN if block.language == "yaml" for line in shown.lines_of_fkp_live(block)]
    seen = 0
    for line in lines:
        if line.startswith("fkp-live ") and " --version" not in line:
            typed = re.sub(r"\$\w+", "0", line.partition(" > ")[0])
            words = shlex.split(typed, comments=True)
            name = " ".join(words[:2]) if " ".join(words[:2]) in command_line.COMMANDS else words[0]
            if words[1] != "doctor":
                command_line.check_example(name, shlex.join(words).replace(" '|' ", " | "))
                seen += 1
    assert seen > 60


def test_every_program_can_be_compiled_and_every_file_be_read() -> None:
    for block in RUN:
        if block.language == "python":
            compile(block.text, block.place, "exec")
        elif block.language in ("yaml", "toml", "json"):
            if block.language == "yaml":
                pytest.importorskip("yaml")
            assert not shown.parsed(block).wrong, block.place


def test_samples_have_the_keys_that_the_product_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = "--demo --max-frames 2 --headless --jsonl x.jsonl --csv x.csv --progress jsonl"
    assert main(words.split()) == 0
    header, frame, *_ = map(json.loads, Path("x.jsonl").read_text().splitlines())
    progress = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("{"))
    written: dict[str, Any] = {"header": header, "frame": frame, "progress": json.loads(progress)}
    seen = set()
    for block in BLOCKS:
        what = TABLE.shows(block)
        if what in written:
            assert list(shown.unwritten(shown.sample(block.text), written[what])) == [], block.place
            seen.add(what)
        elif what == "csv":
            columns = Path("x.csv").read_text().splitlines()[0].split(",")
            named = [name for name in block.text.splitlines()[0].split(",") if name != "…"]
            assert [name.rstrip("…") for name in named] == [name for name in columns if name in named]
            seen.add(what)
    assert seen == {*written, "csv"}


def test_a_key_that_is_not_written_is_found() -> None:
    sample = shown.sample('{"a": …, "b": [{"c": […], "d": {…}}], "e": [[x, y] \u00d7 68], …}')
    assert sample == {"a": None, "b": [{"c": [], "d": {}}], "e": []}
    assert list(shown.unwritten(sample, {"a": 1, "b": [{"c": [2]}], "e": []})) == ["b.d"]
