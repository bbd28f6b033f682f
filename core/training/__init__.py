# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: the data that networks learn from, the one loop, and what their results are worth."""
