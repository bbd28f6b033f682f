# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters in scenes: what they keep in the .blend file, how they are added, what is to be seen of them."""
