# SPDX-License-Identifier: GPL-3.0-or-later
"""Run inside a Python that has bpy: builds F-curves in Blender and writes what Blender makes of them.

``python fcurve_oracle.py IN.json OUT.json``. IN: a list of curves, each with ``keys`` (objects with the
properties of Blender's keyframes, ``co`` and handles as pairs), ``extrapolation``, ``auto_smoothing``,
``cycles`` (properties of the modifier, or null) and ``frames``. OUT: ``version``, and for every curve
the ``values`` at its frames and the handles ``left`` and ``right`` as Blender placed them.
Blender 4.5 and later.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import bpy


def new_curve(thing: Any) -> Any:
    """An empty F-curve in an action of its own."""
    action = bpy.data.actions.new("curve")
    thing.animation_data_create().action = action
    return action, action.fcurve_ensure_for_datablock(thing, "location", index=0)


def fill(fcurve: Any, wanted: dict[str, Any]) -> None:
    fcurve.extrapolation = wanted["extrapolation"]
    fcurve.auto_smoothing = wanted["auto_smoothing"]
    if wanted["cycles"] is not None:
        modifier = fcurve.modifiers.new("CYCLES")
        for name, value in wanted["cycles"].items():
            setattr(modifier, name, value)
    points = fcurve.keyframe_points
    points.add(len(wanted["keys"]))
    for point, key in zip(points, wanted["keys"]):
        for name, value in key.items():
            setattr(point, name, value)
    fcurve.update()


def evaluated(thing: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    action, fcurve = new_curve(thing)
    fill(fcurve, wanted)
    points = fcurve.keyframe_points
    answer = {
        "values": [fcurve.evaluate(frame) for frame in wanted["frames"]],
        "left": [list(point.handle_left) for point in points],
        "right": [list(point.handle_right) for point in points],
    }
    bpy.data.actions.remove(action)
    return answer


def main(source: str, target: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    thing = bpy.data.objects.new("thing", None)
    bpy.context.scene.collection.objects.link(thing)
    curves = json.loads(Path(source).read_text(encoding="utf-8"))
    answer = {"version": bpy.app.version_string, "curves": [evaluated(thing, wanted) for wanted in curves]}
    Path(target).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[-2:])
