"""Which requests are let through, without a network."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra server")

from fkp_live.server.guard import Guard

Headers = list[tuple[bytes, bytes]]
PORT = 8068


class Asked:
    """A guard and what came of a request."""

    def __init__(self, token: str = "", hosts: tuple[str, ...] = ()) -> None:
        self._token, self._hosts = token, hosts
        self.let_through = False
        self.headers: dict[str, str] = {}
        self.said = ""

    def status(
        self, method: str = "GET", path: str = "/", query: str = "", kind: str = "http", **headers: str
    ) -> int:
        given = {"host": f"127.0.0.1:{PORT}"} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        return self.status_of([(a.encode(), b.encode()) for a, b in given.items()], method, path, query, kind)

    def status_of(
        self, headers: Headers, method: str = "GET", path: str = "/", query: str = "", kind: str = "http"
    ) -> int:
        scope: dict[str, Any] = {
            **{"type": kind, "path": path, "raw_path": path.encode(), "query_string": query.encode()},
            "headers": headers,
        }
        if kind == "http":
            scope["method"] = method
        sent: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.let_through = True
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def receive() -> Any:
            raise AssertionError("nothing is read before the checks")

        async def send(message: Any) -> None:
            sent.append(message)

        self.let_through = False
        asyncio.run(Guard(app, self._hosts, PORT, self._token)(scope, receive, send))
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        if not self.let_through:
            self.said = json.loads(sent[1]["body"])["said"]
            assert sent[0]["type"].startswith("websocket") == (kind == "websocket")
        return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8068",
        "localhost",
        "LOCALHOST:1",
        "[::1]:8068",
        "studio.lan",
        "localhost.",
        "127.0.0.2:8068",
    ],
)
def test_names_of_this_machine(host: str) -> None:
    asked = Asked(hosts=("studio.lan",))
    assert asked.status(host=host) == 200
    assert asked.let_through


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:8068",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "192.168.1.5",
        ),
        *("", "[::1", "localhost:8068, evil.example", "evil.example#localhost", "2130706433", "x" * 3000),
    ],
)
def test_rebound_names_are_refused(host: str) -> None:
    asked = Asked()
    assert asked.status(host=host) == 403
    assert "Host" in asked.said
    assert asked.status_of([]) == 403
    assert asked.status_of([(b"host", b"localhost"), (b"host", host.encode())]) == 403


def test_only_the_own_page_opens_sockets_and_posts() -> None:
    asked = Asked()
    for kind in ({"kind": "websocket", "path": "/view"}, {"method": "POST", "path": "/control"}):
        assert asked.status(**kind) == 200  # a program that is no browser
        assert asked.status(**kind, origin=f"http://127.0.0.1:{PORT}") == 200
        for origin in (
            "http://evil.example",
            "null",
            f"http://localhost:{PORT}",
            "http://127.0.0.1:3000",
            "",
        ):
            assert asked.status(**kind, origin=origin) == 403, origin
            assert not asked.let_through
    # A picture may stand in any page.
    assert asked.status(path="/stream.mjpg", origin="http://evil.example") == 200
    assert asked.headers["cross-origin-resource-policy"] == "cross-origin"


def test_sizes_are_bounded_before_anything_is_read() -> None:
    asked = Asked()
    assert asked.status("POST", content_length="4096") == 200
    for length in ("4097", str(100 << 20), "9" * 5000, "-1", "1e3", "²"):
        assert asked.status("POST", content_length=length) == 413, length
        assert asked.headers["connection"] == "close"
    assert asked.status(path="/" + "a" * 2048) == 414
    assert asked.status(query="a" * 2049) == 414
    assert asked.status(cookie="a" * 20_000) == 431


def test_a_token_is_needed_once_then_a_cookie() -> None:
    asked = Asked(token="secret-7", hosts=("studio",))
    assert asked.status() == 401
    assert "token" in asked.said
    for wrong in ("token=", "token=secret", "token=secret-72", "TOKEN=secret-7", "token=%FF"):
        assert asked.status(query=wrong) == 401
    assert asked.status(query="x=1&token=secret-7") == 200
    assert asked.headers["set-cookie"] == f"fkp-live-{PORT}=secret-7; Path=/; HttpOnly; SameSite=Strict"


def test_the_cookie_of_this_port_is_enough() -> None:
    asked = Asked(token="secret")
    assert asked.status(query="token=secret", kind="websocket", path="/points") == 200
    assert "set-cookie" not in asked.headers
    assert asked.status(cookie=f"a=b; fkp-live-{PORT}=secret") == 200
    assert "set-cookie" not in asked.headers
    assert asked.status(cookie=f"fkp-live-{PORT}=secre") == 401
    assert asked.status(cookie="fkp-live-1=secret") == 401
    # Whoever has the token may come by any address, but a name of somebody else's leads nowhere.
    assert asked.status(query="token=secret", host="192.168.1.5:8068") == 200
    assert asked.status(query="token=secret", host="evil.example") == 403


def test_every_answer_limits_what_a_browser_does_with_it() -> None:
    asked = Asked()
    for status, host in ((200, "localhost"), (403, "evil.example")):
        assert asked.status(host=host) == status
        assert "default-src 'self'" in asked.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in asked.headers["content-security-policy"]
        assert "unsafe" not in asked.headers["content-security-policy"]
        assert asked.headers["x-content-type-options"] == "nosniff"
        assert asked.headers["referrer-policy"] == "no-referrer"
