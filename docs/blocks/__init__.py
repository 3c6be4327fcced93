"""Runs every block of code of the pages as it stands there: ``python -m docs.blocks [PAGE…]``.

`pages` reads the blocks, `table` what cannot run here and what stands in its place (docs/blocks.toml), `sessions` runs
commands and programs of one page, `supplied` makes the films, pictures and recordings that the pages name.
"""
