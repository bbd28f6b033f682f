# SPDX-License-Identifier: GPL-3.0-or-later
"""obs-websocket's protocol, version 5, over a WebSocket (RFC 6455) of the standard library."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Remote:
    """A connection to OBS; for one thread."""

    def __init__(self, port: int, timeout: float = 300.0) -> None:
        """Raises ``OSError`` where no OBS listens yet."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET / HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Protocol: obswebsocket.json",
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._stream = self._socket.makefile("rb")
        assert b" 101 " in self._stream.readline()
        while self._stream.readline() not in (b"\r\n", b""):
            pass
        self._count = 0
        assert self._receive()["op"] == 0
        self._send({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0}})
        assert self._receive()["op"] == 2

    def ask(self, what: str, **data: Any) -> dict[str, Any]:
        """One request; fails where OBS refuses it."""
        answer = self.try_to(what, **data)
        assert answer["requestStatus"]["result"], answer["requestStatus"]
        content: dict[str, Any] = answer.get("responseData") or {}
        return content

    def try_to(self, what: str, **data: Any) -> dict[str, Any]:
        """One request, and all that OBS answers."""
        self._count += 1
        identity = str(self._count)
        self._send({"op": 6, "d": {"requestType": what, "requestId": identity, "requestData": data}})
        while True:
            message = self._receive()
            if message["op"] == 7 and message["d"]["requestId"] == identity:
                answer: dict[str, Any] = message["d"]
                return answer

    def screenshot(self, source: str, **size: int) -> npt.NDArray[np.uint8]:
        """A source or scene as OBS draws it, (H, W, 4) or (H, W, 3), 8-bit sRGB."""
        found = self.ask("GetSourceScreenshot", sourceName=source, imageFormat="png", **size)
        data = base64.b64decode(found["imageData"].split(",", 1)[1])
        return np.asarray(Image.open(io.BytesIO(data)))

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _send(self, message: dict[str, Any], kind: int = _TEXT) -> None:
        self._write(kind, json.dumps(message).encode())

    def _write(self, kind: int, body: bytes) -> None:
        mask = os.urandom(4)
        length = len(body)
        head = bytes([0x80 | kind])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 1 << 16:
            head += bytes([0x80 | 126]) + struct.pack(">H", length)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", length)
        self._socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(body)))

    def _receive(self) -> dict[str, Any]:
        body = b""
        while True:
            kind, last, part = self._frame()
            if kind == _CLOSE:
                raise EOFError("OBS has closed the connection")
            if kind == _PING:
                self._write(_PONG, part)
                continue
            body += part
            if last:
                message: dict[str, Any] = json.loads(body)
                return message

    def _frame(self) -> tuple[int, bool, bytes]:
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._exactly(8))
        return first & 0x0F, bool(first & 0x80), self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise EOFError("OBS has gone")
        return data
