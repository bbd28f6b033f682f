# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine Keywarp: characters straight into the render result, without a 3D scene around them.

It needs no camera: a character fills the frame (``Scene.keywarp.fit``), at the size that the output properties
say. Where several are visible they lie over one another, the nearest to the camera on top. A frame that cannot be
made stops the render with the reason; nothing is written then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import bpy
import numpy as np
import numpy.typing as npt

from keywarp.core.engine.client import CancelledError, EngineError, Frame

from .. import session
from ..character.shots import Shot, shot_of
from . import failing

Pixels = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]

_HIDDEN_PANELS = {"VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes"}


class KeywarpRenderEngine(bpy.types.RenderEngine):
    """Frames of the engine as Blender's render result: float32, premultiplied, linear light."""

    bl_idname = "KEYWARP"
    bl_label = "Keywarp"
    bl_use_preview = False
    bl_use_eevee_viewport = True
    bl_use_postprocess = True
    bl_use_shading_nodes_custom = False

    def render(self, depsgraph: Any) -> None:
        """Called by Blender for every frame, in a thread of its own where there is an interface."""
        try:
            self._render(depsgraph)
        except CancelledError:
            pass  # Esc: Blender discards the frame itself
        except (EngineError, session.SourceError) as error:
            # Only a report of an error stops a render; all else would go on and write the bad frame.
            self._fail(session.in_words(str(error)))
        except Exception as error:
            self._fail(f"keywarp has a defect, please report it ({type(error).__name__}: {error})")
            raise

    def _fail(self, reason: str) -> None:
        self.report({"ERROR"}, f"Keywarp: {reason}")
        failing.lacking_frame(reason)

    def view_update(self, context: bpy.types.Context, depsgraph: Any) -> None:
        """Called by Blender in a viewport that shows what is rendered; the live images follow by themselves."""

    def view_draw(self, context: bpy.types.Context, depsgraph: Any) -> None:
        """Draw the live images where the frame will have them: in the camera's frame, else over the viewport."""
        from . import viewport

        viewport.draw(context, drawn_characters(depsgraph.scene, depsgraph), full_size(depsgraph.scene))

    def _render(self, depsgraph: Any) -> None:
        scene = depsgraph.scene
        size = full_size(scene)
        shots = [
            (thing.name, shot_of(thing, scene, depsgraph, size=size))
            for thing in drawn_characters(scene, depsgraph)
        ]
        box = border(scene, size)
        if not shots:
            if sum(layer.use for layer in scene.view_layers) < 2:
                raise EngineError("there is no visible character to render: add one, or show one in renders")
            self._show(np.zeros(size[0] * size[1] * 4, np.float32), size, box, depsgraph, {})
            return
        if len(shots) == 1:
            with self._frame(*shots[0], scene.keywarp.fit) as frame:
                self._show(np.frombuffer(frame.pixels, np.float32), size, box, depsgraph, origin(shots))
            return
        picture: Optional[Pixels] = None
        for name, shot in shots:
            with self._frame(name, shot, scene.keywarp.fit) as frame:
                layer = np.frombuffer(frame.pixels, np.float32).reshape(-1, 4)
                picture = layer.copy() if picture is None else over(layer, picture)
        assert picture is not None
        self._show(picture.reshape(-1), size, box, depsgraph, origin(shots))

    def _frame(self, name: str, shot: Shot, fit: str) -> Frame:
        def progress(what: str, share: float) -> None:
            self.update_stats("", f"{name}: {what}")
            self.update_progress(share)

        self.update_stats("", f"{name}: waiting for the engine")
        stream = session.stream(session.StreamKey(shot.source, 0, shot.size, fit))
        return stream.exact(shot.channels, space=shot.space, cancelled=self.test_break, progress=progress)

    def _show(
        self,
        values: Pixels,
        size: tuple[int, int],
        box: Box,
        depsgraph: Any,
        stamps: Mapping[str, str],
    ) -> None:
        """Give the flat frame, or that part of it that is rendered, to Blender as this view layer, with texts for its
        metadata. It has no depth: the views of stereoscopy are alike."""
        scene = depsgraph.scene
        x, y, width, height = box
        if (width, height) != size:
            whole = values.reshape(size[1], size[0], 4)
            values = np.ascontiguousarray(whole[y : y + height, x : x + width]).reshape(-1)
        if not scene.render.film_transparent:
            values = over(values.reshape(-1, 4), backdrop(scene)).reshape(-1)
        for view in views(scene):
            # Counted from the border's corner, whether or not the frame is cropped to it.
            result = self.begin_result(0, 0, width, height, layer=depsgraph.view_layer.name, view=view)
            combined = result.layers[0].passes.find_by_name("Combined", view)
            combined.rect.foreach_set(values)
            self.end_result(result)
        whole = self.get_result()  # what is said of the part that was begun, is lost
        for keyword, text in stamps.items():
            whole.stamp_data_add_field(keyword, text)
        self.update_progress(1.0)


def origin(shots: Sequence[tuple[str, Shot]]) -> dict[str, str]:
    """Where a frame of these characters came from, by keyword; several characters in one text."""
    texts: dict[str, list[str]] = {}
    for source in dict.fromkeys(shot.source for _, shot in shots):
        for keyword, text in session.provenance(source).items():
            texts.setdefault(keyword, []).append(text)
    return {keyword: "; ".join(dict.fromkeys(each)) for keyword, each in texts.items()}


def over(top: Pixels, below: Pixels) -> Pixels:
    """Premultiplied, (N, 4): one picture over another, or over a colour (1, 4)."""
    picture: Pixels = top + below * (1.0 - top[:, 3:])
    return picture


def backdrop(scene: bpy.types.Scene) -> Pixels:
    """What lies behind an opaque film, (1, 4): the world's plain colour, black without a world."""
    color = scene.world.color if scene.world is not None else (0.0, 0.0, 0.0)
    return np.array([[*color, 1.0]], np.float32)


def full_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height of the whole frame in pixels, as the output properties say."""
    render = scene.render
    share = render.resolution_percentage
    return max(render.resolution_x * share // 100, 1), max(render.resolution_y * share // 100, 1)


def views(scene: bpy.types.Scene) -> list[str]:
    """The names of the views that are rendered, "" where there is one."""
    render = scene.render
    if not render.use_multiview:
        return [""]
    known = render.stereo_views if render.views_format == "STEREO_3D" else render.views
    return [view.name for view in known if view.use]


def border(scene: bpy.types.Scene, size: tuple[int, int]) -> Box:
    """The part of the frame that is rendered: left, bottom, width and height in pixels."""
    render = scene.render
    if not render.use_border:
        return 0, 0, *size
    # Blender's own numbers are of single precision: 0.7 of 3840 is 2688 in these, and 2687 in Python's.
    width, height = map(np.float32, size)
    left, right = (int(np.float32(at) * width) for at in (render.border_min_x, render.border_max_x))
    bottom, top = (int(np.float32(at) * height) for at in (render.border_min_y, render.border_max_y))
    return left, bottom, max(right - left, 1), max(top - bottom, 1)


def drawn_characters(scene: bpy.types.Scene, depsgraph: Any) -> list[bpy.types.Object]:
    """The characters to draw, the lowest first: the one that the scene names, else all that renders show, the
    nearest to the camera last."""
    if scene.keywarp.character is not None:
        return [scene.keywarp.character.original]
    view = None
    if scene.camera is not None:
        view = scene.camera.evaluated_get(depsgraph).matrix_world.inverted()
    found = [thing for thing in depsgraph.objects if thing.keywarp.is_character and not thing.hide_render]

    def depth(thing: bpy.types.Object) -> tuple[float, str]:
        along = thing.matrix_world.translation
        # A camera looks along its own -Z.
        return ((view @ along).z if view is not None else -along.y, thing.name)

    return [thing.original for thing in sorted(found, key=depth)]


class KEYWARP_PT_render(bpy.types.Panel):
    """What the render engine Keywarp draws."""

    bl_label = "Keywarp"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    COMPAT_ENGINES = {KeywarpRenderEngine.bl_idname}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.engine in cls.COMPAT_ENGINES

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.keywarp
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "character", placeholder="All that are visible")
        column.prop(settings, "fit")
        column.prop(context.scene.render, "film_transparent")
        if settings.warning:
            column.label(text=settings.warning, icon="ERROR")
            column.operator("keywarp.fix_scene")


def shared_panels() -> list[type]:
    """Blender's own panels that hold for every engine: output, colour management, metadata ..."""
    return [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if "BLENDER_RENDER" in getattr(panel, "COMPAT_ENGINES", ()) and panel.__name__ not in _HIDDEN_PANELS
    ]


def register() -> None:
    bpy.utils.register_class(KeywarpRenderEngine)
    bpy.utils.register_class(KEYWARP_PT_render)
    for panel in shared_panels():
        panel.COMPAT_ENGINES.add(KeywarpRenderEngine.bl_idname)


def unregister() -> None:
    for panel in bpy.types.Panel.__subclasses__():
        getattr(panel, "COMPAT_ENGINES", set()).discard(KeywarpRenderEngine.bl_idname)
    KEYWARP_PT_render.COMPAT_ENGINES.add(KeywarpRenderEngine.bl_idname)
    bpy.utils.unregister_class(KEYWARP_PT_render)
    bpy.utils.unregister_class(KeywarpRenderEngine)
