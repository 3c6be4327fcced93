"""What `make docs` is strict about, as far as that needs no Sphinx: links, table of contents, docstrings."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SHOWN = ("CONTRIBUTING.md", "SECURITY.md", "examples/README.md")


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / name for name in SHOWN)], ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:", target):
            name, _, heading = target.partition("#")
            there = page.parent / name if name else page
            assert there.exists(), target
            assert not heading or heading in anchors(there), target


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"^([a-z_]+)$", (DOCS / "index.md").read_text("utf-8"), re.MULTILINE))
    assert listed | {"index"} == {page.stem for page in PAGES}
    cards = set(re.findall(r"^models/([\w-]+)$", (DOCS / "models.md").read_text("utf-8"), re.MULTILINE))
    assert cards == {path.stem for path in (ROOT / "models").glob("*.md")}


def test_links_to_markdown_lead_to_pages_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sphinx takes such a file for a page, and fails where it is none."""
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    filled_in = importlib.import_module("filled_in")
    here = {*filled_in.PAGES, *(page.relative_to(ROOT).as_posix() for page in DOCS.rglob("*.md"))}
    for name in sorted(here):
        text = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        text = filled_in._NOT_ON_THE_SITE.sub("", text)
        for target in re.findall(r"\]\((?!https?:)([^)\s#]+\.md)", text):
            assert os.path.normpath(Path(name).parent / target) in here, f"{name}: {target}"


def public() -> Iterator[object]:
    for package in ("fkp_live", "fkp_live.sources", "fkp_live.sinks"):
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            yield value
            yield from vars(value).values() if inspect.isclass(value) else ()


def test_docstrings_of_public_names_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    house_docstrings = importlib.import_module("house_docstrings")
    seen = 0
    for value in public():
        if text := inspect.getdoc(value):
            lines = house_docstrings.rendered(text.splitlines())
            seen += ".. rubric:: Parameters" in lines
            assert not any(re.fullmatch("-{3,}", line) for line in lines)
    assert seen > 10
    with pytest.raises(ValueError, match="unknown section 'Params'"):
        house_docstrings.rendered(["What it does.", "", "Params", "------"])
    sys.modules.pop("house_docstrings")


def test_a_page_that_would_load_something_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    remote = importlib.import_module("loads_nothing").remote
    for loaded in (
        '<script async src="https://cdn/x.js">',
        "<link rel=stylesheet href=//cdn/x.css>",
        '<img alt="" src="http://x/y.png">',
        "a { background: url(https://x/a.png) }",
        '@import "https://x/fonts.css";',
    ):
        assert list(remote(loaded)), loaded
    assert not list(remote('<a href="https://onnxruntime.ai">x</a> <img src="demo.jpg"> <link href="a.css">'))
