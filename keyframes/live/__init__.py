# SPDX-License-Identifier: GPL-3.0-or-later
"""Live poses: face trackers, the mouse, looping clips and idle motion, layered into one pose.

Runs in the engine, not in hosts. ``protocols.connect("vmc:39539")`` gives a tracker; ``mixer.Mixer`` layers
sources; each is a ``source.LiveSource``.
"""
