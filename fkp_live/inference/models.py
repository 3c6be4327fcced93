"""Model files: where the shipped ones are, and which file a name or path means."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from fkp_live.errors import ModelError
from fkp_live.inference.providers import AUTO_ORDER, available_providers, has_vnni, listed_providers

# Landmark network of pictures, where the user names none: there accuracy counts and a few milliseconds do not.
PICTURE_MODEL = "fkp68-large"
# That of streams on CPUs which are fast with 8-bit integers.
STREAM_MODEL_INT8 = "fkp68-medium-int8"
# Shipped models that are no landmark networks.
_OTHERS = ("yunet", "fkp-expression", "fkp-expression-large", "fkp-eyes")


def models_dir() -> Path:
    """Folder of the shipped models: inside the installed package, or beside it in a checkout."""
    packaged = Path(str(importlib.resources.files("fkp_live"))) / "models"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "models"


def resolve_model(name_or_path: str | Path | None) -> Path:
    """Path of a model given by the name of a shipped one ("fkp68"), by a path, or not at all (fkp68).

    Raises
    ------
    ModelError
        If it is neither a shipped name nor an existing file.
    """
    given = Path("fkp68" if name_or_path is None else name_or_path)
    is_name = given.suffix == "" and given.name == str(given)
    shipped = models_dir() / f"{given.name}.onnx"
    names = sorted(path.stem for path in models_dir().glob("*.onnx") if path.stem not in _OTHERS)
    hint = f"Shipped models: {', '.join(names) or 'none'}; or give the path of an .onnx file."
    try:
        if is_name and shipped.is_file():
            return shipped
        if given.is_file():
            return given
        is_folder = given.is_dir()
    except OSError as error:  # a name that is too long, a folder that must not be entered
        raise ModelError(f"The model {str(given)[:80]!r} cannot be read: {error.strerror}.", hint) from None
    if is_folder:
        raise ModelError(f"{given} is a folder, expected an .onnx file.", hint)
    kind = "a shipped model nor a file" if is_name else "a file that exists"
    raise ModelError(f"The model {given} is {'neither' if is_name else 'not'} {kind}.", hint)


def stream_model(provider: str) -> str:
    """Name of the shipped landmark network for streams, where the user names none.

    ``fkp68-medium-int8`` where the network will run on a CPU with instructions for 8-bit integers: there it takes
    less time than ``fkp68`` and errs less. Elsewhere it would take about twice as long, and ``fkp68`` is taken.

    Parameters
    ----------
    provider : one of `choices.PROVIDERS`; the requested one, or the one that runs
    """
    listed = listed_providers(available_providers())
    on_cpu = provider == "cpu" or (provider == "auto" and listed.isdisjoint(set(AUTO_ORDER) - {"cpu"}))
    return STREAM_MODEL_INT8 if on_cpu and has_vnni() else "fkp68"
