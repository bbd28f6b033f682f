# SPDX-License-Identifier: GPL-3.0-or-later
"""Real sockets: what is listened on, who is heard, how phones are asked."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.live import port as ports
from keywarp.keyframes.live import udp
from keywarp.keyframes.live.endpoint import Endpoint, facing, is_loopback, parse
from keywarp.keyframes.live.protocols import PROTOCOLS, connect
from keywarp.keyframes.live.tracker import Tracker

#: A second and a third machine, as far as addresses go; Linux has the whole of 127.0.0.0/8.
PHONE, STRANGER = "127.0.0.2", "127.0.0.3"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have only one loopback address")


#: Nothing here takes so long, unless the machine is busy with something else.
PATIENCE = 60.0


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> list[str]:
    """The addresses on which a UDP port is open on this machine, as the kernel lists them."""
    found = []
    for row in Path("/proc/net/udp").read_text().splitlines()[1:]:
        address, number = row.split()[1].split(":")
        if int(number, 16) == port:
            found.append(socket.inet_ntoa(bytes.fromhex(address)[::-1]))
    return found


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("", Endpoint(39539)),
        ("11573", Endpoint(11573)),
        ("192.168.1.7", Endpoint(39539, "192.168.1.7")),
        ("192.168.1.7:5000", Endpoint(5000, "192.168.1.7")),
        ("phone.local", Endpoint(39539, "phone.local")),
        ("4k.local", Endpoint(39539, "4k.local")),
        ("fe80::1", Endpoint(39539, "fe80::1")),
        ("[fe80::1]", Endpoint(39539, "fe80::1")),
        ("[fe80::1]:5000", Endpoint(5000, "fe80::1")),
    ],
)
def test_addresses_as_people_write_them(text: str, endpoint: Endpoint) -> None:
    assert parse(text, 39539) == endpoint


@pytest.mark.parametrize(
    "text", ["0", "65536", "123456", "a b", "host:", "host:x", ":5", "host/x", "1.2.3.4:0"]
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(KeywarpError):
        parse(text, 1)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("0.0.0.0", "nobody sends from"),
        ("0.0.0.0:39539", "nobody sends from"),
        ("255.255.255.255", "nobody sends from"),
        ("239.1.2.3", "nobody sends from"),
        ("[::]", "nobody sends from"),
        ("[ff02::1%eth0]:39539", "nobody sends from"),
        ("192.168.1", "four numbers"),
        ("192.168.1.300", "four numbers"),
        ("192.168.01.7:5000", "four numbers"),
        ("0x7f000001", "four numbers"),
        ("1:39539", "four numbers"),
    ],
)
def test_addresses_from_which_nobody_can_be_heard(text: str, word: str) -> None:
    with pytest.raises(KeywarpError, match=word) as told:
        connect(f"vmc:{text}")
    assert "192.168.1.7" in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["vnc", "", "ifacialmocap", "facemotion3d:49993", "vtubestudio"])
def test_trackers_that_cannot_be(text: str) -> None:
    with pytest.raises(KeywarpError) as caught:
        connect(text)
    assert "\n" not in str(caught.value)


@on_linux
def test_nothing_but_loopback_is_listened_on(closing) -> None:
    source = closing(Tracker(PROTOCOLS["vmc"], Endpoint(free_port())))
    source.start()
    address, port = source.bound
    assert listening(port) == ["127.0.0.1"] == [address]
    assert "only this machine" in source.state.message
    source.stop()
    assert listening(port) == []


@on_linux
def test_a_named_sender_opens_only_the_interface_that_faces_it(closing) -> None:
    outside = "192.0.2.7"  # a documentation address: nothing is sent to it
    try:
        local = facing(outside, 9)
    except KeywarpError:
        pytest.skip("this machine has no network")
    if is_loopback(local):
        pytest.skip("this machine has no network")
    source = closing(Tracker(PROTOCOLS["vmc"], Endpoint(free_port(), outside)))
    source.start()
    assert listening(source.bound[1]) == [local]
    assert "open to the network" in source.state.message and outside in source.state.message


@on_linux
def test_packets_arrive_and_those_of_others_do_not(packets, closing, unhurried) -> None:
    source = closing(Tracker(PROTOCOLS["openseeface"], Endpoint(free_port(), PHONE)))
    source.start()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        phone.bind((PHONE, 0))
        stranger.bind((STRANGER, 0))
        stranger.sendto(packets.openseeface(), source.bound)
        assert until(lambda: source.foreign == 1)
        assert source.taken == 0 and STRANGER in source.advice()
        phone.sendto(packets.openseeface(), source.bound)
        assert until(lambda: source.taken == 1)
        assert source.state.phase == "live" and source.pose(time.monotonic()) is not None


@on_linux
@pytest.mark.parametrize("name", ["ifacialmocap", "facemotion3d", "vtubestudio"])
def test_phones_are_asked_and_answer(packets, closing, name: str) -> None:
    port = free_port(PHONE)
    asked: list[tuple[bytes, tuple[str, int]]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((PHONE, port))
        phone.settimeout(PATIENCE)

        def answer() -> None:
            asked.append(phone.recvfrom(4096))
            back = asked[0][1]
            if name == "vtubestudio":
                back = (back[0], json.loads(asked[0][0])["ports"][0])
            phone.sendto(getattr(packets, name)({"jawOpen": 0.4}), back)

        helper = threading.Thread(target=answer)
        helper.start()
        source = closing(connect(f"{name}:{PHONE}:{port}"))
        source.start()
        helper.join(PATIENCE)
        assert until(lambda: source.taken == 1)
    if name != "vtubestudio":  # those apps answer to their own port, whatever the asker's
        assert asked[0][1][1] == port
    assert source.values["jawOpen"] == pytest.approx(0.4)


@on_linux
@pytest.mark.parametrize("name", ["ifacialmocap", "vmc"])
def test_two_senders_share_a_port(packets, closing, unhurried, name: str) -> None:
    """As two phones with the same app must, on the interface that faces both."""
    senders, port = (PHONE, "127.0.0.4"), free_port()
    sources = [closing(connect(f"{name}:{address}:{port}")) for address in senders]
    for source in sources:
        source.start()
    (bound,) = {source.bound for source in sources}
    turns = []
    for address, share in zip(senders, (0.25, 0.75)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind((address, 0))
            for packet in (
                packets.vmc({"A": share}) if name == "vmc" else [packets.ifacialmocap({"jawOpen": share})]
            ):
                phone.sendto(packet, bound)
        turns.append(share)
    assert until(lambda: all(source.taken for source in sources))
    key = "aa" if name == "vmc" else "jawOpen"
    assert [source.values[key] for source in sources] == pytest.approx(turns)
    assert [source.foreign for source in sources] == [0, 0], "neither is a stranger to the other"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((STRANGER, 0))
        stranger.sendto(b"hello", bound)
        assert until(lambda: all(source.stranger == STRANGER for source in sources))
        sources[0].stop()
        assert listening(port) == [bound[0]], "the other one goes on"
        sources[1].stop()
        assert listening(port) == []


def test_one_machine_by_its_address_and_without(packets, closing, unhurried) -> None:
    port = free_port()
    sources = [closing(connect(f"openseeface:{words}")) for words in (f"{port}", f"127.0.0.1:{port}")]
    for source in sources:
        source.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.sendto(packets.openseeface(), ("127.0.0.1", port))
        assert until(lambda: [source.taken for source in sources] == [1, 1])


@on_linux
def test_an_interface_with_another_address_is_found_again(
    packets, closing, monkeypatch: pytest.MonkeyPatch, unhurried
) -> None:
    monkeypatch.setattr(udp, "SILENT_SECONDS", 0.05)
    address = "127.0.0.5"
    monkeypatch.setattr(udp, "facing", lambda sender, port: address)
    port = free_port()
    source = closing(Tracker(PROTOCOLS["openseeface"], Endpoint(port, PHONE)))
    source.start()
    assert listening(port) == ["127.0.0.5"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.6", port))
        address = "127.0.0.6"
        assert until(lambda: source.state.phase == "failed") and "is taken" in source.state.message
    assert until(lambda: source.bound == ("127.0.0.6", port)) and until(
        lambda: source.state.phase == "waiting"
    )
    assert listening(port) == ["127.0.0.6"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((PHONE, 0))
        phone.sendto(packets.openseeface(), source.bound)
        assert until(lambda: source.taken == 1)
    source.stop()
    assert listening(port) == []


def test_a_socket_that_fails_is_renewed(packets, closing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_AGAIN", 0.02)
    source = closing(Tracker(PROTOCOLS["openseeface"], Endpoint(free_port())))
    source.start()
    source._reader._port._socket.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:

        def arrives() -> bool:
            sender.sendto(packets.openseeface(), source.bound)
            return source.taken > 0

        assert until(arrives)


def test_a_port_that_is_taken_is_said_so(closing) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        source = closing(Tracker(PROTOCOLS["vmc"], Endpoint(other.getsockname()[1])))
        with pytest.raises(KeywarpError, match=r"is taken.*may be keywarp itself"):
            source.start()
        assert source.state.phase == "failed" and "is taken" in source.state.message
    source.start()
    assert source.state.phase == "waiting"


def test_it_can_be_stopped_and_started_again(packets, closing) -> None:
    source = closing(Tracker(PROTOCOLS["openseeface"], Endpoint(free_port())))
    for _ in range(3):
        source.start()
        source.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(packets.openseeface(), source.bound)
        assert until(lambda: source.taken == 1)
        source.stop()
        source.stop()
        assert source.state.phase == "off"
    assert until(lambda: "keywarp tracker" not in [thread.name for thread in threading.enumerate()])


def test_after_three_silent_seconds_it_says_what_to_check() -> None:
    source = Tracker(PROTOCOLS["vmc"], Endpoint(free_port()))
    before = time.monotonic()
    source.start()
    try:
        assert "check" not in source.state_at(before + 2.9).message
        message = source.state_at(time.monotonic() + 3.1).message
        assert "check" in message and str(source.bound[1]) in message and "another machine" in message
    finally:
        source.stop()


def test_it_says_when_packets_are_not_its_own_and_when_the_face_is_lost(packets, closing, unhurried) -> None:
    source = closing(Tracker(PROTOCOLS["openseeface"], Endpoint(free_port())))
    source.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"something else", source.bound)
        assert until(lambda: source.unread == 1)
        assert source.state.phase == "waiting" and "not OpenSeeFace's" in source.state.message
        sender.sendto(packets.openseeface(), source.bound)
        assert until(lambda: source.taken == 1)
        sender.sendto(packets.openseeface(success=0), source.bound)
        assert until(lambda: source.taken == 2)
        assert source.state.phase == "lost" and "no face" in source.state.message
    assert source.state_at(time.monotonic() + 1000.0).phase == "lost"


def test_an_unknown_host_is_one_sentence() -> None:
    source = connect("vmc:no-such-host.invalid")
    with pytest.raises(KeywarpError, match="no host called"):
        source.start()
