"""UDP: the address of a target, and the part that all senders of datagrams share."""

from __future__ import annotations

import socket
from typing import Any

from fkp_live.errors import OutputError
from fkp_live.sinks.post import datagrams, grouped_datagrams
from fkp_live.sinks.sender import Report, Sender
from fkp_live.targets import Target
from fkp_live.types import FrameResult, Picture

MOST_BYTES = 65_507  # of a datagram over IPv4
# Bytes that the system may hold back; macOS refuses datagrams that are longer.
_BUFFER = 1 << 18
# Results in a group at most: receivers hold what they have not read in a buffer, on Linux of 200 KB. And those that may
# wait while it is sent.
_MOST_IN_GROUP, _MOST_WAITING = 16, 64


def address_of(target: Target) -> tuple[socket.AddressFamily, Any]:
    """Family and address of the target's host, IPv4 where it has both: receivers on "localhost" often have no other.

    Raises
    ------
    OutputError : there is no such host
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a name of a host"
        raise OutputError(
            f"{target} cannot be sent to: the host {target.host} was not found ({reason}).",
            "Check the name, or give the address in numbers, such as 127.0.0.1.",
        ) from error
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


class DatagramSender(Sender):
    """One datagram for each result. Subclasses define `_datagram`.

    Datagrams that nobody received (the port is closed, and the other side says so) count as failed. They are sent all
    the same, so that a receiver may be started later.

    Parameters
    ----------
    in_groups : see `open_sender`

    Raises
    ------
    OutputError : there is no such host, or no socket to be had
    """

    def __init__(self, target: Target, report: Report | None = None, *, in_groups: bool = False) -> None:
        family, address = address_of(target)
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            # Connected, or the system would not report that the port is closed.
            self._socket.connect(address)
            # A network that takes nothing now must not keep other senders waiting: that datagram counts as failed.
            self._socket.setblocking(False)
        except OSError as error:
            raise OutputError(
                f"{target} cannot be sent to: {error.strerror}.", "Check the address and the network."
            ) from error
        if in_groups:
            super().__init__(
                str(target), report, grouped_datagrams, queued=_MOST_WAITING, together=_MOST_IN_GROUP
            )
        else:
            super().__init__(str(target), report, datagrams)

    def _send(self, result: FrameResult, picture: Picture | None) -> bool:
        data = self._datagram(result)
        if data is None:
            return False
        try:
            self._socket.send(data)
        except (ConnectionRefusedError, ConnectionResetError):
            # It is an earlier datagram that was refused; this one was not sent yet.
            self._sent -= 1
            self._count_failure("nobody receives there")
            self._socket.send(data)
        return True

    def _datagram(self, result: FrameResult) -> bytes | None:
        """The bytes for one result, None where there is nothing to send."""
        raise NotImplementedError

    def _release(self) -> None:
        self._socket.close()
