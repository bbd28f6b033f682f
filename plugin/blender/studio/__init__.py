# SPDX-License-Identifier: GPL-3.0-or-later
"""What of photographing 3D characters runs inside Blender: reading the files that Blender's importers know."""
