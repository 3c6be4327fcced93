"""What browsers see: the live view of a running fkp-live, and the page that runs the networks itself.

`Server` is loaded at first use, because it needs the packages of the extra ``server``; the page needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fkp_live.server.controls import Controls
    from fkp_live.server.serving import Server

__all__ = ["Controls", "Server"]

_HOMES = {"Controls": "controls", "Server": "serving"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
