# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding a character: from the Add menu, the sidebar, or by dropping a file on the viewport."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

import bpy
from bpy_extras.io_utils import ImportHelper

from .. import session
from ..rendering import scenes
from ..setup import model_pack, preferences
from ..showing import live, pixels
from . import asking, materials, trust
from .properties import is_character, name_groups, set_rest, space_of
from .shots import PREVIEW_HEIGHT, characters, live_size

CHARACTER_FILES = (".yaml", ".yml")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".exr")
_TITLE = "Keywarp Character"


def build(context: Any, source: session.Source, info: dict[str, Any]) -> bpy.types.Object:
    """A character in the scene: a plane with the picture's aspect, its material, and the live image."""
    name = info.get("name") or Path(source.character).stem
    size = tuple(info["size"])
    thing = bpy.data.objects.new(name, materials.new_plane(name, size))
    settings = thing.keywarp
    settings.canvas = size
    settings.character, settings.model = kept_path(source.character), kept_path(source.model or "")
    settings.is_character = True
    keep_facts(thing, info)
    name_groups(thing)
    if info["space"] == space_of(thing).name:
        set_rest(thing, {channel["name"]: channel["default"] for channel in info["channels"]})
    image = pixels.new_live_image(name, live_size(thing, PREVIEW_HEIGHT))
    settings.image = image
    thing.data.materials.append(None)
    # On the object, so that duplicates and overrides that share the mesh can have pictures of their own.
    thing.material_slots[0].link = "OBJECT"
    thing.material_slots[0].material = materials.new_material(name, image)
    thing.location = context.scene.cursor.location
    context.collection.objects.link(thing)
    for other in context.selected_objects:
        other.select_set(False)
    context.view_layer.objects.active = thing
    thing.select_set(True)
    return thing


def keep_facts(thing: bpy.types.Object, info: dict[str, Any]) -> None:
    """Keep what of the engine's answer has to be known without an engine: by what the model is moved."""
    video = info.get("driving") or {"frames": 0, "fps": 0.0}
    settings = thing.keywarp
    settings.space = info["space"]
    settings.video_frames, settings.video_rate = video["frames"], video["fps"]


def prepare_scene(scene: bpy.types.Scene, first: bool) -> tuple[str, str]:
    """Set what the first character needs; how to report it, and what."""
    changed = scenes.prepare_for_live_images(scene)
    if first and scenes.has_factory_look(scene):
        changed = scenes.show_pictures_as_they_are(scene) + changed
    warning = scenes.warning(scene)
    words = f"Set for this scene: {', '.join(changed)}" if changed else ""
    if warning:
        return "WARNING", ". ".join(filter(None, [warning, words]))
    return "INFO", words


def show_textures() -> None:
    """Viewports in *Solid*, as Blender has them at first, would show a grey plane: have those of every workspace show
    textures."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            space = area.spaces.active
            if space.type == "VIEW_3D" and space.shading.color_type == "MATERIAL":
                space.shading.color_type = "TEXTURE"


def measure_later(thing: bpy.types.Object) -> None:
    """Ask for the picture's size anew, and give the plane and the live image its aspect when it is known."""
    try:
        source = session.source_of(thing)
    except session.SourceError as error:
        session.say(thing.session_uid, str(error))
        return
    asking.forget(source)
    uid = thing.session_uid

    def then(question: asking.Question) -> None:
        found = next((each for each in characters() if each.session_uid == uid), None)
        if found is None:
            return
        if question.answer is None:
            session.say(uid, question.error)
            return
        size = tuple(question.answer["size"])
        if found.is_editable:
            keep_facts(found, question.answer)
        if found.is_editable and tuple(found.keywarp.canvas) != size:
            found.keywarp.canvas = size
            if found.data is not None and found.data.users == 1:
                materials.set_aspect(found.data, size)
        live.refresh(found)

    asking.when_answered(source, then)


def _installed_models(_self: Any, _context: Any, text: str) -> list[str]:
    """The names to choose from while a model is typed."""
    names = model_pack.installed_models(preferences.models_folder())
    return [name for name in names if text.lower() in name.lower()]


class KEYWARP_OT_add_character(bpy.types.Operator, ImportHelper):
    """Add a picture that can be posed and keyframed: a character file, a THA4 folder's character_model.yaml, or a
    picture together with a model"""

    bl_idname = "keywarp.add_character"
    bl_label = _TITLE
    bl_options = {"REGISTER", "UNDO"}

    # Without SKIP_SAVE the menu would add the file of last time once more, and ask for none.
    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_PRESET", "SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in (*CHARACTER_FILES, *PICTURES)), options={"HIDDEN"}
    )
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    model: bpy.props.StringProperty(
        name="Model",
        description="The model that moves the picture: a file, a folder or the name of an installed model. If left "
        "empty, the character's own, or for a picture the animator that comes with Keywarp",
        search=_installed_models,
        search_options={"SUGGESTION"},
    )
    in_window: bpy.props.BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    _question: Optional[asking.Question] = None
    _timer: Any = None

    @classmethod
    def poll(cls, context: Any) -> bool:
        return context.mode == "OBJECT" and context.collection is not None and context.collection.is_editable

    def invoke(self, context: Any, event: Any) -> set[str]:
        self.in_window = True
        if not self.filepath:
            return ImportHelper.invoke(self, context, event)  # type: ignore[no-any-return]
        if self._lacks_model():  # dropped
            return context.window_manager.invoke_props_dialog(self, width=420, title="Model for This Picture")
        return self.execute(context)

    def draw(self, context: Any) -> None:
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "model")
        if self._lacks_model():
            column.label(text="A picture needs a model that moves it", icon="INFO")
            pack = model_pack.file_name(preferences.version())
            column.label(text=f"One is in {pack}: {model_pack.BUTTON}", icon="BLANK1")

    def execute(self, context: Any) -> set[str]:
        if not self.filepath:
            self.report({"ERROR"}, "No file was chosen")
            return {"CANCELLED"}
        if self._lacks_model():
            self.report(
                {"ERROR"},
                "A picture needs a model that moves it: choose one at the right of the file browser, or pick "
                f"{model_pack.file_name(preferences.version())} with {model_pack.BUTTON} in Keywarp's preferences",
            )
            return {"CANCELLED"}
        source = self._source()
        answer = asking.known(source)
        if answer is not None:
            return self._finish(context, source, answer)
        question = self._question = asking.Question(source)
        if self.in_window and not bpy.app.background:
            self._timer = context.window_manager.event_timer_add(0.1, window=context.window)
            context.window_manager.modal_handler_add(self)
            context.workspace.status_text_set("Keywarp reads the character ...   Esc: cancel")
            return {"RUNNING_MODAL"}
        question.wait()
        return self._answered(context)

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type == "ESC":
            self._question.cancel()
            self._tidy(context)
            return {"CANCELLED"}
        if event.type != "TIMER" or not self._question.done:
            return {"PASS_THROUGH"}
        self._tidy(context)
        return self._answered(context)

    def cancel(self, context: Any) -> None:
        if self._question is not None:
            self._question.cancel()
            self._tidy(context)

    def _lacks_model(self) -> bool:
        """Whether a picture has been chosen, and neither a model for it nor one that is taken of itself is there."""
        if self.model or not is_picture(self.filepath):
            return False
        return model_pack.ANIMATOR not in model_pack.installed_models(preferences.models_folder())

    def _source(self) -> session.Source:
        """The chosen files, which the user has confirmed by choosing them."""
        path = str(Path(bpy.path.abspath(self.filepath)).absolute())
        model = self.model
        if model and (model.startswith("//") or Path(model).exists()):
            model = str(Path(bpy.path.abspath(model)).absolute())
        trust.confirm([path, *([model] if Path(model).is_absolute() else [])])
        return session.Source(path, model or None)

    def _tidy(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.workspace.status_text_set(None)
            self._timer = None

    def _answered(self, context: Any) -> set[str]:
        question = self._question
        if question.answer is None:
            self.report({"ERROR"}, question.error)
            return {"CANCELLED"}
        return self._finish(context, question.source, question.answer)

    def _finish(self, context: Any, source: session.Source, info: dict[str, Any]) -> set[str]:
        scene = context.scene
        first = not any(is_character(thing) for thing in scene.objects)
        thing = build(context, source, info)
        live.refresh(thing)
        if first:
            show_textures()
        kind, words = prepare_scene(scene, first)
        if words:
            self.report({kind}, words)
        return {"FINISHED"}


class KEYWARP_FH_character(bpy.types.FileHandler):
    """Character files and pictures dropped on a 3D viewport."""

    bl_idname = "KEYWARP_FH_character"
    bl_label = _TITLE
    bl_import_operator = "keywarp.add_character"
    bl_file_extensions = ";".join((*CHARACTER_FILES, *PICTURES))

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D" and context.mode == "OBJECT"


def kept_path(path: str) -> str:
    """An absolute path as a .blend file keeps it: relative to it, where the user has it so and it is saved."""
    if (
        bpy.data.is_saved
        and bpy.context.preferences.filepaths.use_relative_paths
        and Path(path).is_absolute()
    ):
        with suppress(ValueError):  # another drive
            return str(bpy.path.relpath(path))
    return path


def is_picture(path: str) -> bool:
    return Path(path).suffix.lower() in PICTURES


def draw_demo(layout: Any, text: str) -> bool:
    """An entry that adds the demo character; whether it is installed, else there is none."""
    file = model_pack.demo(preferences.models_folder())
    if file is not None:
        entry = layout.operator(KEYWARP_OT_add_character.bl_idname, text=text, icon="OUTLINER_OB_ARMATURE")
        entry.filepath = str(file)
    return file is not None


def _draw_menu(self: Any, _context: Any) -> None:
    self.layout.operator(KEYWARP_OT_add_character.bl_idname, text=_TITLE, icon="OUTLINER_OB_ARMATURE")
    draw_demo(self.layout, "Keywarp Demo Character")


_CLASSES = (KEYWARP_OT_add_character, KEYWARP_FH_character)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.VIEW3D_MT_image_add.append(_draw_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_image_add.remove(_draw_menu)
    _unregister_classes()
