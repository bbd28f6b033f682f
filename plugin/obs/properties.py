# SPDX-License-Identifier: GPL-3.0-or-later
"""A source's properties window, and which of its rows are to be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from . import structs
from .settings import ASKING, DRIVERS, GROUPS, LISTENING, MOUTHS, RATES, SIZES, Settings

if TYPE_CHECKING:
    from .library import Library
    from .registration import Registration

FILES = "Characters and pictures (*.yaml *.yml *.png *.jpg *.jpeg *.webp *.tif *.tiff *.exr);;All files (*)"
CLIPS = "Clips and recordings (*.json *.vmd *.vrma *.csv *.tsv *.xml *.dat *.pgo *.wav);;All files (*)"
CALIBRATE, UNCALIBRATE = "calibrate", "uncalibrate"
DECISIVE = ("character", "driver", "mouth", "size", "idle", "backed")
"""Settings on which it depends what else is to be seen."""


def visible(settings: Settings) -> dict[str, bool]:
    """By name: whether a row is to be seen."""
    driver, trackers = settings.text("driver"), LISTENING + ASKING
    return {
        "model": settings.is_picture,
        "address": driver in trackers,
        "microphone": settings.hears,
        "clip": "clip" in (driver, settings.mouth),
        "mouth": driver != "mic",
        CALIBRATE: driver in trackers,
        UNCALIBRATE: driver in trackers,
        "width": settings.text("size") == "own",
        "height": settings.text("size") == "own",
        "smoothing": driver in trackers or settings.hears,
        "mirror": driver in trackers,
        "sensitivity": settings.is_shaped,
        "limits": settings.is_shaped,
        **{f"idle_{what}": settings.flag("idle") or driver == "idle" for what in ("blink", "breath", "sway")},
        "background": settings.flag("backed"),
    }


def show_rows(library: Library, properties: int, settings: Settings) -> None:
    """Show and hide the rows of a window."""
    for name, seen in visible(settings).items():
        row = library.obs_properties_get(properties, name.encode())
        if row:
            library.obs_property_set_visible(row, seen)


class Window:
    """Builds one window."""

    def __init__(self, library: Library, registration: Registration, source: int) -> None:
        self._library, self._registration, self._source = library, registration, source
        self.properties: int = library.obs_properties_create()
        self._into = self.properties

    def build(self, settings: Settings, status: str, failed: bool) -> int:
        """All rows; the properties' address, which libobs frees."""
        self._say("status", status, failed)
        self._path("character", "Character or picture", structs.PATH_FILE, FILES)
        self._path("model", "Model (empty: keywarp's own)", structs.PATH_DIRECTORY, "")
        self._list("driver", "Driven by", DRIVERS)
        self._text("address", "Address", ADDRESS_HELP)
        self._text("microphone", "Microphone", "A part of its name; empty: the system's own.")
        self._path("clip", "Clip", structs.PATH_FILE, CLIPS)
        self._list("mouth", "Mouth", MOUTHS)
        self._button(CALIBRATE, "Calibrate: look straight ahead, mouth closed, and press")
        self._button(UNCALIBRATE, "Forget the calibration")
        self._slider("smoothing", "Smoothing", 1.0)
        self._flag("mirror", "Mirror")
        self._list("size", "Size", SIZES)
        self._number("width", "Width", 16, 8192, " px")
        self._number("height", "Height", 16, 8192, " px")
        self._list("rate", "Frames per second", RATES)
        self._flag("draft", "Draft: faster, with less detail")
        self._flag("backed", "Colour behind the character")
        self._add("obs_properties_add_color", "background", "Colour")
        self._idle()
        self._groups("sensitivity", "Sensitivity", "sensitivity", 3.0)
        self._groups("limits", "Limits", "limit", 1.0)
        show_rows(self._library, self.properties, settings)
        return self.properties

    # Rows

    def _add(self, function: str, name: str, label: str, *more: object) -> int:
        added: int = getattr(self._library, function)(self._into, name.encode(), label.encode(), *more)
        if name in DECISIVE:
            self._library.obs_property_set_modified_callback2(added, self._registration.modified, None)
        return added

    def _say(self, name: str, text: str, failed: bool) -> None:
        row = self._add("obs_properties_add_text", name, text, structs.TEXT_INFO)
        kind = structs.INFO_ERROR if failed else structs.INFO_NORMAL
        self._library.obs_property_text_set_info_type(row, kind)
        self._library.obs_property_text_set_info_word_wrap(row, True)

    def _path(self, name: str, label: str, kind: int, files: str) -> None:
        self._add("obs_properties_add_path", name, label, kind, files.encode(), None)

    def _list(self, name: str, label: str, choices: Mapping[str, str]) -> None:
        row = self._add("obs_properties_add_list", name, label, structs.COMBO_LIST, structs.FORMAT_STRING)
        for value, shown in choices.items():
            self._library.obs_property_list_add_string(row, shown.encode(), value.encode())

    def _text(self, name: str, label: str, help_text: str) -> None:
        row = self._add("obs_properties_add_text", name, label, structs.TEXT_DEFAULT)
        self._library.obs_property_set_long_description(row, help_text.encode())

    def _number(self, name: str, label: str, least: int, most: int, unit: str) -> None:
        row = self._add("obs_properties_add_int", name, label, least, most, 1)
        self._library.obs_property_int_set_suffix(row, unit.encode())

    def _slider(self, name: str, label: str, most: float) -> None:
        self._add("obs_properties_add_float_slider", name, label, 0.0, most, 0.01)

    def _flag(self, name: str, label: str) -> None:
        self._add("obs_properties_add_bool", name, label)

    def _button(self, name: str, label: str) -> None:
        clicked, source = self._registration.clicked, self._source
        self._library.obs_properties_add_button2(self._into, name.encode(), label.encode(), clicked, source)

    # Groups

    def _idle(self) -> None:
        group = self._begin()
        for what, label in (("blink", "Blinking"), ("breath", "Breathing"), ("sway", "Swaying")):
            self._slider(f"idle_{what}", label, 2.0)
        self._end("idle", "Idle motion", group, structs.GROUP_CHECKABLE)

    def _groups(self, name: str, label: str, each: str, most: float) -> None:
        group = self._begin()
        for part in GROUPS:
            self._slider(f"{each}_{part.lower()}", part, most)
        self._end(name, label, group, structs.GROUP_NORMAL)

    def _begin(self) -> int:
        group: int = self._library.obs_properties_create()
        self._into = group
        return group

    def _end(self, name: str, label: str, group: int, kind: int) -> None:
        self._into = self.properties
        self._add("obs_properties_add_group", name, label, kind, group)


ADDRESS_HELP = (
    "VMC and OpenSeeFace: a port, or the sender's address where it is not this machine; empty: the usual port. "
    "Phones: the address that the app shows, as in 192.168.1.7."
)


def window(
    library: Library,
    registration: Registration,
    source: Optional[int],
    settings: Settings,
    status: str,
    failed: bool,
) -> int:
    """The properties of a source, whose address libobs gets."""
    return Window(library, registration, source or 0).build(settings, status, failed)
