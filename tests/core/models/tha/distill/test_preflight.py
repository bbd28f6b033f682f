# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at before hours of training begin."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keywarp.core.models.tha.distill.settings import BODY, load_preset
from keywarp.keyframes.errors import KeywarpError

pytest.importorskip("torch")

from keywarp.core.models.tha.distill import preflight


def mask(path: Path, side: int = 512, inverted: bool = False, at: int = 0) -> Path:
    """Two rectangles over eyes and mouth, ``at`` pixels too low."""
    pixels = np.zeros((side, side), np.uint8)
    by = side // 512
    for top, left, height, width in ((110, 210, 30, 92), (165, 236, 30, 40)):
        pixels[(top + at) * by : (top + at + height) * by, left * by : (left + width) * by] = 255
    Image.fromarray(255 - pixels if inverted else pixels).save(path)
    return path


@pytest.mark.parametrize("side", [512, 1024])
def test_a_mask_is_read_where_the_students_face_is(tmp_path: Path, side: int) -> None:
    face = preflight.read_face_mask(mask(tmp_path / "mask.png", side))
    assert face.shape == (128, 128)
    assert face.sum() == 30 * 92 + 30 * 40
    assert face[30, 18] == 1 == face[85, 44]
    assert face[29, 18] == 0 == face[30, 17]


def test_masks_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match="inverted; white marks what moves"):
        preflight.read_face_mask(mask(tmp_path / "inverted.png", inverted=True))
    with pytest.raises(KeywarpError, match="black where the student's face is"):
        preflight.read_face_mask(mask(tmp_path / "low.png", at=200))
    Image.new("L", (300, 200)).save(tmp_path / "flat.png")
    with pytest.raises(KeywarpError, match="512x512 pixels, not 300x200"):
        preflight.read_face_mask(tmp_path / "flat.png")
    with pytest.raises(KeywarpError, match=r"nothing\.png does not exist"):
        preflight.read_face_mask(tmp_path / "nothing.png")


def test_a_full_disk_is_seen_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preflight.check_disk(tmp_path / "student", 1000)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**9))
    with pytest.raises(
        KeywarpError, match=r"about 5\.1 GB while the student learns, of which 1\.0 GB are free"
    ):
        preflight.check_disk(tmp_path / "student" / "deeper", 5 * 10**9)


def test_too_little_memory_is_seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    small, paper = (load_preset(name).recipes[BODY] for name in ("small", "paper"))
    # A sum and an answer of three layers of 90, 180 and 360 channels on ever fewer pixels, and whatever little else.
    pixel = 2 * 3 * (90 + 180 / 4 + 360 / 16) * 4
    assert pixel < preflight.step_bytes(paper) / (8 * 512**2) < 1.2 * pixel
    # Eight whole frames take more than two tiles of two each by as much as they have more pixels.
    more = 8 * 512**2 / (2 * 2 * 32**2)
    assert preflight.step_bytes(paper) / preflight.step_bytes(small) == pytest.approx(more)
    preflight.check_memory(small)
    monkeypatch.setattr(preflight, "free_memory", lambda: 4 * 10**9)
    with pytest.raises(KeywarpError, match=r"of memory, of which 4\.0 GB are free"):
        preflight.check_memory(paper)
    monkeypatch.setattr(preflight, "free_memory", lambda: None)
    preflight.check_memory(paper)
