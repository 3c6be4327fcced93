"""Writes the commit into wheels and source archives, for ``fkp-live --version``; all else is in setup.cfg."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

_ROOT = Path(__file__).parent
_VERSION = runpy.run_path(str(_ROOT / "fkp_live" / "commands" / "version.py"))


def _write_commit(package: Path) -> None:
    if commit := _VERSION["commit"]():
        (package / _VERSION["COMMIT_FILE"]).write_text(f"{commit}\n", encoding="ascii")


class _Build(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            _write_commit(Path(self.build_lib, "fkp_live"))


class _Archive(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        _write_commit(Path(base_dir, "fkp_live"))


setup(cmdclass={"build_py": _Build, "sdist": _Archive})
