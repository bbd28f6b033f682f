# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences, and what they install: the engine's environment, models."""
