# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of 3D characters with their true motion: what networks are trained on and measured against.

A character's file becomes a ``Figure``, plain arrays; names of its morphs are matched to pose channels; poses are
drawn by a rasteriser of its own, since Blender's renderers reach no frame rates without a display.
"""
