# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions that a user is meant to see."""

from __future__ import annotations


class KeywarpError(Exception):
    """What went wrong, in one sentence: what, where, and what would be right.

    Command line and hosts show the message as it is, without a traceback; anything else that is
    raised is a defect of keywarp.
    """


def installing(extra: str) -> str:
    """The command that brings one of keywarp's extras, for sentences and shells; it has no home but its folder."""
    return f"pip install '.[{extra}]' in keywarp's folder"


class MissingExtraError(KeywarpError):
    """A job needs one of keywarp's extras, which is not installed; programs that install can add it."""

    def __init__(self, message: str, extra: str) -> None:
        super().__init__(message)
        self.extra = extra
