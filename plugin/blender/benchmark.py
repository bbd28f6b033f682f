# SPDX-License-Identifier: GPL-3.0-or-later
"""What a frame costs in Blender beyond the engine's own time, stage by stage.

``PYTHON -m keywarp.plugin.blender.benchmark CHARACTER ENGINE`` in a Python that has Blender as the package ``bpy``;
``ENGINE``: JSON with ``command``, ``environment`` and ``frames``. Prints one line of JSON: a list of ``Stage``.

Times are the calling thread's own, because machines share their processors; so a wait for the engine costs nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

SIZE = (3840, 2160)
RENDER, LIVE = "Blender, 4K render", "Blender, 4K live image"
ALL = "all but the engine"
RENDER_LIMIT, LIVE_LIMIT = 0.020, 0.030
"""Seconds: of a render beyond ``bare``, of a live image in all."""

Times = dict[str, list[float]]


@dataclass(frozen=True)
class Stage:
    """A part of a frame's way: seconds of each frame, and those of what it is compared with."""

    name: str
    seconds: list[float]
    bare: list[float]
    target: str = ""


class Watch:
    """Counts the time of functions that it is put around, by name, frame by frame."""

    def __init__(self) -> None:
        self.spent: Times = {}
        self._frame: dict[str, float] = {}

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            answer = function(*arguments, **named)
            self._frame[name] = self._frame.get(name, 0.0) + time.thread_time() - began
            return answer

        return call

    def next_frame(self) -> None:
        for name, seconds in self._frame.items():
            self.spent.setdefault(name, []).append(seconds)
        self._frame = {}


class _Timed:
    """An engine whose calls to Blender are counted; Blender's own functions cannot be replaced in its class."""

    def __init__(self, engine: Any, watch: Watch) -> None:
        self._engine, self._watch = engine, watch

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return self._watch.around(name, found) if name in ("begin_result", "end_result") else found


def less(whole: list[float], *parts: list[float]) -> list[float]:
    """What is left of each frame's time without its parts."""
    return [each - sum(taken) for each, *taken in zip(whole, *parts)]


def render_stages(frames: int) -> list[Stage]:
    """Frames of the render engine, each followed by one of an engine that only begins, fills and ends a result.

    The scene has a character and renders at ``SIZE``.
    """
    import bpy

    from .rendering.engine import KeywarpRenderEngine as Kind

    watch, scene, bare = Watch(), bpy.context.scene, bare_engine()
    whole, frame, show = Kind._render, Kind._frame, Kind._show
    timed_show = watch.around("show", show)

    def show_timed(self: Any, *arguments: Any) -> None:
        timed_show(_Timed(self, watch), *arguments)

    Kind._render, Kind._frame, Kind._show = (
        watch.around("all", whole),
        watch.around("engine", frame),
        show_timed,
    )
    bpy.utils.register_class(bare)
    try:
        for number in range(1, frames + 1):
            scene.frame_set(number)
            for kind in (Kind, bare):
                scene.render.engine = kind.bl_idname
                bpy.ops.render.render()
            watch.next_frame()
    finally:
        Kind._render, Kind._frame, Kind._show = whole, frame, show
        bpy.utils.unregister_class(bare)
    spent = watch.spent
    begun, ended = spent["begin_result"], spent["end_result"]
    return [
        Stage(f"{RENDER}: pose and request", less(spent["all"], spent["engine"], spent["show"]), []),
        Stage(f"{RENDER}: beginning the result", begun, bare.took["begin"]),
        Stage(f"{RENDER}: filling it", less(spent["show"], begun, ended), bare.took["fill"]),
        Stage(f"{RENDER}: ending it", ended, bare.took["end"]),
        Stage(
            f"{RENDER}: {ALL}",
            less(spent["all"], spent["engine"]),
            [sum(each) for each in zip(*bare.took.values())],
            f"<= {RENDER_LIMIT * 1e3:.0f} ms more",
        ),
    ]


def bare_engine() -> Any:
    """A render engine that begins, fills and ends a result, and nothing else."""
    import bpy
    import numpy as np

    class Bare(bpy.types.RenderEngine):
        bl_idname = "KEYWARP_BARE"
        bl_label = "Bare"
        took: Times = {"begin": [], "fill": [], "end": []}

        def render(self, _depsgraph: Any) -> None:
            values = np.zeros(SIZE[0] * SIZE[1] * 4, np.float32)
            values[:] = 0.5  # so that its memory is really there, as the frame's is
            marks = [time.thread_time()]
            result = self.begin_result(0, 0, *SIZE)
            marks.append(time.thread_time())
            result.layers[0].passes["Combined"].rect.foreach_set(values)
            marks.append(time.thread_time())
            self.end_result(result)
            marks.append(time.thread_time())
            for times, began, ended in zip(self.took.values(), marks, marks[1:]):
                times.append(ended - began)

    return Bare


def live_stages(frames: int) -> list[Stage]:
    """Frame changes that the live image follows exactly, as in a render; the scene has a character at ``SIZE``."""
    import bpy

    from . import session
    from .showing import live, pixels, quiet

    watch, scene = Watch(), bpy.context.scene
    stream, put = session.stream, pixels.put

    def watched_stream(key: Any) -> Any:
        found = stream(key)

        class Timed:
            exact = staticmethod(watch.around("engine", found.exact))

        return Timed()

    session.stream, pixels.put = watched_stream, watch.around("put", put)
    follow = watch.around("all", live.frame_change_post)
    try:
        for number in range(frames):
            with quiet.frames_unseen():
                scene.frame_set(1, subframe=number / frames)
            follow(scene, bpy.context.evaluated_depsgraph_get())
            watch.next_frame()
    finally:
        session.stream, pixels.put = stream, put
    spent = watch.spent
    without = less(spent["all"], spent["engine"])
    return [
        Stage(f"{LIVE}: pose and request", less(without, spent["put"]), []),
        Stage(f"{LIVE}: pixels into the image", spent["put"], []),
        Stage(f"{LIVE}: {ALL}", without, [], f"<= {LIVE_LIMIT * 1e3:.0f} ms"),
    ]


def prepare(thing: Any) -> None:
    """The character's head turns, and its live image has the size of the frame."""
    import bpy

    for frame, value in ((1, -0.8), (9, 0.8)):
        thing.keywarp.pose.head.head_y = value
        thing.keywarp.pose.head.keyframe_insert("head_y", frame=frame)
    thing.keywarp.canvas, thing.keywarp.size = SIZE, SIZE[1]
    thing.keywarp.preview_mode, thing.keywarp.preview_size = "FIXED", SIZE[1]
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = *SIZE, 100


def stages(thing: Any, frames: int) -> list[Stage]:
    """All stages of both ways; the first frames, which meet fresh memory, count too."""
    prepare(thing)
    shown = live_stages(frames)
    thing.keywarp.size = 64  # which the bare engine's renders would wait for
    return render_stages(frames) + shown


def main(character: str, engine: str) -> None:
    import bpy

    from .. import blender

    asked = json.loads(engine)
    bpy.ops.wm.read_factory_settings()
    blender.register()
    from . import session

    session.use_engine(asked["command"], asked["environment"])
    bpy.ops.keywarp.add_character(filepath=character)
    found = stages(bpy.context.object, asked["frames"])
    blender.unregister()
    rows = [
        {
            **asdict(each),
            "seconds": statistics.median(each.seconds),
            "bare": statistics.median(each.bare or [0.0]),
        }
        for each in found
    ]
    sys.stdout.write("\n" + json.dumps({"version": bpy.app.version_string, "stages": rows}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
    sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up hangs in some releases
