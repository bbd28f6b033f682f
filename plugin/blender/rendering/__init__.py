# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine Keywarp, scenes in which characters are rendered, and where else they are shown."""
