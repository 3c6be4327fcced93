"""Senders on loopback: a camera that speaks RTSP, a transport stream over UDP, a web server of files."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fkp_live.types import Image

RATE = 30
# A key picture often enough that who comes late need not wait; no picture waits inside the encoder.
_CODING = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}


def pictures(picture: Callable[[int], Image], stop: threading.Event) -> Iterator[Any]:
    """Pictures for an encoder, each when it is due."""
    import av

    begun = time.monotonic()
    for index in range(10_000):
        if stop.wait(max(begun + index / RATE - time.monotonic(), 0.0)):
            return
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture(index)), format="bgr24")
        frame.pts, frame.time_base = index, Fraction(1, RATE)
        yield frame


def send_by_udp(picture: Callable[[int], Image], port: int, stop: threading.Event) -> None:
    """An MPEG transport stream to a port of loopback, until ``stop`` is set."""
    import av

    with av.open(f"udp://127.0.0.1:{port}?pkt_size=1316", "w", format="mpegts") as output:
        stream: Any = output.add_stream("libx264", rate=RATE, options=_CODING)
        stream.height, stream.width = picture(0).shape[:2]
        for frame in pictures(picture, stop):
            output.mux(stream.encode(frame))


class RtspCamera:
    """One H.264 stream, its packets interleaved with the requests in one TCP connection (RFC 2326, 10.12; RFC 6184)."""

    def __init__(self, picture: Callable[[int], Image], port: int = 0) -> None:
        stop = self._stop = threading.Event()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                sender = threading.Thread(target=self._send)
                try:
                    while not stop.is_set() and (method := self._answer()):
                        if method == "PLAY":
                            sender.start()
                        elif method == "TEARDOWN":
                            break
                except ConnectionError:
                    pass

            def _answer(self) -> str:
                """Read one request and answer it; its method, empty at the end."""
                lines = [self.rfile.readline().decode("latin-1")]
                while lines[-1].strip():
                    lines.append(self.rfile.readline().decode("latin-1"))
                if len(lines) < 2:
                    return ""
                method, about = lines[0].split()[0], "".join(lines)
                number = re.search(r"CSeq: *(\d+)", about, re.IGNORECASE)
                assert number
                headers, body = {"CSeq": number[1], "Session": "1"}, ""
                if method == "DESCRIBE":
                    body = (
                        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                        "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
                    )
                    headers |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
                elif method == "SETUP":
                    assert "RTP/AVP/TCP" in about  # what the product asks for: nothing is lost on the way
                    headers["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
                head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                self.wfile.write(f"RTSP/1.0 200 OK\r\n{head}\r\n{body}".encode())
                return method

            def _send(self) -> None:
                import av

                encoder: Any = av.CodecContext.create("libx264", "w")
                encoder.height, encoder.width = picture(0).shape[:2]
                encoder.pix_fmt, encoder.options, encoder.framerate = "yuv420p", _CODING, RATE
                encoder.time_base = Fraction(1, RATE)
                sequence = 0
                try:
                    for frame in pictures(picture, stop):
                        for packet in encoder.encode(frame):
                            units = [unit for unit in re.split(b"\0\0\0?\1", bytes(packet)) if unit]
                            for unit in units:
                                last = 0x80 if unit is units[-1] else 0
                                header = struct.pack(
                                    ">BBHII", 0x80, 96 | last, sequence % 65536, frame.pts * 90_000 // RATE, 1
                                )
                                size = len(header) + len(unit)
                                self.wfile.write(b"$\0" + struct.pack(">H", size) + header + unit)
                                sequence += 1
                    self.connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"rtsp://127.0.0.1:{self._server.server_address[1]}/camera"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def hang_up(self) -> None:
        """Stop sending and close the connections."""
        self._stop.set()

    def close(self) -> None:
        """End the server."""
        self.hang_up()
        self._server.shutdown()
        self._server.server_close()


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Gives files whole, or from the byte on that is asked for."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted is None or not path.is_file():
            return super().do_GET()
        size, begin = path.stat().st_size, int(wanted[1])
        if begin >= size:
            return self.send_error(416)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - begin))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        with path.open("rb") as file, suppress(ConnectionError):
            file.seek(begin)
            shutil.copyfileobj(file, self.wfile)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        with suppress(ConnectionError):  # a reader that has seen enough
            super().copyfile(source, outputfile)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a web server on loopback that gives the files of a folder, whole or from any byte on."""
    handler = functools.partial(_Ranges, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
