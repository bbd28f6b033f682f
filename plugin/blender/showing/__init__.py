# SPDX-License-Identifier: GPL-3.0-or-later
"""The live image: what the interface, renders and playback show of it."""
