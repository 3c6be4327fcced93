"""Figures of a shipped network measured again: its .json and the tables of its card, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from export.card import figures_section
from export.ship import evaluated_sets, measure, staging_folder, write_sums
from fkp_live.errors import ModelError
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session

_HEADING = "## Figures"
# How the paragraphs begin that `figures_section` writes.
_MEASURED = ("By `python -m train evaluate", "NME: ", "Box given: ", "|", "Not measured:")


def renew(model: Path, data: Path) -> Path:
    """Measure a network with card and figures beside it again, as when it was shipped; returns the card.

    For when the judge has changed and the network has not. What else stands in the card stays.

    Raises
    ------
    ModelError
        The file is not a network of this project, or has no figures and card beside it.
    InputError
        ``data`` does not hold the evaluated sets.
    OutputError
        The folder cannot be written.
    """
    session = open_session(resolve_model(model), "cpu")
    path = session.path
    facts_file, card_file = path.with_suffix(".json"), path.with_suffix(".md")
    try:
        facts, text = json.loads(facts_file.read_text()), card_file.read_text()
        training = facts["training"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} has no figures to renew: {error}", "Ship it first: python -m export CHECKPOINT."
        ) from error
    figures = measure(path, evaluated_sets(data))
    with staging_folder(path.parent) as staging:
        (staging / facts_file.name).write_text(json.dumps({**facts, "figures": figures}, indent=1) + "\n")
        section = figures_section(path.stem, figures, training)
        (staging / card_file.name).write_text(with_section(text, section))
        write_sums(path.parent, staging)
    return card_file


def with_section(card: str, section: str) -> str:
    """``card`` with the measured paragraphs under its heading of figures replaced by ``section``."""
    before, heading, after = card.partition(f"{_HEADING}\n\n")
    if not heading:
        raise ModelError(f"the card has no heading '{_HEADING}'", "Ship the network again.")
    kept = after.split("\n\n")
    while kept and kept[0].startswith(_MEASURED):
        kept.pop(0)
    return "\n\n".join([before + heading + section.rstrip("\n"), *kept]).rstrip("\n") + "\n"
