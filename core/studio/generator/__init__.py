# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that nobody has drawn yet: a bust from a seed, with its morphs, bones and exact annotation.

Everything is drawn as a draughtsman draws it, in the plane of the picture, and laid onto simple solids: the features
of the face as strokes on the head's surface, hair as tapered locks, clothes as a painting on the body.
"""
