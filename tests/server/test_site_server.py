"""The server of the static page: what it answers, and what it refuses."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
from conftest import until

from fkp_live.errors import ExitCode, InputError, OutputError
from fkp_live.server import site_server
from fkp_live.server.site import Asset
from fkp_live.server.site_server import SiteServer

CODE = b"\0asm" * 100
FILES = {
    "index.html": Asset("text/html; charset=utf-8", b"<p>hello"),
    "web/app.js": Asset("text/javascript; charset=utf-8", b"1;"),
    "vendor/code.wasm": Asset("application/wasm", gzip.compress(CODE, mtime=0), packed=True),
}


@pytest.fixture(scope="module")
def server() -> Iterator[SiteServer]:
    with SiteServer(FILES, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def ask(
    server: SiteServer, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_files_come_with_their_type_and_the_policy(server: SiteServer) -> None:
    for path in ("/", "/index.html", "/?a=b"):
        answer, content = ask(server, path)
        assert (answer.status, content) == (200, b"<p>hello")
    assert "script-src 'self' 'wasm-unsafe-eval'" in answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ask(server, "/web/app.js")[0].headers["Content-Type"].startswith("text/javascript")
    answer, content = ask(server, "/index.html", "HEAD")
    assert (answer.headers["Content-Length"], content) == ("8", b"")


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, br", "gzip"), ("br;q=1, *", "gzip"), ("br", None), ("gzip;q=0", None), ("", None)],
)
def test_webassembly_is_sent_packed_to_those_who_take_it(
    server: SiteServer, accepted: str, encoding: str | None
) -> None:
    answer, content = ask(server, "/vendor/code.wasm", Accept_Encoding=accepted)
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers["Content-Type"] == "application/wasm"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert (gzip.decompress(content) if encoding else content) == CODE


def test_what_the_browser_has_is_not_sent_again(server: SiteServer) -> None:
    tag = ask(server, "/")[0].headers["ETag"]
    answer, content = ask(server, "/", If_None_Match=f'W/"other", {tag}')
    assert (answer.status, content) == (304, b"")
    assert ask(server, "/", If_None_Match='"other"')[0].status == 200
    packed = ask(server, "/vendor/code.wasm", Accept_Encoding="gzip")[0].headers["ETag"]
    assert ask(server, "/vendor/code.wasm", Accept_Encoding="br", If_None_Match=packed)[0].status == 200


@pytest.mark.parametrize(
    "path", ["/none", "/web/", "/../setup.cfg", "/web/%2e%2e/index.html", "//etc/passwd", "/web/app.js/", "*"]
)
def test_no_other_path_exists(server: SiteServer, path: str) -> None:
    answer, content = ask(server, path)
    assert answer.status == 404
    assert path.strip("/*") not in content.decode() or path == "*"


def test_requests_that_change_things_are_refused(server: SiteServer) -> None:
    assert ask(server, "/", "POST", b"x" * 1000)[0].status == 501
    assert ask(server, "/", "DELETE")[0].status == 501
    assert ask(server, "/", body=b"x")[0].status == 400
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as raw:
        raw.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
        assert b"400 Bad Request" in raw.recv(4096)
    assert ask(server, "/")[0].status == 200, "still serving"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("LOCALHOST:8069", 200), ("127.0.0.1:1", 200), ("[::1]:8069", 200)),
        *(("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("[", 421), ("localhost.", 421)),
    ],
)
def test_pages_of_elsewhere_whose_name_leads_here_are_refused(
    server: SiteServer, host: str, status: int
) -> None:
    assert ask(server, "/", Host=host)[0].status == status


def test_addresses_that_cannot_be_listened_on(server: SiteServer) -> None:
    with pytest.raises(OutputError, match="in use") as caught:
        SiteServer(FILES, "127.0.0.1", server.server_port)
    assert caught.value.exit_code == ExitCode.OUTPUT
    assert "--port 0" in caught.value.hint
    with pytest.raises(InputError, match="no host"):
        SiteServer(FILES, "no.such.host.invalid", 0)
    with pytest.raises(OutputError, match="cannot be listened on"):
        SiteServer(FILES, "192.0.2.1", 0)


def test_brackets_around_an_address_as_in_urls() -> None:
    with SiteServer(FILES, "[127.0.0.1]", 0) as server:
        assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_connections_that_wait_give_way(server: SiteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_server, "_MOST_WAITING", 5)
    address = ("127.0.0.1", server.server_port)
    held = [socket.create_connection(address, timeout=60) for _ in range(20)]
    assert ask(server, "/")[0].status == 200
    assert held[0].recv(1) == b"", "the one that has waited longest is closed"
    held[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert held[-1].recv(12) == b"HTTP/1.1 200"
    for connection in held:
        connection.close()
    until(lambda: not server.waiting)
