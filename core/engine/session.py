# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's connection, as the engine sees it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from keywarp.core.engine import wire
from keywarp.core.engine.ring_writer import RingWriter
from keywarp.keyframes.errors import KeywarpError

if TYPE_CHECKING:
    from keywarp.core.engine.following import Following
    from keywarp.core.engine.server import Server
    from keywarp.core.engine.worker import Drawn, Job

log = logging.getLogger(__name__)

DEFECT = "the engine has a defect, please report it with its log"


class Session:
    """Serves one host until it goes, in threads of its own: one receives, one sends."""

    def __init__(self, server: Server, connection: Any) -> None:
        self._server, self._connection = server, connection
        self._changing = threading.Lock()
        self._rings: dict[int, RingWriter] = {}
        self._jobs: dict[int, Job] = {}
        self._followings: dict[int, Following] = {}
        self._gone = False
        self._link = wire.Link(connection, wire.MAX_REQUEST)
        threading.Thread(target=self._serve, name="keywarp-session", daemon=True).start()

    # Receiving

    def _serve(self) -> None:
        greeted = False
        try:
            wire.prove(self._connection, self._server.key, asks_first=True)
            self._greet(self._link.receive(wire.HANDSHAKE_SECONDS))
            greeted = True
            self._server.joined(self)
            self._link.start_posting()
            while True:
                message = self._link.receive()
                if message.get("do") == "bye":
                    break
                self._handle(message)
        except wire.WireError as error:
            log.warning("a host was turned away: %s", error)
        except (EOFError, OSError, TimeoutError):
            pass
        except Exception:
            log.exception("a host's connection failed")
        finally:
            self._end()
            if greeted:
                self._server.left(self)

    def _greet(self, message: wire.Message) -> None:
        protocol = message.get("protocol")
        if message.get("do") != "hello" or protocol != wire.PROTOCOL:
            sentence = (
                f"this host speaks version {str(protocol)[:20]} of keywarp's protocol and the engine (keywarp "
                f"{self._server.version}) version {wire.PROTOCOL}: install the same keywarp for both"
            )
            self._link.send({"error": sentence})
            raise wire.WireError(sentence)
        self._link.send(self._server.welcome())

    def _handle(self, message: wire.Message) -> None:
        do, number = message.get("do"), message.get("id")
        identity = number if type(number) is int else None
        try:
            if do in ("exact", "latest"):
                self._ask_for_frame(message, identity, do == "latest")
            elif do == "ask" and identity is not None:
                self._server.answers.begin(self, identity, message)
            elif do == "cancel" and identity is not None:
                self._cancel(identity)
            elif do == "close":
                self._close_stream(message.get("stream"))
            elif do == "follow":
                self._follow(message)
            elif do in ("calibrate", "hold", "point"):
                self._tell_following(str(do), message)
            else:
                raise KeywarpError(f"a host has asked for {str(do)[:40]!r}, which this engine does not know")
        except KeywarpError as error:
            self._refuse(message, identity, str(error))
        except Exception as error:
            log.exception("a request failed")
            self._refuse(message, identity, f"{DEFECT} ({type(error).__name__})")

    def _refuse(self, message: wire.Message, identity: int | None, sentence: str) -> None:
        if identity is not None:
            self.send({"id": identity, "error": sentence, "kind": "input"})
        elif message.get("do") in ("latest", "follow") and type(message.get("stream")) is int:
            number = message.get("number")
            failed = {"event": "failed", "stream": message["stream"], "error": sentence}
            self.send({**failed, "number": number if type(number) is int else 0})
        else:
            log.warning("a host's message was ignored: %s", sentence)

    # Frames

    def _ask_for_frame(self, message: wire.Message, identity: int | None, latest: bool) -> None:
        workers = self._server.workers  # waits until what is imported next is there
        from keywarp.core.engine.requests import FrameRequest
        from keywarp.core.engine.worker import Job

        if not latest and identity is None:
            raise KeywarpError("a host has asked for an exact frame without giving the request a number")
        request = FrameRequest.of(message)
        job = Job(self, request, lambda drawn: None, lambda what, share: None, latest)
        job.answer = lambda drawn: self._drawn(job, identity, drawn)
        job.progress = lambda what, share: self._progress(request.stream, identity, what, share)
        if identity is not None:
            with self._changing:
                self._jobs[identity] = job
        workers.add(job)

    def _progress(self, stream: int, identity: int | None, what: str, share: float) -> None:
        if identity is not None:
            self.send({"id": identity, "progress": [what, round(share, 3)]})
        else:
            self.send({"event": "progress", "stream": stream, "what": what, "share": round(share, 3)})

    def _drawn(self, job: Job, identity: int | None, drawn: Drawn | Exception) -> None:
        request = job.request
        if identity is not None:
            with self._changing:
                self._jobs.pop(identity, None)
        if isinstance(drawn, Exception):
            sentence, kind = failure_of(drawn)
            failed = {"error": sentence, "kind": kind}
            if identity is not None:
                self.send({"id": identity, **failed})
            else:
                self.send({"event": "failed", "stream": request.stream, "number": request.number, **failed})
            return
        found = {"ring": drawn.ring, "slot": drawn.slot, "number": drawn.number, "device": drawn.device}
        if identity is not None:
            self.send({"id": identity, "done": found})
        else:
            self.send({"event": "frame", "stream": request.stream, **found})

    def ring_for(self, stream: int, size: int, whole: bool) -> RingWriter:
        """See ``worker.Client``; for the drawing threads."""
        from keywarp.core.engine.worker import CancelledError

        with self._changing:
            ring = self._rings.get(stream)
            if self._gone:
                raise CancelledError
        if ring is not None and size <= ring.capacity and (ring.capacity <= 4 * size or not whole):
            return ring
        fresh = self._server.storage.ring(size)
        with self._changing:
            self._rings[stream] = fresh
            gone = self._gone
        for old in (ring, fresh if gone else None):
            if old is not None:
                self._server.storage.remove(old)
        return fresh

    def _cancel(self, identity: int) -> None:
        with self._changing:
            job = self._jobs.get(identity)
        if job is not None:
            job.cancelled.set()

    def _close_stream(self, stream: object) -> None:
        if type(stream) is not int:
            return
        self._stop_following(stream)
        self._server.workers.drop(self, stream)
        with self._changing:
            ring = self._rings.pop(stream, None)
        if ring is not None:
            self._server.storage.remove(ring)

    # Following

    def _follow(self, message: wire.Message) -> None:
        workers, sources = self._server.workers, self._server.sources
        from keywarp.core.engine.following import Following, FollowRequest
        from keywarp.core.engine.requests import integer

        stream = integer(message, "stream")
        if message.get("live") is None:
            self._stop_following(stream)
            return
        try:
            request = FollowRequest.of(message)
        except KeywarpError:
            self._stop_following(stream)
            raise
        following = self._followings.get(stream)
        if following is None:
            self._followings[stream] = Following(request, self, workers, sources, self.send, failure_of)
        else:
            following.change(request)

    def _stop_following(self, stream: int) -> None:
        following = self._followings.pop(stream, None)
        if following is not None:
            following.stop()

    def _tell_following(self, do: str, message: wire.Message) -> None:
        """What a host says to a stream that follows; a stream that does not takes no notice."""
        from keywarp.core.engine.requests import integer

        following = self._followings.get(integer(message, "stream"))
        if following is not None:
            following.tell(do, message)

    # Sending

    def send(self, message: wire.Message) -> None:
        """From any thread, without waiting."""
        self._link.post(message)

    def beat(self) -> None:
        """A sign of life, unless something waits to be sent that is one too."""
        if self._link.idle:
            self.send({"event": "beat", "time": time.time()})

    def _end(self) -> None:
        with self._changing:
            self._gone = True
            jobs, rings = list(self._jobs.values()), list(self._rings.values())
            self._rings.clear()
        for job in jobs:
            job.cancelled.set()
        for stream in list(self._followings):
            self._stop_following(stream)
        self._link.release()
        self._server.forget(self)
        for ring in rings:
            self._server.storage.remove(ring)


def failure_of(error: Exception) -> tuple[str, str]:
    """What a host is told of a failure: a sentence, and whose fault it is (``input``, ``cancelled``, ``defect``)."""
    from keywarp.core.engine.worker import CancelledError

    if isinstance(error, KeywarpError):
        return str(error), "input"
    if isinstance(error, CancelledError):
        return "it was cancelled", "cancelled"
    if isinstance(error, MemoryError) or "Insufficient memory" in str(error):  # OpenCV's own
        return "the memory does not suffice; a smaller frame takes less", "input"
    return f"{DEFECT} ({type(error).__name__}: {str(error)[:200]})", "defect"
