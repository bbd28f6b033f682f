# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready-made expressions, one's own, and pose assets."""
