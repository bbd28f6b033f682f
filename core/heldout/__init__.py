# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench of truth: what networks are worth on characters that they have never seen, from 3D ground truth."""
