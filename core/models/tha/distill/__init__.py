# SPDX-License-Identifier: GPL-3.0-or-later
"""Students by distillation (papers: Talking Head Anime 4, section 4.2): one character, learnt from a teacher that
animates it."""
