"""onnxruntime, imported here for the whole project, with its usage telemetry switched off."""

from __future__ import annotations

import os
from types import ModuleType

from fkp_live.errors import ProviderError

# onnxruntime 1.32 for Linux writes a device id and a database of each run under ~/.cache/Microsoft, and carries an
# uploader. Only this variable stops it, and only before the first import: `disable_telemetry_events` comes too late.
# A value that the user has set stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def onnxruntime_module() -> ModuleType:
    """The module ``onnxruntime``, loaded at the first call, so that ``fkp-live doctor`` runs without it.

    Raises
    ------
    ProviderError
        If it cannot be imported.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(
            f"onnxruntime cannot be imported: {error}.", "pip install --force-reinstall onnxruntime."
        ) from error
    return onnxruntime


def runtime_version() -> str:
    """Version of onnxruntime."""
    return str(onnxruntime_module().__version__)
