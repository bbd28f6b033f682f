# SPDX-License-Identifier: GPL-3.0-or-later
"""A face tracker as a live source: packets, the neutral face, the way to tha45."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional

from keywarp.keyframes.channels import Poses
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live.calibration import Calibration
from keywarp.keyframes.live.endpoint import Endpoint
from keywarp.keyframes.live.reading import Mappings, Reach, TrackerProtocol
from keywarp.keyframes.live.source import FAILED, LIVE, LOST, OFF, WAITING, State, clock
from keywarp.keyframes.live.udp import Reader
from keywarp.keyframes.mappings import mapping

#: A tracker that is silent for so long has no pose any more.
LOST_SECONDS = 1.0
#: Silence after which a person is told what to check.
ADVICE_SECONDS = 3.0

Tuning = Mapping[str, Mapping[str, Any]]
"""By pose space: settings of its mapping to tha45 (see ``mappings``)."""


class Tracker:
    """Listens to one sender. ``take`` may be called by hand as well, with packets from anywhere."""

    def __init__(
        self, protocol: TrackerProtocol, endpoint: Optional[Endpoint] = None, tuning: Optional[Tuning] = None
    ) -> None:
        self.protocol = protocol
        endpoint = endpoint or Endpoint(protocol.port)
        if protocol.hello is not None and endpoint.host is None:
            raise KeywarpError(
                f"{protocol.title} sends to whom it is asked by: write the phone's address, as in "
                f"{protocol.name}:192.168.1.7"
            )
        self.calibration = Calibration(protocol.spaces)
        self._reach = Reach(protocol.spaces)
        self._mappings: Mappings = {
            space.name: mapping(space, "tha45").tuned(**(tuning or {}).get(space.name, {}))
            for space in protocol.spaces
        }
        self._reader = Reader(endpoint, self.take, None if protocol.hello is None else self._ask)
        self._lock = threading.Lock()
        self._failure = ""
        self._running = False
        self.on_reading: Callable[[], None] = lambda: None
        """Called after each packet that said something, in the thread that reads."""
        self._clear(clock())

    def _clear(self, now: float) -> None:
        self._decoder = self.protocol.decoder()
        self._values: dict[str, float] = {}
        self._found = False
        self._began = now
        self._asked = self._heard = self._seen = -math.inf
        self._pose: Optional[Poses] = None
        self.taken = 0
        """Packets that said something."""
        self.foreign = 0
        """Packets from addresses that are not heard."""
        self.stranger = ""
        """The last of those addresses."""
        self.unread = 0
        """Packets of the sender that said nothing that is understood."""

    @property
    def bound(self) -> tuple[str, int]:
        """The address and port that it listens on."""
        return self._reader.bound

    def start(self) -> None:
        """Listen; raises ``KeywarpError`` where the port cannot be had or the host is not known."""
        if self._running:
            return
        with self._lock:
            self._clear(clock())
        try:
            self._reader.start()
        except KeywarpError as error:
            self._failure = str(error)
            raise
        self._failure, self._running = "", True

    def stop(self) -> None:
        """Close the port."""
        self._reader.stop()
        self._running = False

    def take(self, packet: bytes, sender: str, now: float) -> None:
        """A packet that came from the address ``sender`` at ``now``; others than the chosen one are ignored."""
        if not self._reader.hears(sender):
            self.foreign += 1
            self.stranger = sender
            return
        with self._lock:
            self._heard = now
            reading = self._decoder.feed(packet)
            if reading is None:
                self.unread += 1
                return
            self.taken += 1
            self._found = reading.found
            if reading.found:
                self._values = {**self._values, **self._reach.held(reading.values)}
                self.calibration.add(self._values, now)
                self._seen, self._pose = now, None
        self.on_reading()

    def calibrate(self) -> bool:
        """Make the face of this moment the neutral one; whether there was a face."""
        with self._lock:
            taken = self.calibration.take()
            self._pose = None
        return taken

    @property
    def values(self) -> dict[str, float]:
        """The newest reading, before the neutral face is taken off."""
        with self._lock:
            return dict(self._values)

    @property
    def channels(self) -> frozenset[str]:
        """The channels that the readings until now speak of."""
        return self.protocol.channels(self.values)

    def pose(self, now: float) -> Optional[Poses]:
        """The newest pose, (45,); ``None`` where no face has been seen for a second."""
        with self._lock:
            if not self._found or now - self._seen > LOST_SECONDS:
                return None
            if self._pose is None:
                self._pose = self.protocol.pose(self.calibration(self._values), self._mappings)
            return self._pose.copy()

    def _ask(self, port: int, now: float) -> Optional[bytes]:
        hello, silent = self.protocol.hello, now - self._heard > LOST_SECONDS
        if hello is None or now - self._asked < self.protocol.hello_seconds:
            return None
        if not (silent or self.protocol.hello_always):
            return None
        self._asked = now
        return hello(port)

    @property
    def state(self) -> State:
        """Where it listens, whether anything comes, and what to check where nothing does."""
        return self.state_at(clock())

    def state_at(self, now: float) -> State:
        """``state`` as it was at a time."""
        failure = self._failure or (self._running and self._reader.failure)
        if failure:
            return State(FAILED, failure)
        if not self._running:
            return State(OFF, f"{self.protocol.title} is off")
        with self._lock:
            heard, seen, found, began = self._heard, self._seen, self._found, self._began
        if found and now - seen <= LOST_SECONDS:
            return State(LIVE, f"{self.protocol.title} {self._where()}")
        phase = LOST if math.isfinite(seen) else WAITING
        if now - heard <= LOST_SECONDS:
            return State(phase, self._faceless())
        message = f"{self.protocol.title} {self._where()}; nothing arrives"
        if now - max(heard, began) > ADVICE_SECONDS:
            message += f": {self.advice()}"
        return State(phase, message)

    def advice(self) -> str:
        """What to check where nothing arrives."""
        address, port = self.bound
        checks = [self.protocol.check]
        if self._reader.exposed:
            checks.append(f"that the firewall lets UDP port {port} of {address} in")
        if self.stranger:
            checks.append(f"who sends: {self.foreign} packets came from {self.stranger}, which is not heard")
        elif not self._reader.exposed and self.protocol.hello is None:
            checks.append(
                f"for a sender on another machine, that it is named, as in {self.protocol.name}:192.168.1.7"
            )
        return f"check {'; '.join(checks)}"

    def _where(self) -> str:
        address, port = self.bound
        place = f"listens on {address} port {port}"
        if self._reader.exposed:
            return f"{place}, open to the network; only {self._reader.sender} is heard"
        return f"{place}, which only this machine reaches"

    def _faceless(self) -> str:
        title = self.protocol.title
        if self.unread and not self.taken:
            return (
                f"{title} {self._where()}; packets arrive that are not {title}'s: check which program sends"
            )
        return f"{title} {self._where()}; packets arrive, but the tracker sees no face"
