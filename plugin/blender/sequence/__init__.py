# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames straight to files, and live images that stand still as such files."""
