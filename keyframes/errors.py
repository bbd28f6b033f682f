# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that a user is meant to see."""

from __future__ import annotations


class KeywarpError(Exception):
    """What went wrong, in one sentence: what, where, and what would be right.

    Command line and hosts show the message as it is, without a traceback; anything else that is
    raised is a defect of keywarp.
    """
