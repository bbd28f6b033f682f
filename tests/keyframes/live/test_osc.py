# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC 1.0 datagrams, after the examples and rules of its specification."""

from __future__ import annotations

import struct

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from keywarp.keyframes.live.osc import messages


def test_the_examples_of_the_specification() -> None:
    """OSC 1.0, "OSC Message Examples"."""
    first = bytes.fromhex("2f6f7363696c6c61746f722f342f6672657175656e637900 2c6600 00 43dc0000")
    assert list(messages(first)) == [("/oscillator/4/frequency", [440.0])]
    second = bytes.fromhex(
        "2f666f6f00000000 2c69697366660000 000003e8 ffffffff 68656c6c6f000000 3f9df3b6 40b5b22d"
    )
    ((address, arguments),) = messages(second)
    assert address == "/foo"
    assert arguments[:3] == [1000, -1, "hello"]
    assert arguments[3:] == pytest.approx([1.234, 5.678])


def test_what_python_osc_writes_is_read() -> None:
    """Every type that the package knows, in bundles within bundles."""
    given = [
        ("i", -7),
        ("h", 1 << 40),
        ("f", 0.25),
        ("d", 0.1),
        ("s", "Blink_L"),
        ("s", "four"),
        ("b", b"\1\2\3"),
    ]
    given += [("T", True), ("F", False), ("N", None), ("m", (1, 2, 3, 4)), ("s", "\u53e3")]
    outer = OscBundleBuilder(IMMEDIATELY)
    expected = []
    for count in range(len(given)):
        message, inner = OscMessageBuilder(f"/VMC/{count}"), OscBundleBuilder(IMMEDIATELY)
        for kind, value in given[count:]:
            message.add_arg(value, kind)
        inner.add_content(message.build())
        outer.add_content(inner.build() if count % 2 else message.build())
        values = [bytes(value) if kind == "m" else value for kind, value in given[count:]]
        expected.append((f"/VMC/{count}", values))
    assert [(each.address, each.arguments) for each in messages(outer.build().dgram)] == expected


def test_python_osc_reads_the_same_in_a_trackers_frame(packets) -> None:
    face, bones = packets.face({"jawOpen": 0.5}), [packets.bone("Head", (0, 1, 0), 9.0)] * 40
    for bundle in packets.vmc(face, bones, 12.5):
        theirs = [(each.message.address, each.message.params) for each in OscPacket(bundle).messages]
        assert [(each.address, each.arguments) for each in messages(bundle)] == theirs


def test_bundles_in_bundles_keep_their_order(packets) -> None:
    inner = packets.bundle([packets.message("/b", 2), packets.message("/c", 3)])
    outer = packets.bundle([packets.message("/a", 1), inner, packets.message("/d", "x", 4)])
    assert list(messages(outer)) == [("/a", [1]), ("/b", [2]), ("/c", [3]), ("/d", ["x", 4])]


def test_every_type_of_the_specification_takes_its_room() -> None:
    data = b"/x\0\0,hdtcrmTFNI[i]b\0" + struct.pack(">qdQ", -5, 0.25, 7) + b"abcd" * 3
    data += struct.pack(">i", 9) + struct.pack(">i", 3) + b"xyz\0"
    ((_, arguments),) = messages(data)
    assert arguments == [-5, 0.25, 7, b"abcd", b"abcd", b"abcd", True, False, None, None, 9, b"xyz"]


def test_what_comes_before_damage_counts(packets) -> None:
    whole = packets.bundle([packets.message("/a", 1), packets.message("/b", 2)])
    assert list(messages(whole[:-2])) == [("/a", [1])]
    assert list(messages(packets.message("/a", "x", 2.0)[:-1])) == [("/a", ["x"])]


@pytest.mark.parametrize(
    "data", [b"", b"/", b"#bundle\0", b"#bundle\0" * 5, b"\0" * 64, b"/a\0\0,i\0\0\0", b"x" * 100]
)
def test_no_packet_is_too_strange(data: bytes) -> None:
    assert all(arguments == [] for _, arguments in messages(data))


def test_deep_nesting_ends(packets) -> None:
    data = packets.message("/a", 1)
    for _ in range(3000):
        data = packets.bundle([data])
    assert list(messages(data)) == []
