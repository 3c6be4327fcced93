"""matplotlib without a screen, and without the caches that it and fontconfig write into the home folder."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from functools import cache
from types import ModuleType


@cache
def pyplot() -> ModuleType:
    """matplotlib's pyplot, imported when the first plot is made.

    Both caches go to a temporary folder, which is removed after the import: later plots write none. A folder that the
    user has set in MPLCONFIGDIR stays.
    """
    changed = {"XDG_CACHE_HOME", "MPLCONFIGDIR"} - ({"MPLCONFIGDIR"} & os.environ.keys())
    before = {name: os.environ.get(name) for name in changed}
    # It would log at each run that building the cache may take a moment.
    fonts = logging.getLogger("matplotlib.font_manager")
    fonts.setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="fkp-live-") as folder:
        os.environ.update(dict.fromkeys(changed, folder))
        try:
            import matplotlib

            # Whoever has plotted already, as in a notebook, keeps the backend.
            if "matplotlib.pyplot" not in sys.modules:
                matplotlib.use("Agg")
            from matplotlib import pyplot as plt
            from matplotlib.font_manager import FontProperties, fontManager

            fontManager.findfont(FontProperties())
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name)
                else:
                    os.environ[name] = value
    return plt
