"""Formats that name other files and addresses, and what may be opened on their behalf.

A playlist is followed only where it is named as one. A file named .mp4 that is a playlist could otherwise show whoever
gave it the pictures of any file of this machine, or let it call any address.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from fkp_live.errors import InputError

# FFmpeg's names, the suffixes by which each is recognised, and how such a file begins or what its first lines hold.
_PLAYLISTS = {
    "concat": ((".ffconcat", ".ffcat"), b"ffconcat version"),
    "hls": ((".m3u8", ".m3u"), b"#EXTM3U"),
    "dash": ((".mpd",), b"<MPD"),
    "sdp": ((".sdp",), b"v=0"),
    "imf": ((".xml",), b"<CompositionPlaylist"),
}
# Scripts that would be run, and descriptions of devices and networks.
_NEVER = {"avisynth", "vapoursynth", "lavfi", "sap", "webm_dash_manifest"}
_NETWORK = (
    "http,https,httpproxy,tls,tcp,udp,udplite,rtp,srtp,rtmp,rtmpe,rtmps,rtmpt,rtmpte,rtmpts,ffrtmphttp,ffrtmpcrypt,"
    "ftp,sftp,mmsh,mmst,srt,rist,sctp,crypto,data"
)


def limits(where: str, *, remote: bool) -> dict[str, str]:
    """FFmpeg's options for opening ``where``: which formats it may be in, and which protocols may be used for it."""
    kind = _named_as(where, remote=remote)
    refused = _NEVER | ({"concat", "imf"} if remote else set(_PLAYLISTS))
    local = f"file,{_NETWORK}" if kind else "file"
    return {
        "format_whitelist": ",".join(sorted(_formats() - (refused - {kind}))),
        "protocol_whitelist": _NETWORK if remote else local,  # no local file, whatever a server names
        "pattern_type": "none",  # or a picture named a%d.jpe would stand for others
    }


def check_not_a_playlist(path: str, name: str) -> None:
    """Refuse a file that is a playlist, but is not named as one.

    Raises
    ------
    InputError : for the file ``name``
    """
    with open(path, "rb") as file:
        head = file.read(2048).removeprefix(b"\xef\xbb\xbf").lstrip()
    for kind, (suffixes, mark) in _PLAYLISTS.items():
        found = mark in head if mark.startswith(b"<") else head.startswith(mark)
        if found and _named_as(path, remote=False) != kind:
            raise InputError(
                f"{name} is not a video but a playlist ({kind}), which names other files.",
                f"Give the video itself, or name the file {suffixes[0]} to have it followed.",
            )


def _named_as(where: str, *, remote: bool) -> str | None:
    """The kind of playlist that a name stands for."""
    try:
        suffix = PurePosixPath(urlsplit(where).path).suffix if remote else Path(where).suffix
    except ValueError:  # not a URL that can be read
        return None
    return next((kind for kind, (suffixes, _) in _PLAYLISTS.items() if suffix.lower() in suffixes), None)


@lru_cache(maxsize=1)
def _formats() -> frozenset[str]:
    """Every format of this FFmpeg, by each of its names."""
    import av

    return frozenset(name for names in av.formats_available for name in names.split(","))
