# SPDX-License-Identifier: GPL-3.0-or-later
"""Blinking, breathing and swaying: its settings, and its baking to keys."""
