"""The address of --serve: its spelling, and opening it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fkp_live.errors import OutputError, UsageError
from fkp_live.server.address import Address, is_loopback, listen, parse_address, shown_host


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9000", Address("127.0.0.1", 9000)),
        (":9000", Address("127.0.0.1", 9000)),
        (":0", Address("127.0.0.1", 0)),
        ("localhost", Address("localhost", 8068)),
        ("localhost:80", Address("localhost", 80)),
        ("[::1]:8068", Address("::1", 8068)),
        ("[::1]", Address("::1", 8068)),
        ("0.0.0.0", Address("0.0.0.0", 8068)),
        ("studio.lan:65535", Address("studio.lan", 65535)),
    ],
)
def test_spellings(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "9000",
        "0",
        ":",
        "x:",
        ":65536",
        ":-1",
        ":\uff11",
        "::1",
        "[::1",
        "[x]:1",
        "http://x",
        "a b:1",
        "u@h:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"such as 127\.0\.0\.1:8068"):
        parse_address(text)


def test_a_film_in_its_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("film.mp4").touch()
    with pytest.raises(UsageError, match="source stands before --serve"):
        parse_address("film.mp4")


def test_listening_and_a_port_in_use() -> None:
    with listen(Address(port=0)) as first:
        port = first.getsockname()[1]
        assert is_loopback(first)
        with pytest.raises(OutputError, match=f"Port {port} of 127.0.0.1 is in use") as failure:
            listen(Address(port=port))
        assert f":{port + 1}" in failure.value.hint
    with listen(Address(port=port)) as again:
        assert again.getsockname()[1] == port


def test_hosts_that_cannot_be_had() -> None:
    with pytest.raises(OutputError, match="not an address of this machine"):
        listen(Address("192.0.2.1", 0))
    with pytest.raises(OutputError, match="is not known"):
        listen(Address("no.such.host.invalid", 0))
    with pytest.raises(OutputError, match="is not known"):
        listen(Address("a" * 70 + ".x", 0))


def test_all_addresses_of_the_machine_are_shown_as_one() -> None:
    with listen(Address("0.0.0.0", 0)) as everywhere:
        assert not is_loopback(everywhere)
        assert shown_host(Address("0.0.0.0", 0), everywhere) not in ("", "0.0.0.0")


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_version_six() -> None:
    try:
        listening = listen(Address("::1", 0))
    except OutputError:
        pytest.skip("this machine has no IPv6")
    with listening:
        assert is_loopback(listening)
        assert shown_host(Address("::1", 0), listening) == "[::1]"
