# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is told when the engine cannot do what was asked. Standard library only, Python 3.9."""

from __future__ import annotations


class EngineError(Exception):
    """What went wrong, in one sentence that a person can be shown as it is."""


class CancelledError(EngineError):
    """The host itself did not want the answer any more."""


class EngineTimeoutError(EngineError):
    """The answer did not come within the time that the host gave it."""


class GoneError(Exception):
    """The engine has ended; inside the client only, which starts another one."""
