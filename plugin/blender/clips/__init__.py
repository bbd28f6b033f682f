# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions in, clips out, and the curves between."""
