# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache: entries that are whole, damage, and what clearing may take."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from keywarp.core.runtime.cache import cache_entries, cached_folder, clear_cache
from keywarp.keyframes.errors import KeywarpError


@pytest.fixture(autouse=True)
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the user chose."""
    monkeypatch.setenv("KEYWARP_CACHE", str(tmp_path))
    return tmp_path


class Maker:
    """Fills an entry, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "a").write_bytes(b"some content")
        (folder / "b").write_bytes(b"")


def test_an_entry_is_made_once() -> None:
    make = Maker()
    first, second = (cached_folder("entry", make) for _ in range(2))
    assert first == second and make.times == 1
    assert (first / "a").read_bytes() == b"some content"
    assert cache_entries()


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "added"])
def test_a_damaged_entry_is_made_anew(damage: str) -> None:
    make = Maker()
    file = cached_folder("entry", make) / "a"
    if damage == "gone":
        file.unlink()
    elif damage == "added":
        file.with_name("c").write_text("not ours")
    else:
        file.write_bytes(b"some" if damage == "cut" else b"some CONTENT")
    assert (cached_folder("entry", make) / "a").read_bytes() == b"some content"
    assert make.times == 2
    assert not file.with_name("c").exists()


def test_clearing_leaves_what_is_not_ours(chosen: Path) -> None:
    thesis = chosen / "documents" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    cached_folder("entry", Maker())
    assert clear_cache() > 0
    assert cache_entries() == []
    assert thesis.read_text() == "years of work"


def test_what_cannot_be_removed_is_said(chosen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_folder("entry", Maker())
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as where files are in use, or not ours
    with pytest.raises(KeywarpError, match="could not be removed"):
        clear_cache()


def test_nothing_is_left_of_an_entry_that_could_not_be_made() -> None:
    def fail(folder: Path) -> None:
        (folder / "a").write_bytes(b"half")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        cached_folder("entry", fail)
    assert cache_entries() == []
