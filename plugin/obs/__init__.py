# SPDX-License-Identifier: GPL-3.0-or-later
"""The OBS source *Keywarp Character*: standard library only, Python 3.9, by ctypes on libobs.

``keywarp_obs.py`` is the script that a person adds under Tools > Scripts; OBS loads the other modules through it.
"""
