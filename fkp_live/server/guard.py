"""Who may ask: each request is checked before anything looks at it, and each answer says what a browser may do with it.

- The Host must name this machine. Otherwise a page of somebody else, whose name was made to lead here (DNS rebinding),
  would count as the same site.
- The Origin of a WebSocket and of a POST must be the page's own: browsers let any page open a WebSocket to any host.
- Where other machines reach the address, a token is needed: once in the URL, from then on in a cookie.
- Sizes are bounded, before anything is read.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fkp_live.server.controls import RefusedError

MOST_BODY = 4096  # bytes
MOST_URL, MOST_HEADERS = 2048, 16_384  # bytes
# [IPv6] or a name, then perhaps a port.
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))(?::[0-9]{0,5})?")
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))
_POLICY = (
    "default-src 'self'; script-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# Of every answer: a browser shall do no more with it than is meant.
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
# Headers that uvicorn adds itself where a WebSocket is refused.
_OF_UVICORN = frozenset((b"connection", b"content-length", b"content-type"))
# Pictures may stand in pages of others, which cannot read them; nothing else may.
_SHARED = frozenset(("/stream.mjpg", "/snapshot.png"))


def answer(status: int, said: str) -> Response:
    """An error, or a request that was carried out."""
    return JSONResponse({"ok": status < 400, "said": said}, status)


class Guard:
    """The ASGI application behind its checks.

    Parameters
    ----------
    app : answers what is let through
    hosts : names, in lower case, that the server has beside those of every machine
    port : for the name of the cookie, because cookies of all ports of a host lie together
    token : that is needed; empty where only this machine reaches the address
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], port: int, token: str) -> None:
        self._app, self._token, self._cookie = app, token, f"fkp-live-{port}"
        self._hosts = _LOCAL | frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        headers = Headers(scope=scope)
        named = self._named(scope)
        try:
            self._check_sizes(scope, headers)
            self._check_sender(scope, headers)
            if self._token and not (named or self._remembered(headers)):
                raise RefusedError(
                    401, "A token is needed: open the URL that fkp-live printed, with its ?token=."
                )
        except RefusedError as error:
            refusal = answer(error.status, error.said)
            refusal.headers["connection"] = (
                "close"  # whatever else was sent, such as a large body, is not read
            )
            await refusal(scope, receive, _with_headers(scope, send))
            return
        cookie = ""
        if named and scope["type"] == "http":
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        await self._app(scope, receive, _with_headers(scope, send, cookie))

    def _check_sizes(self, scope: Scope, headers: Headers) -> None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MOST_URL:
            raise RefusedError(414, f"The URL is longer than {MOST_URL} bytes.")
        if sum(len(name) + len(value) for name, value in headers.raw) > MOST_HEADERS:
            raise RefusedError(431, f"The headers are longer than {MOST_HEADERS} bytes.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > MOST_BODY:
            raise RefusedError(413, f"The body is longer than {MOST_BODY} bytes.")

    def _check_sender(self, scope: Scope, headers: Headers) -> None:
        given = headers.getlist("host")
        if len(given) != 1 or not self._is_ours(_host_of(given[0])):
            raise RefusedError(
                403, "The Host is not a name of this server. Use the URL that fkp-live printed."
            )
        if scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD"):
            # Programs that are no browser send none; a browser always does.
            origins = headers.getlist("origin")
            if len(origins) > 1 or (origins and not _same_site(origins[0], given[0])):
                raise RefusedError(
                    403, "The Origin is another site. Only the page served here may ask for this."
                )

    def _is_ours(self, host: str) -> bool:
        if host in self._hosts:
            return True
        # An address is no name that somebody else could make lead here, and browsers write it their own way: 127.2 as
        # 127.0.0.2. Where other machines come, any may lead here.
        try:
            return ipaddress.ip_address(host).is_loopback or bool(self._token)
        except ValueError:
            return False

    def _named(self, scope: Scope) -> bool:
        """Whether the URL has the token."""
        if not self._token or len(scope["query_string"]) > MOST_URL:
            return False
        given = parse_qs(scope["query_string"].decode("latin-1"))
        return any(self._is_token(each) for each in given.get("token", []))

    def _remembered(self, headers: Headers) -> bool:
        """Whether a cookie has the token."""
        pairs = (
            pair.strip().partition("=") for line in headers.getlist("cookie") for pair in line.split(";")
        )
        return any(self._is_token(value) for name, _, value in pairs if name == self._cookie)

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def own_names() -> frozenset[str]:
    """Names of this machine by which others may reach it, in lower case."""
    name = socket.gethostname().lower()
    return frozenset((name, f"{name}.local", name.partition(".")[0]))


def _host_of(given: str) -> str:
    """The host of HOST:PORT, in lower case; empty where it is none."""
    found = _HOST.fullmatch(given.lower())
    return (found["six"] or found["host"].rstrip(".")) if found else ""


def _same_site(origin: str, host: str) -> bool:
    """Whether an Origin is a page of this Host: the same name and the same port."""
    scheme, separator, rest = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and rest.lower() == host.lower()


def _with_headers(scope: Scope, send: Send, cookie: str = "") -> Send:
    """``send`` that adds `HEADERS` to every answer."""

    async def sent(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = dict(message.get("headers", []))
            if message["type"].startswith("websocket"):
                # Versions before 0.54 would send them twice.
                headers = {name: value for name, value in headers.items() if name not in _OF_UVICORN}
            more = dict(HEADERS)
            if scope["path"] in _SHARED:
                more["cross-origin-resource-policy"] = "cross-origin"
            if cookie:
                more["set-cookie"] = cookie
            added = {name.encode(): value.encode() for name, value in more.items()}
            message = {**message, "headers": [*(added | headers).items()]}
        await send(message)

    return sent
