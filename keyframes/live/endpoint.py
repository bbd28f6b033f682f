# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a tracker listens and to whom, as a person writes it: ``vmc``, ``vmc:39539``, ``vmc:192.168.1.7:39539``."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Optional

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.keys import shown

LOOPBACK = "127.0.0.1"
_MAX_PORT = 65_535
#: What the system takes for an IPv4 address: one to four numbers, decimal, octal or hexadecimal.
_NUMBERS = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+))*\.?")


@dataclass(frozen=True)
class Endpoint:
    """``host`` is who sends: only its packets are taken. ``None``: programs on this machine."""

    port: int
    host: Optional[str] = None


def parse(text: str, port: int) -> Endpoint:
    """``PORT``, ``HOST``, ``HOST:PORT`` or nothing; IPv6 addresses with a port stand in brackets.

    ``port``: where none is written. Raises ``KeywarpError`` for a port or a host that cannot be one, or cannot send.
    """
    text = text.strip()
    if not text:
        return Endpoint(port)
    if text.isdecimal():
        return Endpoint(_port(text))
    host, mark, number = text.rpartition(":")
    if not mark or text.endswith("]") or (":" in host and not host.startswith("[")):  # no port
        host, number = text, ""
    host = host.strip("[]")
    if not host or text.endswith(":") or any(letter.isspace() or letter in "/[]" for letter in host):
        raise KeywarpError(
            f"{shown(text)} is no address; write a port, a host, or both as in 192.168.1.7:39539"
        )
    _check_host(host)
    return Endpoint(_port(number) if number else port, host)


def _check_host(host: str) -> None:
    """Raises ``KeywarpError`` for numbers that are no whole address, and for an address from which nobody sends."""
    address = host.partition("%")[0]
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        if _NUMBERS.fullmatch(address):  # of which the system would make an address that nobody meant
            raise KeywarpError(
                f"{shown(host)} is no whole address: that is four numbers from 0 to 255, as in 192.168.1.7"
            ) from None
        return
    if found.is_unspecified or found.is_multicast or (found.version == 4 and found.is_reserved):
        raise KeywarpError(
            f"nobody sends from {shown(host)}: write the address of the machine or the phone that sends, as in "
            "192.168.1.7, or none where it is this machine"
        )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= _MAX_PORT):
        raise KeywarpError(f"{shown(text)} is no port: those are from 1 to {_MAX_PORT}")
    return int(text)


def resolved(host: str, port: int) -> str:
    """The first address of a host; raises ``KeywarpError`` where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        raise KeywarpError(f"there is no host called {shown(host)} in reach; write its address") from None
    address = str(found[0][4][0])
    _check_host(address)
    return address


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def facing(address: str, port: int) -> str:
    """This machine's own address on the way to ``address``; nothing is sent.

    Raises ``KeywarpError`` where there is no way.
    """
    with socket.socket(family(address), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, port))
        except OSError as error:
            raise KeywarpError(f"no network leads to {address}: {error.strerror or error}") from None
        return str(probe.getsockname()[0])


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
