# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that differs between the versions of Blender that Keywarp runs in, 4.2 to 5.2."""

from __future__ import annotations

from typing import Any

import bpy

#: Actions have slots, layers and channel bags from 4.4 on; 5.0 removed ``Action.fcurves``
#: (release notes 4.4 and 5.0, "Animation & Rigging").
LAYERED_ACTIONS = bpy.app.version >= (4, 4, 0)


def fcurves_of(action: Any, slot: Any = None) -> list[Any]:
    """The F-curves that an action has for a slot; without one, all that it has."""
    if action is None:
        return []
    if not LAYERED_ACTIONS:
        return list(action.fcurves)
    bags = (bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags)
    return [fcurve for bag in bags if slot is None or bag.slot == slot for fcurve in bag.fcurves]


def assigned_fcurves(thing: bpy.types.ID) -> list[Any]:
    """The F-curves of the action that is assigned to ``thing``, those that act on it."""
    animation = thing.animation_data
    if animation is None or animation.action is None:
        return []
    if not LAYERED_ACTIONS:
        return list(animation.action.fcurves)
    return [] if animation.action_slot is None else fcurves_of(animation.action, animation.action_slot)


def ensure_fcurve(thing: bpy.types.ID, path: str, group: str) -> Any:
    """The F-curve for a data path of ``thing``, made with its action where there is none."""
    animation = thing.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{thing.name}Action")
    owner = animation.action
    if LAYERED_ACTIONS:
        owner = _channel_bag(thing, animation)
    return ensure_fcurve_in(owner, path, group)


def ensure_fcurve_in(owner: Any, path: str, group: str) -> Any:
    """The F-curve for a data path in an action (before 4.4) or a channel bag."""
    found = owner.fcurves.find(path)
    if found is not None:
        return found
    fcurve = owner.fcurves.new(path)
    fcurve.group = owner.groups.get(group) or owner.groups.new(group)
    return fcurve


def remove_fcurve(thing: bpy.types.ID, fcurve: Any) -> None:
    """Take an F-curve out of the action that is assigned to ``thing``."""
    animation = thing.animation_data
    owner = _channel_bag(thing, animation) if LAYERED_ACTIONS else animation.action
    owner.fcurves.remove(fcurve)


def new_action(name: str, thing: bpy.types.ID) -> tuple[Any, Any]:
    """A new action, and what takes F-curves for such a thing in it: the action itself or a channel bag."""
    action = bpy.data.actions.new(name)
    if not LAYERED_ACTIONS:
        action.id_root = thing.id_type
        return action, action
    return action, _bag_in(action, action.slots.new(thing.id_type, thing.name))


def _channel_bag(thing: bpy.types.ID, animation: Any) -> Any:
    slot = animation.action_slot
    if slot is None:
        suitable = list(animation.action_suitable_slots)
        slot = suitable[0] if suitable else animation.action.slots.new(thing.id_type, thing.name)
        animation.action_slot = slot
    return _bag_in(animation.action, slot)


def _bag_in(action: Any, slot: Any) -> Any:
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)
