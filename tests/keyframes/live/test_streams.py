# SPDX-License-Identifier: GPL-3.0-or-later
"""Every protocol for a minute at 120 frames a second, damaged, and from strangers."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest

from keywarp.keyframes.live.protocols import PROTOCOLS, connect
from keywarp.keyframes.live.settings import LiveSettings
from keywarp.keyframes.spaces import tha45

HERE, PHONE, STRANGER = "127.0.0.1", "192.168.1.7", "192.168.1.8"
RATE, SECONDS = 120, 60
SPACE = tha45.SPACE
each = pytest.mark.parametrize("name", PROTOCOLS)


def tracker(name: str):
    """One that hears the phone, without a socket."""
    source = connect(f"{name}:{PHONE}")
    source._reader.sender = PHONE
    return source


@each
def test_a_minute_at_120_frames_a_second(packets, name: str) -> None:
    frames = [packets.moving(name, i / RATE) for i in range(RATE)]  # one second, over and over
    source = tracker(name)
    count, every = RATE * SECONDS, RATE // 4
    poses = np.empty((count // every, len(SPACE)))
    for i in range(count):
        for packet in frames[i % RATE]:
            source.take(packet, PHONE, i / RATE)
        if i % every == 0:
            pose = source.pose(i / RATE)
            assert pose is not None
            poses[i // every] = pose
    assert source.taken >= count and source.unread == source.foreign == 0
    assert ((poses >= SPACE.minimum) & (poses <= SPACE.maximum)).all()
    # what comes around gives the same again, and it moves
    np.testing.assert_allclose(poses[-4:], poses[4:8], atol=1e-9)
    moved = dict(zip(SPACE.names, np.ptp(poses, axis=0)))
    assert max(v for n, v in moved.items() if n.startswith("mouth")) > 0.1 and moved["eye_wink_left"] > 0.1


@each
def test_damaged_packets_do_no_harm(packets, name: str, full: bool) -> None:
    """Neither an exception, nor a pose beyond the ranges, nor memory that grows."""
    rng = np.random.default_rng(20)
    whole = [packet for i in range(0, RATE, 7) for packet in packets.moving(name, i / RATE)]
    source = tracker(name)
    count = 100_000 if full else 2_000
    for i in range(count):
        packet = whole[i % len(whole)]
        source.take(packets.damaged(packet, rng), PHONE, i / RATE)
        if i % 50 == 40:
            source.calibrate()
            json.dumps(source.calibration.neutral, allow_nan=False)
        if i % 10 == 0:
            pose = source.pose(i / RATE)
            if pose is not None:
                assert ((pose >= SPACE.minimum) & (pose <= SPACE.maximum)).all()
        if i == count // 2:
            size = footprint(source)
    assert source.taken + source.unread == count
    assert footprint(source) <= size + 4096
    for packet in packets.moving(name, 0.25):  # and it understands what is whole afterwards
        source.take(packet, PHONE, 1e6)
    assert source.pose(1e6) is not None


def footprint(source) -> int:
    """Bytes that a tracker holds, by what it can be taken apart into."""
    import pickle

    decoder = source._decoder
    names = {**getattr(decoder, "_staged", {}), **getattr(decoder, "_values", {}), **source._values}
    assert len(source.calibration._recent) <= 64
    return len(pickle.dumps(names))


@each
def test_no_memory_is_kept_of_packets(packets, name: str) -> None:
    rng = np.random.default_rng(21)
    source = tracker(name)
    whole = packets.moving(name, 0.3)
    damaged = [packets.damaged(whole[i % len(whole)], rng) for i in range(250)]
    damaged[::2] = [whole[i % len(whole)] for i in range(125)]

    def run(times: int) -> None:
        for i in range(times):
            source.take(damaged[i % len(damaged)], PHONE, i / RATE)

    tracemalloc.start()
    run(250)  # what is remembered for the neutral face is full
    before = tracemalloc.get_traced_memory()[0]
    run(500)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 100_000


@each
def test_strangers_are_ignored(packets, name: str) -> None:
    source = tracker(name)
    for packet in packets.moving(name, 0.5):
        for stranger in (STRANGER, HERE, "::1", "10.0.0.1"):
            source.take(packet, stranger, 1.0)
    assert source.taken == 0 and source.pose(1.0) is None and source.values == {}
    assert source.foreign == 4 * len(packets.moving(name, 0.5))
    assert source.stranger == "10.0.0.1"


@pytest.mark.parametrize("name", ["vmc", "openseeface"])
def test_without_a_host_only_this_machine_is_heard(packets, name: str) -> None:
    source = connect(name)
    for packet in packets.moving(name, 0.5):
        source.take(packet, STRANGER, 1.0)
    assert source.pose(1.0) is None
    for packet in packets.moving(name, 0.5):
        source.take(packet, HERE, 1.0)
    assert source.pose(1.0) is not None


def monstrous(packets, name: str, size: float) -> list[bytes]:
    """A face that no person has, as a damaged packet can hold it."""
    if name == "vmc":
        shapes = [packets.message("/VMC/Ext/Blend/Val", shape, size) for shape in ("A", "jawOpen")]
        return [packets.bundle([*shapes, packets.message("/VMC/Ext/Blend/Apply")])]
    if name == "vtubestudio":
        turned = {"x": size, "y": -size, "z": size}
        shapes = [{"k": each, "v": size} for each in ("JawOpen", "browInnerUpLeft", "browInnerUpRight")]
        frame = {"FaceFound": True, "Rotation": turned, "BlendShapes": shapes}
        return [json.dumps(frame).encode()]
    if name == "openseeface":
        most = math.copysign(3e38, size)
        return [packets.openseeface(open_eyes=(most, most), features=(most,) * 14)]
    return [f"jawOpen&{size:g}|mouthSmile_L&{size:g}|=head#{size:g},{-size:g},{size:g},0,0,0|".encode()]


@each
@pytest.mark.parametrize("size", [1.7e308, -1.7e308, 2e30])
def test_a_monstrous_face_made_the_neutral_one_is_got_over(packets, name: str, size: float) -> None:
    """What it makes of the neutral face can be sent and kept, and poses go on."""
    source = tracker(name)
    for i in range(40):
        for packet in monstrous(packets, name, min(max(size, -3e38), 3e38) if name == "vmc" else size):
            source.take(packet, PHONE, i / RATE)
    assert source.taken >= 40 and source.calibrate()
    json.dumps(source.calibration.neutral, allow_nan=False)
    LiveSettings.of({"neutral": {name: source.calibration.neutral}})
    assert all(abs(value) <= 360.0 for value in source.values.values())
    for packet in packets.moving(name, 0.25):
        source.take(packet, PHONE, 1.0)
    pose = source.pose(1.0)
    assert pose is not None and ((pose >= SPACE.minimum) & (pose <= SPACE.maximum)).all()
