"""Targets of ``--send``: what is understood, and what is refused with the cure."""

from __future__ import annotations

import pytest

from fkp_live.errors import UsageError
from fkp_live.targets import SCHEMES, Target, parse_target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("udp://127.0.0.1:9000", Target("udp", "127.0.0.1", 9000)),
        ("UDP://host.example:1", Target("udp", "host.example", 1)),
        ("osf://127.0.0.1", Target("osf", "127.0.0.1", 11573)),
        ("osf://localhost:65535/", Target("osf", "localhost", 65535)),
        ("vmc://[::1]", Target("vmc", "::1", 39539)),
        ("vmc://[fe80::1%eth0]:39540", Target("vmc", "fe80::1%eth0", 39540)),
        ("lsl://my face", Target("lsl", name="my face")),
        ("camera:///dev/video4", Target("camera", name="/dev/video4")),
        ("camera://OBS Virtual Camera", Target("camera", name="OBS Virtual Camera")),
    ],
)
def test_targets_are_read(text: str, expected: Target) -> None:
    assert parse_target(text) == expected
    # Shown in full, it is the same target.
    assert parse_target(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a target"),
        ("127.0.0.1:9000", "is not a target"),
        ("tcp://127.0.0.1:9000", "udp://, osf://, vmc://, lsl://, camera://"),
        ("osf://", "has no host"),
        ("osf://:11573", "has no host"),
        ("udp://127.0.0.1", "has no port"),
        ("udp://127.0.0.1:", "has no port"),
        ("udp://127.0.0.1:99999", "from 1 to 65535"),
        ("udp://127.0.0.1:0", "from 1 to 65535"),
        ("udp://127.0.0.1:-1", "from 1 to 65535"),
        ("udp://127.0.0.1:\u0661", "from 1 to 65535"),
        ("udp://127.0.0.1:" + "9" * 5000, "from 1 to 65535"),
        ("udp://::1:9000", "Expected udp://HOST:PORT"),
        ("udp://user@host:9000", "Expected udp://HOST:PORT"),
        ("udp://host:9000/path", "Expected udp://HOST:PORT"),
        ("lsl://", "has no name"),
        ("lsl://  ", "has no name"),
        ("camera://", "Expected camera://DEVICE"),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_scheme_is_documented_in_a_refusal() -> None:
    with pytest.raises(UsageError) as caught:
        parse_target("x://y")
    assert all(f"{scheme}://" in str(caught.value) for scheme in SCHEMES)
