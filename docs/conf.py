"""Settings of Sphinx for the site that ``make docs`` builds."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
# The package as it stands in this checkout, and this site's own directives.
sys.path[:0] = [str(ROOT), str(HERE / "extensions")]

from fkp_live import __version__  # noqa: E402

project = "fkp-live"
author = "the fkp-live authors"
copyright = f"{author}, MIT licence"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "house_docstrings",
    "filled_in",
    "loads_nothing",
]
exclude_patterns = ["extensions"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
# Of the repository's own pages: a link to a heading that is missing is an error, as every other warning is.
suppress_warnings = ["misc.highlighting_failure"]  # SQL of duckdb, which Pygments does not know
nitpicky = False  # names in single quotes are links where the name is public, and plain words elsewhere
default_role = "py:obj"
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {
    name: name for name in ("AnyImage", "FloatArray", "Image", "Matrix", "Pictures", "Target")
}
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

smartquotes = False  # messages, options and code stand as they are typed

html_theme = "furo"
html_title = f"fkp-live {version}"
html_copy_source = False
html_show_sphinx = False
# Nothing is loaded from elsewhere: no fonts, no scripts, no formulas that would need them.
html_theme_options = {"navigation_with_keys": True}
