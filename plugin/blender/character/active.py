# SPDX-License-Identifier: GPL-3.0-or-later
"""On which character an operator acts: the active one, where it may be changed."""

from __future__ import annotations

from typing import Any, Optional

import bpy

from .properties import has_face, is_character


def active_character(context: Any) -> Optional[bpy.types.Object]:
    """The active object, where it is a character."""
    thing = getattr(context, "object", None)  # an asset shelf asks before its context has one
    return thing if is_character(thing) else None


def scene_fps(scene: bpy.types.Scene) -> float:
    """Frames a second of a scene, which may be a fraction such as 24000/1001."""
    return float(scene.render.fps) / float(scene.render.fps_base)


class CharacterOperator:
    """Base of operators that act on the active character."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        if active_character(context) is None:
            cls.poll_message_set("Select a Keywarp character first")
            return False
        return True


class EditingOperator(CharacterOperator):
    """Base of operators that change the active character; linked ones cannot be changed."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if not active_character(context).is_editable:
            cls.poll_message_set(
                "The character is linked from another file: make a library override to change it"
            )
            return False
        return True


class FaceOperator(CharacterOperator):
    """Base of operators on the channels of face, head and body; mixed in before ``EditingOperator`` where that is
    meant too."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if not has_face(active_character(context)):
            cls.poll_message_set("The character follows a driving video, which moves its face and body")
            return False
        return True
