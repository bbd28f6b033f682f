# SPDX-License-Identifier: GPL-3.0-or-later
"""The preferences, their buttons, and what of them reaches the engine."""

from __future__ import annotations

import gc
import json
import os
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy

import keywarp.plugin.blender as extension
from keywarp.plugin.blender import session
from keywarp.plugin.blender.panels import manual
from keywarp.plugin.blender.setup import environment, model_pack, preferences
from keywarp.plugin.blender.setup import operators as installing


class Layout:
    """Stands for a panel's layout: keeps what is drawn, and asks Blender for every name in it."""

    def __init__(self, drawn: list[str] | None = None) -> None:
        self.drawn: list[str] = [] if drawn is None else drawn

    def box(self, **_: Any) -> Layout:
        return Layout(self.drawn)

    row = column = split = box

    def label(self, text: str, icon: str = "NONE") -> None:
        assert icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
        self.drawn.append(text)

    def prop(self, data: Any, name: str, text: str | None = None, placeholder: str = "") -> None:
        self.drawn.append(text or data.bl_rna.properties[name].name)

    def operator(self, name: str, text: str = "", icon: str = "NONE") -> Any:
        kind = getattr(bpy.ops.keywarp, name.removeprefix("keywarp.")).get_rna_type()
        assert kind.description
        self.drawn.append(text or kind.name)
        return SimpleNamespace()

    def progress(self, factor: float, text: str) -> None:
        self.drawn.append(text)


def ours() -> Any:
    """The preferences, as when the extension is enabled in Blender's."""
    addons = bpy.context.preferences.addons
    name = extension.__name__
    addon = addons.get(name)
    if addon is None:
        addon = addons.new()
        addon.module = name
    return addon.preferences


def drawn() -> str:
    layout = Layout()
    region = SimpleNamespace(region=SimpleNamespace(width=500))
    preferences.KeywarpPreferences.draw(SimpleNamespace(layout=layout, **values(ours())), region)
    return "\n".join(layout.drawn)


def values(chosen: Any) -> dict[str, Any]:
    return {
        name: getattr(chosen, name) for name in (*preferences.KeywarpPreferences.__annotations__, "bl_rna")
    }


def check_every_choice_reaches_the_engine() -> None:
    folder = Path.cwd()
    ours().device, ours().cache_folder, ours().address = "cpu", str(folder), " /run/engine.json "
    settings = preferences.engine_settings()
    assert settings.device == "cpu"
    assert settings.address == "/run/engine.json"
    assert settings.environment["KEYWARP_CACHE"] == str(folder / "keywarp-cache")
    assert settings.environment["KEYWARP_MODELS"].split(os.pathsep)[0] == str(preferences.models_folder())


def check_a_change_of_device_ends_the_engine() -> None:
    ours().device = "auto"
    first = session.engine()
    ours().device = "cpu"
    assert session.engine() is not first


def check_without_choices_there_is_a_folder_for_everything() -> None:
    cache = os.environ.pop("KEYWARP_CACHE")
    try:
        settings = preferences.engine_settings()
    finally:
        os.environ["KEYWARP_CACHE"] = cache
    assert settings.address is None and settings.command is None and settings.device == "auto"
    user = Path(bpy.utils.resource_path("USER"))
    for path in (settings.log, settings.environment["KEYWARP_CACHE"], settings.environment["KEYWARP_MODELS"]):
        assert user in Path(path).parents


def check_the_address_of_a_running_engine_comes_from_outside_too() -> None:
    os.environ["KEYWARP_ENGINE"] = "/run/other.json"
    try:
        assert preferences.engine_settings().address == "/run/other.json"
        ours().address = "/run/engine.json"
        assert preferences.engine_settings().address == "/run/engine.json"
    finally:
        del os.environ["KEYWARP_ENGINE"]


def check_the_preferences_say_that_nothing_is_installed() -> None:
    text = drawn()
    assert "The engine is not installed yet." in text
    assert "Install Engine" in text and "Remove" not in text.splitlines()


def check_an_installed_engine_is_shown_and_started_and_removed() -> None:
    root = preferences.engine_root()
    python = environment.python_of(root / "v-0001")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    environment.put_in_use(root, environment.Installed("v-0001", "1.2.3", "3.13", False))
    text = drawn()
    assert "1.2.3, Python 3.13" in text and "Repair" in text and "Remove" in text
    original, preferences.version = preferences.version, lambda: "2.0.0"
    try:
        assert "The engine is of version 1.2.3, Keywarp of 2.0.0: press Repair" in " ".join(drawn().split())
    finally:
        preferences.version = original
    assert preferences.engine_settings().command == [str(python), "-s", "-u", "-m", "keywarp.core.engine"]
    assert bpy.ops.keywarp.remove_engine() == {"FINISHED"}
    assert environment.installed(root) is None and not python.exists()


def check_a_copy_without_its_wheel_says_so() -> None:
    try:
        bpy.ops.keywarp.install_engine()
    except RuntimeError as error:
        assert "install the extension from its .zip file" in str(error)
    else:
        raise AssertionError("there is no wheel in the sources")


def check_long_texts_are_broken_between_words_and_paths_where_they_must() -> None:
    def fits(part: str) -> bool:
        return len(part) <= 12

    text = "/home/artist/hero.yaml is not there: pick it"
    lines = preferences.wrapped(text, fits)
    assert lines == ["/home/artist", "/hero.yaml", "is not", "there: pick", "it"], lines
    assert preferences.wrapped("ab cd", lambda part: False) == ["a", "b", "c", "d"]
    assert preferences.wrapped("", fits) == []


def check_clearing_the_cache_leaves_what_is_not_ours() -> None:
    folder = Path.cwd()
    ours().cache_folder = str(folder)
    (folder / "keywarp-cache" / "student").mkdir(parents=True)
    (folder / "keywarp-cache" / "student" / "a.onnx").write_bytes(bytes(3_000_000))
    (folder / "holiday").mkdir()
    preferences.forget_cache_size()
    assert "Cache: 3 MB" in drawn()
    assert bpy.ops.keywarp.clear_cache() == {"FINISHED"}
    assert "Cache: 0 MB" in drawn()
    assert (folder / "holiday").is_dir() and not (folder / "keywarp-cache").exists()


def pack(models: dict[str, bytes], **more: str) -> str:
    path = Path.cwd() / "keywarp-models-1.2.3.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("keywarp-models.json", json.dumps({"models": list(models)}))
        for name, data in models.items():
            file.writestr(f"{name}/weights.onnx", data)
        for name, text in more.items():
            file.writestr(name, text)
    return str(path)


def check_models_are_unpacked_and_named() -> None:
    assert bpy.ops.keywarp.install_models(filepath=pack({"hero": b"weights"})) == {"FINISHED"}
    assert (preferences.models_folder() / "hero" / "weights.onnx").read_bytes() == b"weights"
    assert "Models: hero" in drawn()
    assert bpy.ops.keywarp.install_models(filepath=pack({"hero": b"newer"})) == {"FINISHED"}
    assert (preferences.models_folder() / "hero" / "weights.onnx").read_bytes() == b"newer"


def refusal(filepath: str) -> str:
    before = sorted(preferences.models_folder().rglob("*"))
    try:
        bpy.ops.keywarp.install_models(filepath=filepath)
    except RuntimeError as error:
        assert sorted(preferences.models_folder().rglob("*")) == before
        return str(error)
    raise AssertionError("it was taken")


def check_a_file_that_is_no_pack_of_models_is_refused() -> None:
    damaged = Path.cwd() / "damaged.zip"
    damaged.write_bytes(b"PK\3\4 and so on")
    assert "is damaged or no .zip file" in refusal(str(damaged))
    other = Path.cwd() / "other.zip"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("holiday.txt", "sun")
    assert "holds no models" in refusal(str(other))
    assert "would land outside" in refusal(pack({"hero": b""}, **{"hero/../../../evil": "x"}))
    assert "would land outside" in refusal(pack({"hero": b""}, **{"/etc/evil": "x"}))
    assert "plain names" in refusal(pack({"..": b""}))
    assert "could not be unpacked" in refusal(str(Path.cwd() / "nowhere.zip"))


def check_every_page_of_the_manual_is_there() -> None:
    text = (Path(extension.__file__).resolve().parents[2] / "docs" / "blender.md").read_text(encoding="utf-8")
    headings = {line[3:].lower().replace(" ", "-") for line in text.splitlines() if line.startswith("## ")}
    pages = {page for _, page in manual.PAGES} - {"index"}
    assert pages <= headings, pages - headings
    assert manual.address("pose").startswith("file://")


def names() -> list[str]:
    """All that an add-on can leave behind by name."""
    found = [f"type {name}" for name in dir(bpy.types) if "keywarp" in name.lower()]
    found += [f"operator {name}" for name in dir(bpy.ops.keywarp)]
    handlers = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    for name, each in handlers.items():
        if isinstance(each, list):
            found += [f"handler {name}" for function in each if "keywarp" in function.__module__]
    found += [
        f"property {name}" for name in ("Object", "Scene") if hasattr(getattr(bpy.types, name), "keywarp")
    ]
    return found


def resident() -> float:
    """Megabytes of memory that this process holds now; looked at on Linux."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0.0
    return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def check_switching_it_off_and_on_twenty_times_leaves_nothing() -> None:
    extension.unregister()
    assert names() == []
    extension.register()
    wanted = names()
    assert any(name.startswith("type ") for name in wanted)
    before = resident()
    for _ in range(20):
        extension.unregister()
        assert names() == []
        extension.register()
        assert names() == wanted
    gc.collect()
    assert resident() - before < 50


def check_a_module_that_fails_takes_the_others_back() -> None:
    extension.unregister()
    original = installing.register

    def fail() -> None:
        raise RuntimeError("not today")

    installing.register = fail
    try:
        extension.register()
    except RuntimeError as error:
        assert str(error) == "not today"
    else:
        raise AssertionError("the failure was swallowed")
    finally:
        installing.register = original
    assert names() == []
    extension.register()


def check_what_is_missing_is_said_with_what_to_press() -> None:
    session.use_engine(None)
    character = Path.cwd() / "picture.yaml"
    character.write_text("keywarp: 1\npicture: picture.png\nmodel: hero\n")
    try:
        bpy.ops.keywarp.add_character(filepath=str(character))
    except RuntimeError as error:
        assert "press Install Engine in Keywarp's preferences" in str(error), error
    else:
        raise AssertionError("there is no engine")
    said = session.in_words("there is no model 'hero': give a folder or file of weights")
    assert "keywarp-models-VERSION.zip" in said and "Install Models" in said
    assert (
        model_pack.file_name("1.2.3+b00112233") == model_pack.file_name("1.2.3") == "keywarp-models-1.2.3.zip"
    )
