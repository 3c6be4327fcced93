"""Targets of ``--send``: their spelling, and what each kind needs. Light, so that every command can import it."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from fkp_live.errors import UsageError

# Ports that receivers listen on unless they were set up otherwise; None where there is no usual one.
_PORTS = {"udp": None, "osf": 11573, "vmc": 39539}
_SPELLINGS = {
    "udp": "udp://HOST:PORT",
    "osf": "osf://HOST or osf://HOST:PORT",
    "vmc": "vmc://HOST or vmc://HOST:PORT",
    "lsl": "lsl://NAME",
    "camera": "camera://DEVICE or camera://auto",
}
SCHEMES = tuple(_SPELLINGS)
# Module that a kind of target needs, and the extra of the package that installs it.
EXTRAS = {"vmc": ("pythonosc", "vmc"), "lsl": ("pylsl", "lsl"), "camera": ("pyvirtualcam", "camera")}

# [IPv6] or a host without a colon, then perhaps a port.
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\[\]/?#@]+)\]|(?P<host>[^\[\]:/?#@]+))(?::(?P<port>[^:/]*))?/?")


@dataclass(frozen=True, slots=True)
class Target:
    """Where results are sent.

    Attributes
    ----------
    scheme : one of `SCHEMES`
    host, port : of the receiver, for udp, osf and vmc
    name : of the stream or device, for lsl and camera
    """

    scheme: str
    host: str = ""
    port: int = 0
    name: str = ""

    def __str__(self) -> str:
        if self.name:
            return f"{self.scheme}://{self.name}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_target(text: str) -> Target:
    """The target that a text such as ``udp://127.0.0.1:9000`` names.

    Raises
    ------
    UsageError : it is none; the message says what was expected
    """
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _SPELLINGS:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(f"{text!r} is not a target that can be sent to.", f"Known ones begin with {known}.")
    if scheme not in _PORTS:
        if not rest.strip() or "\0" in rest:
            raise _unclear(text, scheme, "has no name" if not rest.strip() else "has a zero byte")
        return Target(scheme, name=rest)
    address = _ADDRESS.fullmatch(rest)
    if address is None:
        reason = "has no host" if not rest.strip(":/") or rest.startswith(":") else "has no clear address"
        raise _unclear(text, scheme, reason)
    host = address["six"] or address["host"]
    if not host.strip() or any(ord(char) <= 32 or ord(char) == 127 for char in host):
        raise _unclear(text, scheme, "has no host")
    given, usual = address["port"], _PORTS[scheme]
    if not given:
        if usual is None:
            raise _unclear(text, scheme, "has no port")
        return Target(scheme, host, usual)
    if not (given.isascii() and given.isdecimal() and len(given) <= 5 and 1 <= int(given) <= 65535):
        raise _unclear(text, scheme, "has a port that is not a number from 1 to 65535")
    return Target(scheme, host, int(given))


def _unclear(text: str, scheme: str, reason: str) -> UsageError:
    return UsageError(f"{text!r} {reason}.", f"Expected {_SPELLINGS[scheme]}.")


def target(text: str) -> Target:
    """For argparse: as `parse_target`."""
    try:
        return parse_target(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.message} {error.hint}") from error
