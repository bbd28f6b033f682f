# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person runs to get going: standard library only, Python 3.9 or later."""
