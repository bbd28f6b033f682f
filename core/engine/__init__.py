# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: the network in a process of its own, and the thin client by which hosts reach it."""

HOST_HALF = ("client", "failure", "followed", "launch", "reach", "ring", "stream", "wire")
"""The modules that hosts load, as part of keywarp or copied as plain files: standard library only, Python 3.9."""
