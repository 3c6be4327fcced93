"""The files of the page of ``fkp-live web``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fkp_live.errors import FkpError
from fkp_live.recorded import CSV_COLUMNS
from fkp_live.server import site as module
from fkp_live.server.site import FACTS, site

STATIC = Path(module.__file__).parent / "static"
needs_site = pytest.mark.skipif(
    not all((STATIC / folder).is_dir() for folder in ("vendor", "common", "engine")), reason="needs make web"
)


@needs_site
def test_the_site_has_everything_that_its_page_names() -> None:
    files = site()
    page = files["index.html"].plain.decode()
    for name in ("common/theme.css", "uplot/uPlot.iife.min.js", "web/app.js"):
        assert f'"{name}"' in page
        assert name in files
    assert files["vendor/ort-wasm-simd-threaded.wasm"].plain.startswith(b"\0asm")
    assert files["vendor/LICENSE"].plain.startswith(b"MIT License")
    assert files["web/app.js"].kind.startswith("text/javascript")
    # The page loads nothing that is not here, and says nothing of this machine.
    assert not any("://" in asset.plain.decode() for name, asset in files.items() if name.endswith(".html"))

    assert "".join(f"<option>{name}</option>" for name in module.LANDMARKS) in page

    facts = json.loads(files[FACTS].plain)
    assert facts["csv_columns"] == list(CSV_COLUMNS)
    assert facts["files"] == sorted(files)
    assert facts["models"]["fkp68"]["schema"] == "fkp-landmarks/1"
    assert "non-commercial" in facts["models"]["fkp68-int8"]["licence"]


def test_the_page_holds_the_policy_that_the_server_sends() -> None:
    from fkp_live.server.site_server import POLICY

    assert f'content="{POLICY}"' in (STATIC / "web" / "index.html").read_text("utf-8")


def test_without_the_files_of_make_web_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STATIC", tmp_path)
    with pytest.raises(FkpError, match="mjs is missing") as caught:
        site()
    assert "make web" in caught.value.hint
