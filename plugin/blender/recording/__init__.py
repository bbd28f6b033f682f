# SPDX-License-Identifier: GPL-3.0-or-later
"""Live input recorded into a character's keys."""
