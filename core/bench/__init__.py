# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed and memory, measured as ratios within one run."""
