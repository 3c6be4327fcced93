"""The address that is served at: its spelling, and opening it. Light, so that the options can import it."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass

from fkp_live.errors import OutputError, UsageError

HOST, PORT = "127.0.0.1", 8068
# [IPv6] or a host without a colon, then perhaps a port.
_ADDRESS = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F:.]+(?:%\w+)?)\]|(?P<host>[^\[\]:/?#@\s]*))(?::(?P<port>[^:]*))?"
)
_EXPECTED = f"Expected HOST:PORT, :PORT or HOST, such as {HOST}:{PORT}, [::1]:{PORT} or :9000."


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port; port 0 is any that is free."""

    host: str = HOST
    port: int = PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that a text such as ``127.0.0.1:8068``, ``[::1]:8068``, ``:9000`` or ``localhost`` names.

    Raises
    ------
    UsageError : it names none
    """
    found = _ADDRESS.fullmatch(text.strip())
    if not text.strip() or found is None:
        raise UsageError(f"{text!r} is not an address that can be served at.", _EXPECTED)
    host, port = found["six"] or found["host"] or HOST, found["port"]
    if port is None and (host.isdecimal() or os.path.lexists(host)):
        # A port without its colon, or a camera or a film that was meant as the source.
        raise UsageError(
            f"{text!r} is not an address that can be served at.",
            f"{_EXPECTED} A source stands before --serve.",
        )
    if not all(char.isprintable() for char in host):
        raise UsageError(f"{text!r} has no clear host.", _EXPECTED)
    if port is None:
        return Address(host)
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
        raise UsageError(f"{text!r} has a port that is not a number from 0 to 65535.", _EXPECTED)
    return Address(host, int(port))


def address(text: str) -> Address:
    """For argparse: as `parse_address`."""
    try:
        return parse_address(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.message} {error.hint}") from error


def listen(at: Address) -> socket.socket:
    """A socket that listens; connections wait there until somebody accepts them.

    Raises
    ------
    OutputError : the host is not known or not of this machine, the port is in use or not for everybody
    """
    try:
        found = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise OutputError(
            f"The host {at.host} is not known.", "Name one of this machine, such as 127.0.0.1."
        ) from error
    # A name may have several addresses, as localhost has; browsers try IPv4 as well.
    family, kind, protocol, _, where = min(found, key=lambda each: each[0] != socket.AF_INET)
    made = socket.socket(family, kind, protocol)
    try:
        # A port of a server that has just ended is free; on Windows this option would share it with one that runs.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR if exclusive is None else exclusive, 1)
        made.bind(where)
        made.listen(128)
    except OSError as error:
        made.close()
        raise _not_served(at, error) from error
    return made


def _not_served(at: Address, error: OSError) -> OutputError:
    if error.errno == errno.EADDRINUSE:
        other = at.port + 1 if at.port < 65535 else 0
        return OutputError(
            f"Port {at.port} of {at.host} is in use, perhaps by another fkp-live.",
            f"Name another port, such as --serve {Address(at.host, other)}, or 0 for any that is free.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return OutputError(f"Port {at.port} must not be used.", "Name one above 1023.")
    if error.errno == errno.EADDRNOTAVAIL:
        return OutputError(
            f"{at.host} is not an address of this machine.", "0.0.0.0 stands for all that it has."
        )
    return OutputError(f"Nothing can be served at {at}: {error.strerror}.", "Name another address.")


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine reaches a socket."""
    return _bound(listening).is_loopback


def shown_host(at: Address, listening: socket.socket) -> str:
    """The host to print in a URL: the one named, or where it stands for all, an address of this machine."""
    bound = _bound(listening)
    host = _own_address(listening.family) if bound.is_unspecified else at.host
    return f"[{host}]" if ":" in host else host


def _bound(listening: socket.socket) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0])


def _own_address(family: int) -> str:
    """Address of the interface that leads out; the machine's name where there is none."""
    # The addresses are for documentation. A datagram socket that connects sends nothing.
    far = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
