"""Serves the static page by the standard library's HTTP server: from a table in memory, to this machine."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fkp_live.errors import InputError, OutputError
from fkp_live.server.site import Asset

# WebAssembly may be compiled, scripts and workers are the site's own, pictures and videos may also be those that the
# visitor gave. Nothing may be loaded from or sent to anywhere else.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked again each time, and answered by 304: the page, its scripts and the networks belong together.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
# Seconds after which a connection that says nothing is closed.
_PATIENCE = 30
# Connections that may wait for a request: each has a thread. Beyond that, the one that has waited longest gives way.
_MOST_WAITING = 100


class SiteServer(ThreadingHTTPServer):
    """The site at ``http://host:port/``; `serve_forever` answers until it is interrupted.

    Parameters
    ----------
    files : what there is, by its path from the root
    host : name or address to listen on
    port : 0 takes a free one

    Attributes
    ----------
    url : where the page is, for a browser on this machine
    is_local : whether no other machine can reach it
    waiting : connections without a request, the longest first; of use to the handlers only

    Raises
    ------
    InputError : there is no such host
    OutputError : the port is in use, or must not be taken
    """

    daemon_threads = True
    # On Windows it would let two programs listen on one port.
    allow_reuse_address = os.name == "posix"

    def __init__(self, files: Mapping[str, Asset], host: str, port: int) -> None:
        self.waiting: dict[Any, None] = {}
        self.files = {f"/{name}": asset for name, asset in files.items()}
        self.files["/"] = self.files["/index.html"]
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]  # as in a URL, and as --serve has it
        try:
            self.address_family, *_, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except (OSError, UnicodeError) as error:
            raise InputError(
                f"There is no host {host!r}: {getattr(error, 'strerror', None) or error}.",
                "Give --host a name or address of this machine.",
            ) from error
        found = ipaddress.ip_address(str(address[0]).partition("%")[0])
        self.is_local = found.is_loopback
        try:
            super().__init__((str(address[0]), port), _Handler)
        except OSError as error:
            raise _cannot_listen(host, port, error) from error
        if found.is_unspecified:
            host = "127.0.0.1"  # one of the many that it listens on, and one that gets a webcam
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.server_port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a new connection in a thread of its own, while there are not too many."""
        if len(self.waiting) >= _MOST_WAITING:
            with suppress(OSError, StopIteration, RuntimeError):  # others have come or left meanwhile
                longest = next(iter(self.waiting))
                self.waiting.pop(longest, None)
                longest.shutdown(socket.SHUT_RDWR)
        self.waiting[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self.waiting.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no failure of the server's."""

    def knows(self, host: str | None) -> bool:
        """Whether a Host header names this server.

        A page of elsewhere whose name leads to this machine is refused. Where the server listens on other addresses
        than this machine's own, it cannot know its names, and has nothing that others may not see.
        """
        if not self.is_local:
            return True
        name = (host or "").rpartition(":")[0] if (host or "").rpartition(":")[2].isdigit() else host or ""
        if name.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return False


def _cannot_listen(host: str, port: int, error: OSError) -> OutputError:
    where = f"{host}, port {port},"
    if error.errno == errno.EADDRINUSE:
        return OutputError(
            f"{where} is in use by another program.", "Choose another one: --port 0 takes a free one."
        )
    if error.errno == errno.EACCES:
        return OutputError(
            f"{where} may not be taken.", "Ports below 1024 are the system's: choose a higher --port."
        )
    return OutputError(
        f"{where} cannot be listened on: {error.strerror}.",
        "Give --host an address of this machine, or omit it.",
    )


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the paths of the table, and nothing else."""

    server: SiteServer
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    def handle_one_request(self) -> None:
        self.server.waiting[self.connection] = None
        super().handle_one_request()

    def parse_request(self) -> bool:
        done = super().parse_request()
        self.server.waiting.pop(self.connection, None)
        return done

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.BAD_REQUEST, "a body was not expected")
        elif not self.server.knows(self.headers.get("Host")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, f"this is {self.server.url}, not that host")
        elif (asset := self.server.files.get(self.path.partition("?")[0])) is None:
            self.send_error(HTTPStatus.NOT_FOUND, "there is no such file")
        else:
            self._send(asset, with_body=with_body)

    def _send(self, asset: Asset, *, with_body: bool) -> None:
        packed = asset.packed and _takes_gzip(self.headers.get("Accept-Encoding", ""))
        tag = f'"{asset.tag}{"-gzip" if packed else ""}"'
        known = [each.strip().removeprefix("W/") for each in self.headers.get("If-None-Match", "").split(",")]
        fresh = tag in known or "*" in known
        content = b"" if fresh else asset.stored if packed else asset.plain
        self.send_response(HTTPStatus.NOT_MODIFIED if fresh else HTTPStatus.OK)
        self.send_header("ETag", tag)
        self._send_common()
        if not fresh:
            self.send_header("Content-Type", asset.kind)
            self.send_header("Content-Length", str(len(content)))
            if packed:
                self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A line of text, and the end of the connection: what else the client sent is not read."""
        status = HTTPStatus(code)
        content = f"{status.value} {status.phrase}: {message or status.description}\n".encode(
            "utf-8", "replace"
        )
        self.close_connection = True
        self.send_response(status)
        self._send_common()
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_common(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)

    def version_string(self) -> str:
        """The Server header, without versions."""
        return "fkp-live"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: what a visitor opens is the visitor's business."""


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    for each in accepted.split(","):
        name, _, weight = each.partition(";")
        if name.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
