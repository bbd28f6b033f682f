# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding libobs on each system, and which versions of it are taken."""

from __future__ import annotations

from typing import Any

import pytest

from keywarp.plugin.obs import library
from keywarp.plugin.obs.library import FUNCTIONS, Library, LibraryError


class Function:
    """A function of a C library, as ctypes has it."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __call__(self, *_arguments: Any) -> int:
        return self.value


class Libobs:
    """A library with libobs's functions."""

    def __init__(self, version: int, without: str = "") -> None:
        for name in FUNCTIONS:
            if name != without:
                setattr(self, name, Function(version))


def version(major: int, minor: int = 0, patch: int = 0) -> int:
    return major << 24 | minor << 16 | patch


def on(platform: str, there: dict[str | None, Any]) -> tuple[Library, list[str | None]]:
    """libobs on a system where these libraries can be loaded; and which names were tried."""
    tried: list[str | None] = []

    def load(name: str | None) -> Any:
        tried.append(name)
        if name not in there:
            raise OSError("not found")
        return there[name]

    return Library(platform, load), tried


@pytest.mark.parametrize("major", range(28, 33))
@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("linux", None),
        ("linux", "libobs.so.30"),
        ("linux", "libobs.so.0"),
        ("win32", "obs.dll"),
        ("darwin", None),
    ],
)
def test_libobs_is_found_under_its_names(platform: str, name: str | None, major: int) -> None:
    found, tried = on(platform, {name: Libobs(version(major, 1, 2))})
    assert found.major == major
    assert tried[-1] == name


def test_a_program_without_libobs_in_it_is_passed_over() -> None:
    found, _ = on("linux", {None: object(), "libobs.so.0": Libobs(version(29))})
    assert found.major == 29


@pytest.mark.parametrize("number", [version(27, 2, 4), version(33), version(0)])
def test_an_unknown_version_is_refused(number: int) -> None:
    whole = f"{number >> 24}.{number >> 16 & 255}.{number & 0xFFFF}"
    with pytest.raises(
        LibraryError, match=f"this is OBS {whole}, and this version of keywarp knows OBS 28 to 32"
    ):
        on("linux", {None: Libobs(number)})


def test_a_missing_function_is_named() -> None:
    with pytest.raises(LibraryError, match="no obs_property_set_visible"):
        on("linux", {None: Libobs(version(30), "obs_property_set_visible")})


@pytest.mark.parametrize("platform", [*library.NAMES, "freebsd14"])
def test_outside_of_obs_the_reason_is_said(platform: str) -> None:
    with pytest.raises(LibraryError, match="Tools > Scripts"):
        on(platform, {})
