# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between a host and the engine: JSON bodies on an authenticated local connection.

Standard library only, Python 3.9: hosts load this file. The first message of a host is ``hello`` with its protocol
number; its form, and that of the engine's refusal, must never change, so that any two versions understand each other
at least that far.
"""

from __future__ import annotations

import json
import multiprocessing
import queue
import threading
import time
from contextlib import suppress
from multiprocessing import connection as mp
from typing import Any, Callable, NoReturn, Optional, Union

PROTOCOL = 1
"""Raised when hosts and engines of before and after would misunderstand each other."""
MAX_REQUEST = 1 << 20
"""Bytes of one message to the engine."""
MAX_REPLY = 16 << 20
"""Bytes of one message to a host."""
HANDSHAKE_SECONDS = 10.0
"""In which a peer has to prove that it knows the key."""
BEAT_SECONDS = 2.0
"""Between signs of life of an engine."""
SILENCE_SECONDS = 40.0
"""After which an engine without a sign of life is taken for stuck."""

MAX_WAITING = 10_000
"""Messages to a peer that does not read them, before it is given up."""

Message = dict[str, Any]
Letter = Union[bytes, Callable[[], Optional[Message]]]
"""What waits to be sent: a message, or what will give one."""


class WireError(Exception):
    """A peer that broke the rules; the connection cannot be used any more."""


class Link:
    """One end of a connection. Any thread may send; one thread receives, and it alone lets go of the handle."""

    def __init__(self, connection: Any, limit: int) -> None:
        """``limit``: bytes of a message that are accepted; a longer one is refused before memory is taken."""
        self._connection, self._limit = connection, limit
        self._sending = threading.Lock()
        self._outbox: queue.Queue[Optional[Letter]] = queue.Queue(MAX_WAITING)
        self.closing = False

    # Sending

    def send(self, message: Message) -> None:
        """Send at once, which may take as long as the peer does not read; for greetings.

        Raises ``OSError`` where the peer has gone.
        """
        self._send(encoded(message))

    def start_posting(self) -> None:
        """Send what is posted in a thread of its own."""
        threading.Thread(target=self._send_posted, name="keywarp-send", daemon=True).start()

    def post(self, message: Union[Message, Callable[[], Optional[Message]]]) -> None:
        """Send when its turn comes, without waiting for that: a message, or what a function gives then, if anything.

        Raises ``ValueError`` or ``TypeError`` for what JSON cannot say. A peer that reads nothing for so long that
        ``MAX_WAITING`` messages wait is given up.
        """
        try:
            self._outbox.put_nowait(message if callable(message) else encoded(message))
        except queue.Full:
            self.close()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent."""
        return self._outbox.empty()

    def _send_posted(self) -> None:
        while True:
            letter = self._outbox.get()
            if letter is None:
                return
            if callable(letter):
                message = letter()
                if message is None:
                    continue
                letter = encoded(message)
            try:
                self._send(letter)
            except (OSError, ValueError):
                self.close()
                return

    def _send(self, body: bytes) -> None:
        with self._sending:
            if self.closing:
                raise OSError("the connection is closed")
            self._connection.send_bytes(body)

    # Receiving

    def receive(self, silence: Optional[float] = None) -> Message:
        """The next message. Raises ``EOFError`` or ``OSError`` where the peer has gone, ``WireError`` for what is no
        message, ``TimeoutError`` after ``silence`` seconds in which this process was awake and nothing came."""
        waited = 0.0
        while not self._connection.poll(0.5):
            waited += 0.5
            if self.closing:
                raise EOFError
            if silence is not None and waited >= silence:
                raise TimeoutError
        return parsed(self._connection.recv_bytes(self._limit))

    # Ending

    def close(self) -> None:
        """From any thread: end it as soon as the receiving thread notices, within half a second."""
        self.closing = True

    def release(self) -> None:
        """By the receiving thread, when it has received the last message."""
        self.closing = True
        with suppress(queue.Full):
            self._outbox.put_nowait(None)
        # A thread may be sending to a peer that does not read; then the handle goes with this object.
        if self._sending.acquire(timeout=1.0):
            try:
                self._connection.close()
            finally:
                self._sending.release()


def encoded(message: Message) -> bytes:
    """A message as bytes; raises ``ValueError`` or ``TypeError`` for what JSON cannot say."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")


def parsed(body: bytes) -> Message:
    """A message from its bytes; raises ``WireError`` for anything but a JSON object of finite numbers."""
    try:
        message = json.loads(body.decode("utf-8"), parse_constant=_refused)
    except (ValueError, RecursionError):
        raise WireError("what came is no JSON text") from None
    if not isinstance(message, dict):
        raise WireError("what came is no JSON object")
    return message


def _refused(word: str) -> NoReturn:
    raise ValueError(word)


class _Patient:
    """A connection whose peer has to answer within some time, as the library's handshake asks for answers."""

    def __init__(self, connection: Any, seconds: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + seconds

    def recv_bytes(self, maxlength: Optional[int] = None) -> bytes:
        if not self._connection.poll(max(self._until - time.monotonic(), 0.0)):
            raise WireError("no answer in time")
        answer: bytes = self._connection.recv_bytes(maxlength)
        return answer

    def send_bytes(self, body: bytes) -> None:
        self._connection.send_bytes(body)


def prove(connection: Any, key: bytes, asks_first: bool, seconds: float = HANDSHAKE_SECONDS) -> None:
    """Each end proves to the other that it knows the key, which is never sent; the engine asks first.

    Raises ``WireError`` where the peer does not know it, or does not answer in time.
    """
    peer: Any = _Patient(connection, seconds)
    steps: list[Callable[[Any, bytes], Any]] = [mp.deliver_challenge, mp.answer_challenge]
    try:
        for step in steps if asks_first else reversed(steps):
            step(peer, key)
    except (multiprocessing.AuthenticationError, EOFError, OSError, ValueError, AssertionError) as error:
        raise WireError(f"the key was not accepted ({type(error).__name__})") from None


def dial(address: Union[str, tuple[str, int]], family: str, key: bytes) -> Any:
    """A connection to the engine at this address; raises ``OSError`` where there is none, ``WireError`` where it does
    not know the key."""
    raw = mp.Client(address, family)
    try:
        prove(raw, key, asks_first=False)
    except BaseException:
        raw.close()
        raise
    return raw
