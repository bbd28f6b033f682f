# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an installation failed, in one sentence, from what its programs printed. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .environment import Order

_SPACE = r"No space left on device|Errno 28\b|WinError 112\b|Disk quota exceeded|Errno 122\b"
_VIRUS = r"WinError 225\b|WinError 226\b|contains a virus or potentially unwanted software"
_DENIED = r"Permission denied|Access is denied|WinError 5\b|WinError 32\b|Errno 13\b|Operation not permitted"
_CERTIFICATE = r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError"
_PROXY = r"ProxyError|Cannot connect to proxy|407 Proxy Authentication"
_NETWORK = (
    r"Temporary failure in name resolution|Name or service not known|getaddrinfo failed|nodename nor servname"
    r"|NewConnectionError|Failed to establish a new connection|ConnectTimeoutError|ReadTimeoutError"
    r"|Network is unreachable|Connection refused|Connection reset|RemoteDisconnected|IncompleteRead"
    r"|Read timed out|NameResolutionError|ProtocolError"
)
_TOO_LONG = r"Long Path support|WinError 206\b|File name too long|Errno 36\b"
_NO_VENV = r"No module named '?(?:venv|ensurepip|pip)\b|ensurepip is not available"
_NO_MATCH = r"No matching distribution found for ([\w.\-\[\]]+)"
_DRIVER = (
    r"finds no CUDA device|CUDA (?:driver|failure)|cudaGetDeviceCount|libcud\w+\.so|libcublas|cudnn\w*\.dll"
)
_LIBRARY = (
    r"DLL load failed|lib\w[\w.\-]*\.so[.\d]*: cannot open shared object|GLIBC(?:XX)?_[\d.]+' not found"
)


def explain(order: Order, step: str, lines: Sequence[str]) -> str:
    """What went wrong in a step, and what to do; ``lines`` are the output of the programs that it ran.

    The order of the questions matters: a network that is down also makes pip find no version of anything.
    """
    text = "\n".join(lines)
    for pattern, sentence in _answers(order):
        if re.search(pattern, text, re.IGNORECASE):
            return sentence
    missing = re.search(_NO_MATCH, text)
    if missing:
        return _no_match(order, missing[1], "(from versions: none)" in text)
    last = last_meaningful(lines)
    return f"{step} failed: {last}" if last else f"{step} failed without a word; the log may show more"


def _answers(order: Order) -> list[tuple[str, str]]:
    instead = "or " if order.wheels_folder is None else "put pip's own wheel into the folder of wheels, or "
    answers = [
        (_SPACE, f"the disk of {order.root} is full: make room and try again"),
        (
            _VIRUS,
            f"an antivirus program removed a file of the engine: allow {order.root} in it and try again",
        ),
        (
            _TOO_LONG,
            f"paths in {order.root} become too long for Windows: switch on its long paths (LongPathsEnabled in the "
            "registry, or the group policy Enable Win32 long paths) and try again",
        ),
        (
            _NO_VENV,
            f"{order.python} comes without Python's packages venv and ensurepip: install them (Debian and Ubuntu: "
            f"python3-venv), {instead}name another Python",
        ),
        (
            _DENIED,
            f"a file in {order.root} may not be written or is held by another program (an antivirus program, a "
            "second Blender): close that and try again",
        ),
    ]
    if order.wheels_folder is None:
        answers += [
            (
                _CERTIFICATE,
                "the package server's certificate was not accepted: a proxy or antivirus program may replace it, and "
                "pip's setting `cert` can name the right one",
            ),
            (
                _PROXY,
                "the network's proxy did not let pip through: give pip its address (pip config set "
                "global.proxy ...), or name a folder of wheels",
            ),
            (
                _NETWORK,
                "the package server was not reached: look at the network and try again, or name a folder of wheels",
            ),
        ]
    if order.cuda:
        answers.append(
            (
                _DRIVER,
                "NVIDIA's driver is missing or too old for the GPU libraries: update it, or choose the device CPU "
                "and try again",
            )
        )
    answers.append(
        (
            _LIBRARY,
            "a library of the system is missing or too old for the engine; the log names it (on Windows it is "
            "Microsoft's Visual C++ Redistributable)",
        )
    )
    return answers


def _no_match(order: Order, package: str, unknown: bool) -> str:
    if order.wheels_folder is not None:
        return (
            f"{order.wheels_folder} holds no wheel of {package} that suits {order.python} on this system: add it "
            "(pip download on a machine like this one makes a whole folder)"
        )
    if unknown:
        return (
            f"pip finds no package {package} at all: look at the network and at pip's index (pip config list), or "
            "name a folder of wheels"
        )
    return (
        f"there is no package {package} for {order.python} on this system: name another Python (3.11 to 3.14)"
    )


def last_meaningful(lines: Sequence[str]) -> str:
    """The last line that states an error, without pip's prefix; else the last that is not empty."""
    said = [line.strip() for line in lines if line.strip() and not _noise(line)]
    errors = [
        line for line in said if re.match(r"(ERROR|Error|error)\b", line) or re.match(r"\w*Error:", line)
    ]
    chosen = (errors or said or [""])[-1]
    return re.sub(r"^(ERROR|Error|error):\s*", "", chosen)[:300].rstrip(".")


def _noise(line: str) -> bool:
    return bool(re.match(r"\s*(WARNING|DEPRECATION|\[notice\])", line))
