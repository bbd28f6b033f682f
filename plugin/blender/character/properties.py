# SPDX-License-Identifier: GPL-3.0-or-later
"""What a character keeps in the .blend file: ``Object.keywarp`` with one animatable number for each channel.

The groups of channels are generated from pose spaces: ``tha45``, by which every model is posed that has a face, and
``driving``, for models that follow a video. A channel is one row there and nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import bpy

from keywarp.keyframes.channels import Channel, PoseSpace
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.pose_text import parse_pose, pose_text
from keywarp.keyframes.spaces import driving, tha45

from .. import compat
from ..idle.properties import KEYWARP_PG_idle
from ..options import OVERRIDABLE, pixels, tag
from .labels import label

#: Every channel that an object has, by name, whatever model it has just now.
CHANNELS: Mapping[str, Channel] = {
    channel.name: channel for space in (tha45.SPACE, driving.SPACE) for channel in space.channels
}


def iter_channels() -> Iterator[Channel]:
    """The channels that every object has, in the order of their spaces."""
    yield from CHANNELS.values()


def space_of(thing: bpy.types.Object) -> PoseSpace:
    """The pose space whose channels move this character, as its model wants them.

    An evaluated copy may not have heard of another model yet.
    """
    return driving.SPACE if thing.original.keywarp.space == driving.SPACE.name else tha45.SPACE


def has_face(thing: bpy.types.Object) -> bool:
    """Whether face, head and body are posed by channels, rather than by a driving video."""
    return space_of(thing) is tha45.SPACE


def group_attribute(group: str) -> str:
    """``Brows`` -> ``brows``: under which name a group stands in ``Object.keywarp.pose``."""
    return group.lower()


def groups() -> tuple[str, ...]:
    """``Brows``, ``Eyes`` ...: the groups in the order in which panels show them."""
    return tuple(dict.fromkeys(channel.group for channel in CHANNELS.values()))


def face_groups() -> tuple[str, ...]:
    """The groups of characters that have a face: all but that of driving videos."""
    return tuple(dict.fromkeys(channel.group for channel in tha45.SPACE.channels))


def channel_path(name: str) -> str:
    """The data path, from the object, of the property of a channel: ``keywarp.pose.head.head_x``."""
    return f"keywarp.pose.{group_attribute(CHANNELS[name].group)}.{name}"


def channel_group(thing: bpy.types.Object, name: str) -> Any:
    """The property group that holds a channel: for ``layout.prop``, ``keyframe_insert`` and ``setattr``."""
    return getattr(thing.keywarp.pose, group_attribute(CHANNELS[name].group))


def set_pose(thing: bpy.types.Object, pose: Mapping[str, float]) -> None:
    """Set the channels that ``pose`` names."""
    for name, value in pose.items():
        setattr(channel_group(thing, name), name, value)


def set_rest(thing: bpy.types.Object, pose: Mapping[str, float]) -> None:
    """Keep the character's own rest pose, whose channels are of its space, and take it up."""
    space = space_of(thing)
    thing.keywarp.rest = pose_text({n: value for n, value in pose.items() if value != space[n].default})
    set_pose(thing, pose)


def rest_of(thing: bpy.types.Object) -> dict[str, float]:
    """Every channel of its space at the character's rest: as it said when it was added, else as the space has it."""
    space = space_of(thing)
    rest = {channel.name: channel.default for channel in space.channels}
    with suppress(KeywarpError):  # a stranger's file
        rest.update(parse_pose(thing.keywarp.rest or "{}", space))
    return rest


def is_character(thing: Any) -> bool:
    """Whether it is an object that shows a Keywarp character."""
    return isinstance(thing, bpy.types.Object) and thing.keywarp.is_character


def pose_of(thing: bpy.types.Object, depsgraph: Any = None) -> dict[str, float]:
    """Every channel of its space as it stands, without the idle layer; with a ``depsgraph``, as curves, drivers and
    NLA make it there."""
    evaluated = thing if depsgraph is None else thing.evaluated_get(depsgraph)
    pose = evaluated.keywarp.pose
    values = {}
    for group, names in _NAMES_OF_GROUPS[space_of(thing).name].items():
        holder = getattr(pose, group)
        for name in names:
            values[name] = getattr(holder, name)
    return values


def _names_of_groups(space: PoseSpace) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for channel in space.channels:
        attribute = group_attribute(channel.group)
        found[attribute] = (*found.get(attribute, ()), channel.name)
    return found


_NAMES_OF_GROUPS = {space.name: _names_of_groups(space) for space in (tha45.SPACE, driving.SPACE)}
"""By pose space: which channels stand in which group's properties."""


def name_groups(thing: bpy.types.Object) -> None:
    """Write the groups' names, which editors show in brackets behind a channel's: ``Wink Left (Eyes)``."""
    for group in groups():
        getattr(thing.keywarp.pose, group_attribute(group)).name = group
    thing.keywarp.idle.name = "Idle"


def is_share(channel: Channel) -> bool:
    """Whether its range is short enough to be a slider's; a frame of a video is a number to type or to drag."""
    return channel.maximum - channel.minimum <= 2


def _float_property(channel: Channel) -> Any:
    return bpy.props.FloatProperty(
        name=label(channel.name),
        description=channel.description[:1].upper() + channel.description[1:],
        min=channel.minimum,
        max=channel.maximum,
        default=channel.default,
        step=1 if is_share(channel) else 100,
        precision=3 if is_share(channel) else 2,
        subtype="FACTOR" if channel.maximum <= 1 else "NONE",
        update=tag,
        override=OVERRIDABLE,
    )


def _group_class(group: str, channels: tuple[Channel, ...]) -> type:
    annotations = {channel.name: _float_property(channel) for channel in channels}
    content = {
        "__annotations__": annotations,
        "__doc__": f"The channels of the group {group}.",
        "__module__": __name__,
    }
    return type(f"KEYWARP_PG_pose_{group_attribute(group)}", (bpy.types.PropertyGroup,), content)


_GROUP_CLASSES = {
    group_attribute(group): _group_class(group, tuple(c for c in CHANNELS.values() if c.group == group))
    for group in groups()
}


def _pose_class() -> type:
    annotations = {
        name: bpy.props.PointerProperty(
            type=kind, name=name.title(), description=f"Channels: {name}", override=OVERRIDABLE
        )
        for name, kind in _GROUP_CLASSES.items()
    }
    content = {"__annotations__": annotations, "__doc__": "A pose: its groups.", "__module__": __name__}
    return type("KEYWARP_PG_pose", (bpy.types.PropertyGroup,), content)


PoseProperties = _pose_class()


def _confirm(self: Any, _context: Any) -> None:
    """The user typed or picked a path: that is consent to read it, and a reason to look again."""
    from .. import session

    session.paths_changed(self.id_data)


def _redraw(self: Any, _context: Any) -> None:
    from ..showing import live

    if self.is_character:
        live.refresh(self.id_data)


def _message(self: Any) -> str:
    from .. import session

    return session.message(self.id_data)


def _warning(self: Any) -> str:
    from ..rendering import scenes

    return scenes.warning(self.id_data)


def _is_character_object(_self: Any, thing: bpy.types.Object) -> bool:
    return thing.keywarp.is_character


class KEYWARP_PG_character(bpy.types.PropertyGroup):
    """``Object.keywarp``."""

    is_character: bpy.props.BoolProperty(
        name="Keywarp Character",
        description="Whether this object shows a Keywarp character",
        default=False,
        override=OVERRIDABLE,
    )
    character: bpy.props.StringProperty(
        name="Character",
        description="The character: its .yaml file, its THA4 folder, or a picture (then with a model)",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
        update=_confirm,
        override=OVERRIDABLE,
    )
    model: bpy.props.StringProperty(
        name="Model",
        description="The model that moves the picture: a file, a folder or the name of an installed model; empty "
        "where the character names its own",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
        update=_confirm,
        override=OVERRIDABLE,
    )
    video: bpy.props.StringProperty(
        name="Video",
        description="The driving video that the character follows; empty where the character names its own",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
        update=_confirm,
        override=OVERRIDABLE,
    )
    image: bpy.props.PointerProperty(
        type=bpy.types.Image,
        name="Live Image",
        description="The image that always shows this character at the current frame; use it in materials, the "
        "compositor, as a camera's background and in Geometry Nodes",
        override=OVERRIDABLE,
    )
    space: bpy.props.StringProperty(
        name="Pose Space",
        description="The channels that the character's model is moved by, as it said when it was read",
        options={"HIDDEN"},
        override=OVERRIDABLE,
    )
    video_frames: bpy.props.IntProperty(
        name="Video Frames",
        description="How many frames the driving video has that the character follows; 0: it follows none",
        min=0,
        override=OVERRIDABLE,
    )
    video_rate: bpy.props.FloatProperty(
        name="Video Rate", description="Frames a second of the driving video", min=0.0, override=OVERRIDABLE
    )
    rest: bpy.props.StringProperty(
        name="Rest Pose",
        description="The channels of the character's own rest pose that differ from every character's, as JSON text",
        options={"HIDDEN"},
        override=OVERRIDABLE,
    )
    canvas: bpy.props.IntVectorProperty(
        name="Picture Size",
        description="Width and height of the character's picture, by which the live image has its aspect",
        size=2,
        default=(0, 0),
        min=0,
        override=OVERRIDABLE,
    )
    size: pixels(
        "Height",
        "Height of the live image in pixels when it is rendered; its width follows from the picture",
        2160,
        update=_redraw,
        override=OVERRIDABLE,
    )
    preview_mode: bpy.props.EnumProperty(
        name="Preview Size",
        description="How large the live image is while you work",
        items=(
            (
                "ZOOM",
                "Follow Zoom",
                "As large as it is seen in the largest 3D viewport, at most the rendered height",
            ),
            ("FIXED", "Fixed", "The height that is chosen here"),
        ),
        default="ZOOM",
        update=_redraw,
        override=OVERRIDABLE,
    )
    preview_size: pixels(
        "Preview Height",
        "Height of the live image in pixels while you work, where it does not follow the zoom",
        540,
        4320,
        update=_redraw,
        override=OVERRIDABLE,
    )
    baked: bpy.props.StringProperty(
        name="Baked Sequence",
        description="The image sequence that is shown in place of the live image; empty while it is live",
        subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
        override=OVERRIDABLE,
    )
    baked_image: bpy.props.PointerProperty(
        type=bpy.types.Image,
        name="Baked Image",
        description="The image sequence that stands wherever the live image stood",
        override=OVERRIDABLE,
    )
    message: bpy.props.StringProperty(
        name="Message", description="Why the current frame cannot be shown; empty where it can", get=_message
    )
    pose: bpy.props.PointerProperty(
        type=PoseProperties, name="Pose", description="The pose channels", override=OVERRIDABLE
    )
    idle: bpy.props.PointerProperty(
        type=KEYWARP_PG_idle, name="Idle", description="Blinking, breathing and swaying", override=OVERRIDABLE
    )


class KEYWARP_PG_scene(bpy.types.PropertyGroup):
    """``Scene.keywarp``: what the render engine draws, and what the panels warn of."""

    character: bpy.props.PointerProperty(
        type=bpy.types.Object,
        name="Character",
        description="The character that the render engine Keywarp draws; where none is chosen, all characters that "
        "are visible in renders, the nearest to the camera on top",
        poll=_is_character_object,
    )
    fit: bpy.props.EnumProperty(
        name="Fit",
        description="How the render engine Keywarp places the picture in the frame",
        items=(
            ("contain", "Contain", "All of the picture is seen"),
            ("cover", "Cover", "The frame is filled; what is too much is cut off"),
        ),
        default="contain",
    )
    warning: bpy.props.StringProperty(
        name="Warning",
        description="What in this scene's settings changes how pictures look; empty where nothing does",
        get=_warning,
    )


_CLASSES = (*_GROUP_CLASSES.values(), PoseProperties, KEYWARP_PG_idle, KEYWARP_PG_character, KEYWARP_PG_scene)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.Object.keywarp = bpy.props.PointerProperty(
        type=KEYWARP_PG_character,
        name="Keywarp",
        description="The Keywarp character that this object shows",
        override=OVERRIDABLE,
    )
    bpy.types.Scene.keywarp = bpy.props.PointerProperty(
        type=KEYWARP_PG_scene, name="Keywarp", description="Keywarp's settings of this scene"
    )


def unregister() -> None:
    del bpy.types.Scene.keywarp
    del bpy.types.Object.keywarp
    _unregister_classes()
