# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: every panel draws, the search filters, and what the buttons stand for exists."""

from __future__ import annotations

import shutil

import bpy
from blender_side import CHARACTER
from figures import figure

from keywarp.keyframes.spaces.tha45 import SPACE
from keywarp.plugin.blender import session
from keywarp.plugin.blender.character import adding
from keywarp.plugin.blender.character.properties import face_groups, groups
from keywarp.plugin.blender.panels import pose as pose_panels
from keywarp.plugin.blender.panels import sidebar as panels
from keywarp.plugin.blender.setup import preferences

EVERY = panels._CLASSES
chosen = []
"""What each button that adds a character has set since this was emptied."""


class Adding:
    """The menu *Add > Image*, as far as it is ours."""

    draw = adding._draw_menu


class Layout:
    """In the place of Blender's layout: keeps what is drawn, and checks that it exists."""

    def __init__(self, drawn):
        self.__dict__["drawn"] = drawn

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, name

    def _part(self, *_, **__):
        return Layout(self.drawn)

    row = column = split = box = _part

    def label(self, *, text="", icon="NONE"):
        _icon(icon)
        self.drawn.append(("label", text))

    def progress(self, *, factor, text):
        assert 0.0 <= factor <= 1.0
        self.drawn.append(("progress", text))

    def separator(self):
        pass

    def prop(self, data, name, *, text=None, icon="NONE", placeholder="", slider=False, emboss=True):
        _icon(icon)
        assert name in data.bl_rna.properties, name
        self.drawn.append(("prop", name))

    def prop_decorator(self, data, name):
        assert data.bl_rna.properties[name].is_animatable
        self.drawn.append(("dot", name))

    def operator(self, name, *, text="", icon="NONE", emboss=True, translate=True):
        _icon(icon)
        assert _operator(name), name
        self.drawn.append(("operator", name))
        made = Properties(name)
        if name == "keywarp.add_character":
            chosen.append(made.given)
        return made

    def operator_menu_enum(self, name, choice, *, text="", icon="NONE"):
        assert choice in _operator(name).properties
        self.drawn.append(("operator", name))

    def menu(self, name, *, text="", icon="NONE"):
        _icon(icon)
        assert hasattr(bpy.types, name), name
        self.drawn.append(("menu", name))


class Properties:
    """What ``layout.operator`` answers: takes only what the operator has."""

    def __init__(self, name):
        self.__dict__["known"] = _operator(name).properties
        self.__dict__["given"] = {}

    def __setattr__(self, name, value):
        assert name in self.known, name
        self.given[name] = value
        if self.known[name].type == "ENUM" and not self.known[name].is_enum_flag:
            assert value in self.known[name].enum_items, value


def _operator(name):
    module, verb = name.split(".")
    return getattr(getattr(bpy.ops, module), verb).get_rna_type()


def _icon(name):
    assert name in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items, name


class Region:
    width = 300


class Context:
    """Blender's context, with a region to draw in."""

    region = Region()

    def __getattr__(self, name):
        return getattr(bpy.context, name)


def drawn(kind):
    """What a panel or menu shows."""

    class Self:
        layout = Layout([])
        page = getattr(kind, "page", None)

    for part in ("draw_header", "draw_header_preset", "draw"):
        function = getattr(kind, part, None)
        if function is not None and function.__module__.startswith("keywarp"):
            function(Self(), Context())
    return Self.layout.drawn


def search(words):
    bpy.context.window_manager.keywarp.search = words


def check_every_panel_draws_with_a_character():
    figure()
    search("")
    for kind in EVERY:
        if kind.bl_label == "Driving":
            bpy.context.object.keywarp.space = "driving"  # the last panel of the pose
        assert not hasattr(kind, "poll") or kind.poll(bpy.context), kind
        assert drawn(kind), kind
        bpy.context.object.keywarp.space = ""
        assert kind.bl_category == "Keywarp"


def check_without_a_character_there_is_a_way_to_add_one():
    bpy.context.view_layer.objects.active = None
    shown = drawn(panels.KEYWARP_PT_character)
    assert ("operator", "keywarp.add_character") in shown
    assert ("operator", "keywarp.install_models") in shown
    assert "keywarp-models-VERSION.zip is not installed" in said(shown)
    assert [
        kind
        for kind in EVERY
        if hasattr(kind, "poll") and kind.poll(bpy.context) and kind is not panels.KEYWARP_PT_character
    ] == []


def said(shown):
    """What is written, whatever the lines that it is broken into."""
    return " ".join(" ".join(text for what, text in shown if what == "label").split())


def check_the_demo_character_is_one_click_away():
    bpy.context.view_layer.objects.active = None
    chosen.clear()
    demo = preferences.models_folder() / "demo"
    shutil.copytree(CHARACTER, demo)
    (demo / "character_model.yaml").rename(demo / "character.yaml")
    try:
        shown = drawn(panels.KEYWARP_PT_character)
        assert ("operator", "keywarp.install_models") not in shown
        assert chosen == [{}, {"filepath": str(demo / "character.yaml")}]
        chosen.clear()
        drawn(Adding)
        assert chosen == [{}, {"filepath": str(demo / "character.yaml")}]
        assert bpy.ops.keywarp.add_character(**chosen[1]) == {"FINISHED"}
        assert bpy.context.object.keywarp.character == str(demo / "character.yaml")
    finally:
        shutil.rmtree(demo)


def check_a_missing_model_has_its_button():
    thing = figure()
    session.say(thing.session_uid, "there is no model 'hero': give a folder or file of weights")
    shown = drawn(panels.KEYWARP_PT_character)
    assert ("operator", "keywarp.install_models") in shown
    assert "keywarp-models-VERSION.zip" in said(shown)


def check_every_channel_is_there_once_with_its_dot():
    figure()
    search("")
    shown = [item for kind in pose_panels.CLASSES[1:] if kind.poll(bpy.context) for item in drawn(kind)]
    assert sorted(name for what, name in shown if what == "prop") == sorted(SPACE.names)
    assert sorted(name for what, name in shown if what == "dot") == sorted(SPACE.names)
    assert (
        [kind.bl_label for kind in pose_panels.CLASSES[1:]] == list(groups()) == [*face_groups(), "Driving"]
    )


def check_sides_stand_beside_each_other_as_in_the_picture():
    for group in face_groups():
        for row in pose_panels.rows(pose_panels.found(SPACE, group, "")):
            if len(row) == 2:
                assert [channel.side for channel in row] == ["right", "left"]
                assert row[0].pair == row[1].name
                assert pose_panels.stem(row[0].name) == pose_panels.stem(row[1].name)
            else:
                assert row[0].side is None


def check_the_search_filters_channels_and_hides_groups():
    figure()
    search("wink left")
    shown = [name for kind in pose_panels.CLASSES[1:] for what, name in drawn(kind) if what == "prop"]
    assert shown == ["eye_wink_left", "eye_happy_wink_left"]
    assert [kind.bl_label for kind in pose_panels.CLASSES[1:] if kind.poll(bpy.context)] == ["Eyes"]
    search("HEAD")
    assert [c.name for c in pose_panels.found(SPACE, "Head", "HEAD")] == ["head_x", "head_y", "neck_z"]
    search("zebra")
    assert ("label", "No channel has these words") in drawn(pose_panels.KEYWARP_PT_pose)
    search("")


def check_menus_draw():
    from keywarp.plugin.blender.expressions import operators as expressions

    figure()
    for kind in expressions._CLASSES:
        if issubclass(kind, bpy.types.Menu):
            drawn(kind)
    assert len(drawn(expressions.KEYWARP_MT_expressions)) > 8


def check_every_operator_and_property_has_a_tooltip():
    for name in dir(bpy.ops.keywarp):
        kind = _operator(f"keywarp.{name}")
        assert len(kind.description) > 10, name
        for each in kind.properties:
            if each.identifier == "rna_type" or each.is_hidden:
                continue
            inherited = each.identifier in ("filepath", "check_existing", "filter_glob")
            assert inherited or len(each.description) > 3, (name, each.identifier)
    holders = [
        bpy.types.Object.bl_rna.properties["keywarp"].fixed_type,
        bpy.types.WindowManager.bl_rna.properties["keywarp"].fixed_type,
    ]
    seen = 0
    while holders:
        for each in holders.pop().properties:
            if each.identifier in ("rna_type", "name", "bl_system_properties_get"):
                continue
            assert len(each.description) > 3, each.identifier
            seen += 1
            if each.type == "POINTER" and each.fixed_type.identifier.startswith("KEYWARP"):
                holders.append(each.fixed_type)
    assert seen > 60


def check_a_warning_has_its_button():
    figure()
    scene = bpy.context.scene
    scene.view_settings.view_transform = "Filmic"
    shown = drawn(panels.KEYWARP_PT_character)
    assert ("operator", "keywarp.fix_scene") in shown
    bpy.ops.keywarp.fix_scene()
    assert ("operator", "keywarp.fix_scene") not in drawn(panels.KEYWARP_PT_character)


def check_files_that_nobody_allowed_have_their_button():
    thing = figure()
    thing.keywarp["character"] = "/nowhere/strange.yaml"
    if thing.keywarp.character != "/nowhere/strange.yaml":  # 5.0 keeps properties apart from custom ones
        thing.keywarp.is_character = False
        thing.keywarp.character = "/nowhere/strange.yaml"
        thing.keywarp.is_character = True
    assert ("operator", "keywarp.allow_paths") in drawn(panels.KEYWARP_PT_character)
