# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes of large files: computed once, and never a wrong one."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from keywarp.core.runtime import digest
from keywarp.core.runtime.cache import cached_folder
from keywarp.core.runtime.digest import file_digest

LONG_AGO = 1_600_000_000 * 10**9


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each file that was hashed as a whole; files count as settled however young they are."""
    sizes: list[int] = []

    def counted(file: object, name: str) -> object:
        sizes.append(os.fstat(file.fileno()).st_size)  # type: ignore[attr-defined]
        return original(file, name)  # type: ignore[arg-type]

    original = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", counted)
    monkeypatch.setattr(digest, "_SETTLED", -1e9)
    return sizes


def weights(path: Path, seed: int, size: int = 3_000_000) -> Path:
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def plain(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def test_a_large_file_is_hashed_once(tmp_path: Path, hashed: list[int]) -> None:
    file = weights(tmp_path / "weights", 1)
    assert [file_digest(file, tmp_path / "memory") for _ in range(3)] == [plain(file)] * 3
    assert hashed == [3_000_000]


def test_a_small_file_leaves_no_trace(tmp_path: Path) -> None:
    file = weights(tmp_path / "weights", 1, 1000)
    assert file_digest(file, tmp_path / "memory") == plain(file)
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize("change", ["size", "time", "inode", "place", "content"])
def test_what_has_changed_is_hashed_again(tmp_path: Path, hashed: list[int], change: str) -> None:
    file, memory = weights(tmp_path / "weights", 1), tmp_path / "memory"
    file_digest(file, memory)
    if change == "size":
        weights(file, 2, 3_000_001)
    elif change == "time":
        content = bytearray(file.read_bytes())
        content[123_456] ^= 1
        file.write_bytes(content)
    elif change == "inode":  # unpacked beside and moved over it, with the times of the archive
        weights(tmp_path / "other", 2).replace(file)
    elif change == "place":
        file = weights(tmp_path / "other", 2)
    else:
        weights(file, 2)
    assert file_digest(file, memory) == plain(file)
    assert len(hashed) == 2


def test_other_weights_with_the_same_times_are_told_apart(
    tmp_path: Path, hashed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing but the content tells, as on file systems without inodes and with times that can be set."""
    status = SimpleNamespace(st_size=3_000_000, st_mtime_ns=LONG_AGO, st_ctime_ns=LONG_AGO, st_ino=0)
    monkeypatch.setattr(os, "fstat", lambda handle: status)
    for seed in (1, 2, 2):
        file = weights(tmp_path / "weights", seed)
        assert file_digest(file, tmp_path / "memory") == plain(file)
    assert len(hashed) == 2


def test_a_file_that_has_just_been_written_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(bytes(3_000_000))
    assert file_digest(file, tmp_path / "memory") == plain(file)
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize(
    "memory", ["", "[]", '{"facts": "00"}', '{"state": [], "facts": 3}', "\udcff", "SAME", '{"state": 1}']
)
def test_a_damaged_memory_is_forgotten(tmp_path: Path, hashed: list[int], memory: str) -> None:
    file = weights(tmp_path / "weights", 1)
    file_digest(file, tmp_path / "memory")
    (kept,) = (tmp_path / "memory").iterdir()
    if memory == "SAME":  # but for what it says
        memory = json.dumps({**json.loads(kept.read_text()), "facts": 64 * "z"})
    kept.write_bytes(memory.encode("utf-8", "surrogateescape"))
    assert file_digest(file, tmp_path / "memory") == plain(file)
    assert len(hashed) == 2


def test_without_a_place_for_its_memory_it_hashes(tmp_path: Path, hashed: list[int]) -> None:
    (tmp_path / "memory").write_text("in the way")
    file = weights(tmp_path / "weights", 1)
    assert file_digest(file, tmp_path / "memory") == plain(file)


def test_the_caches_own_entries_are_hashed_once(
    tmp_path: Path, hashed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYWARP_CACHE", str(tmp_path / "cache"))

    def make(folder: Path) -> None:
        weights(folder / "graph", 1)

    first = cached_folder("entry", make)
    for _ in range(3):
        assert cached_folder("entry", lambda folder: pytest.fail("it is there")) == first
    assert hashed == [3_000_000] * 2  # when it was made, under another name; and when it was first found
