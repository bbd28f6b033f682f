# SPDX-License-Identifier: GPL-3.0-or-later
"""Training Talking Head Anime's five networks, each by its own target."""
