# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that draw: one for each character, so that one that loads does not keep another waiting."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from keywarp.core.engine.casting import Actor, Company, Role, Shot
from keywarp.core.engine.drawing import draw
from keywarp.core.engine.poses import model_pose
from keywarp.core.engine.requests import FrameRequest
from keywarp.core.engine.ring import PIXELS
from keywarp.core.engine.ring_writer import RingWriter
from keywarp.core.render.job import region_box
from keywarp.core.runtime.progress import heard_by, report
from keywarp.keyframes.errors import KeywarpError

log = logging.getLogger(__name__)


class CancelledError(Exception):
    """Whoever asked does not want the answer any more."""


@dataclass(frozen=True)
class Drawn:
    """Where a finished frame lies."""

    ring: str
    slot: int
    number: int
    device: str


class Client(Protocol):
    """Who asks for frames."""

    def ring_for(self, stream: int, size: int, whole: bool) -> RingWriter:
        """The stream's ring, with room for a frame of ``size`` bytes; another one where the one that it has is too
        small, or much too large for a ``whole`` frame."""
        ...


@dataclass(eq=False)
class Job:
    """A frame to draw, and whom to tell."""

    client: Client
    request: FrameRequest
    answer: Callable[[Drawn | Exception], None]
    progress: Callable[[str, float], None]
    latest: bool
    """A newer one of the same stream takes its place."""
    cancelled: threading.Event = field(default_factory=threading.Event)


Lane = tuple[int, int]
"""Whose request it is, and of which stream."""


def is_of(lane: Lane, client: Client, stream: int | None) -> bool:
    """Whether the lane is of this client, and of this stream where one is named."""
    return lane[0] == id(client) and stream in (None, lane[1])


class Worker:
    """Draws one actor's frames, streams in turn; of a stream's ``latest`` requests only the last."""

    def __init__(self, actor: Actor, prepared: Callable[[], None]) -> None:
        """``prepared`` is called when a stage has been added to the actor's."""
        self._actor, self._prepared = actor, prepared
        self._changed = threading.Condition()
        self._exact: OrderedDict[Lane, deque[Job]] = OrderedDict()
        self._latest: OrderedDict[Lane, Job] = OrderedDict()
        self._exact_turn = True
        threading.Thread(target=self._run, name="keywarp-draw", daemon=True).start()

    def add(self, job: Job) -> None:
        lane = (id(job.client), job.request.stream)
        with self._changed:
            if job.latest:
                self._latest[lane] = job
            else:
                self._exact.setdefault(lane, deque()).append(job)
            self._changed.notify()

    def drop(self, client: Client, stream: int | None = None) -> None:
        """Forget what a client, or one of its streams, is waiting for."""
        dropped: list[Job] = []
        with self._changed:
            for lane in [lane for lane in self._exact if is_of(lane, client, stream)]:
                dropped += self._exact.pop(lane)
            for lane in [lane for lane in self._latest if is_of(lane, client, stream)]:
                del self._latest[lane]
        for job in dropped:
            job.answer(CancelledError())

    def _next(self) -> Job:
        """Exact and latest requests in turn, and the streams of each in turn."""
        with self._changed:
            while not self._exact and not self._latest:
                self._changed.wait()
            if self._exact and (self._exact_turn or not self._latest):
                self._exact_turn = False
                lane, jobs = self._exact.popitem(last=False)
                job = jobs.popleft()
                if jobs:
                    self._exact[lane] = jobs
                return job
            self._exact_turn = True
            return self._latest.popitem(last=False)[1]

    def _run(self) -> None:
        while True:
            job = self._next()
            try:
                answer: Drawn | Exception = self._draw(job)
            except Exception as error:
                if not isinstance(error, (KeywarpError, CancelledError)):
                    log.exception("a frame could not be drawn")
                answer = error
            job.answer(answer)

    def _draw(self, job: Job) -> Drawn:
        request, began = job.request, time.perf_counter_ns()

        def listen(what: str, share: float) -> None:
            if job.cancelled.is_set():
                raise CancelledError
            job.progress(what, share)

        with heard_by(listen):
            if job.cancelled.is_set():
                raise CancelledError
            fresh = not self._actor.ready(request.shot)
            stage = self._actor.stage(request.shot)
            pose = model_pose(request.pose, request.space, stage.model.space, stage.character.resting)
            box = region_box(stage, request.crop)
            width, height = box[2] - box[0], box[3] - box[1]
            size = width * height * PIXELS[request.pixels][1]
            ring = job.client.ring_for(request.stream, size, request.crop is None)
            if fresh:
                self._prepared()
                report("first frame", 0.0)
            slot = ring.choose({index for name, index in request.held if name == ring.path.name})
            memory = ring.begin(slot, size)
            try:
                draw(stage, pose, request.crop, request.pixels, request.flip, request.background, memory)
            except BaseException:
                ring.abandon(slot)
                raise
            if job.cancelled.is_set():
                ring.abandon(slot)
                raise CancelledError
            digest = hashlib.blake2b(pose.tobytes(), digest_size=8).digest()
            pose_hash = int.from_bytes(digest, "little")
            took = time.perf_counter_ns() - began
            ring.publish(slot, request.number, width, height, request.pixels, pose_hash, took)
            return Drawn(str(ring.path), slot, request.number, stage.device)


class Workers:
    """A worker for each role, made when it is first needed."""

    def __init__(self) -> None:
        self.company = Company()
        self._changing = threading.Lock()
        self._workers: dict[Role, Worker] = {}
        self._engaged: dict[Lane, tuple[Role, Shot]] = {}

    def add(self, job: Job) -> None:
        """Have the frame drawn."""
        request = job.request
        with self._changing:
            self._engaged[id(job.client), request.stream] = (request.role, request.shot)
            if request.role not in self._workers:
                self._workers[request.role] = Worker(self.company.actor(request.role), self._trim)
            worker = self._workers[request.role]
        worker.add(job)

    def _trim(self) -> None:
        with self._changing:
            engaged = set(self._engaged.values())
        self.company.trim(engaged)

    def drop(self, client: Client, stream: int | None = None) -> None:
        """Forget a client, or one of its streams."""
        with self._changing:
            workers = list(self._workers.values())
            for lane in [lane for lane in self._engaged if is_of(lane, client, stream)]:
                del self._engaged[lane]
        for worker in workers:
            worker.drop(client, stream)
