# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: ``keywarp COMMAND``."""

from __future__ import annotations

from keywarp.plugin.cli.app import main

__all__ = ["main"]
