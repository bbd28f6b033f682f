# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a checkpoint, so that not every start reads all of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keywarp.core.models.published import Recognised, recognised
from keywarp.core.runtime import digest
from keywarp.core.runtime.cache import cache_folder

KNOWN = Recognised({"splines": 10, "avd": True}, 123, "abc")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of 3 MB, which counts as settled however young it is."""
    monkeypatch.setenv("KEYWARP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digest, "_SETTLED", -1e9)
    path = tmp_path / "weights.ckpt"
    path.write_bytes(bytes(3_000_000))
    return path


def test_a_checkpoint_is_read_once_for_each_kind(file: Path) -> None:
    asked: list[str] = []

    def read(kind: str) -> Recognised | None:
        def ask() -> Recognised:
            asked.append(kind)
            return KNOWN

        return recognised(file, kind, ask)

    assert [read(kind) for kind in ("tpsmm 1", "tpsmm 1", "animo 1", "tpsmm 2", "tpsmm 1")] == [KNOWN] * 5
    assert asked == ["tpsmm 1", "animo 1", "tpsmm 2"]
    file.write_bytes(bytes(2_999_999) + b"x")
    assert read("tpsmm 1") == KNOWN
    assert asked[-1] == "tpsmm 1"


def test_another_systems_file_is_looked_at_each_time(file: Path) -> None:
    asked: list[int] = []
    for number in range(2):
        assert recognised(file, "tpsmm 1", lambda n=number: asked.append(n)) is None  # type: ignore[misc]
    assert asked == [0, 1]


@pytest.mark.parametrize("facts", [{}, [], 3, {"settings": 3, "parameters": 1, "content": "x"}])
def test_what_is_kept_and_damaged_is_read_again(file: Path, facts: object) -> None:
    recognised(file, "tpsmm 1", lambda: KNOWN)
    (kept,) = (cache_folder() / "hashes").iterdir()
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "facts": facts}))
    assert recognised(file, "tpsmm 1", lambda: KNOWN) == KNOWN
