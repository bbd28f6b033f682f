# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault of a picture is named, and only that one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from keywarp.core.check import Finding, check_picture
from keywarp.core.color import linear_to_srgb, srgb_to_linear
from keywarp.core.framing import Framing
from keywarp.core.head import HeadBox
from keywarp.core.picture import Picture, PictureFile, read_picture

SQUARE = Framing.of_square(0, 0, 512)


def perfect(size: int = 512) -> Picture:
    """A figure with its head in rows 64 to 192 of 512, a face with eyes and a mouth, soft clean edges."""
    by = 4 * size // 512
    colour = np.full((512 * by, 512 * by, 3), 0.25, np.float32)
    mask = np.zeros(colour.shape[:2], np.uint8)

    def disc(image: np.ndarray, x: float, y: float, rx: float, ry: float, value: object) -> None:
        cv2.ellipse(
            image, (round(x * by), round(y * by)), (round(rx * by), round(ry * by)), 0, 0, 360, value, -1
        )

    disc(mask, 256, 128, 60, 64, 255)
    disc(mask, 256, 250, 100, 35, 255)
    cv2.rectangle(mask, (238 * by, 128 * by), (274 * by, 240 * by), 255, -1)
    cv2.rectangle(mask, (156 * by, 250 * by), (356 * by, 512 * by), 255, -1)
    disc(colour, 256, 142, 42, 46, (0.8, 0.6, 0.5))
    for x in (235, 277):
        disc(colour, x, 148, 12, 10, (0.9, 0.9, 0.9))
        disc(colour, x, 148, 6, 9, (0.02, 0.02, 0.05))
    disc(colour, 256, 174, 10, 3, (0.3, 0.05, 0.05))
    fine = np.dstack([colour, np.ones(mask.shape, np.float32)]) * (mask > 0)[..., None]
    return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def file(pixels: Picture, has_alpha: bool = True, name: str = "girl.png") -> PictureFile:
    return PictureFile(Path(name), np.ascontiguousarray(pixels), "PNG", 8, has_alpha, "sRGB")


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize("size", [512, 1024])
def test_a_perfect_picture_has_no_findings(size: int) -> None:
    assert check_picture(file(perfect(size))) == []
    assert check_picture(file(perfect(size)), framing=Framing.of_square(0, 0, size)) == []


def test_a_picture_without_alpha() -> None:
    picture = perfect()
    finding = only(check_picture(file(picture + (1 - picture[..., 3:]), has_alpha=False)))
    assert finding.severity == "warning"
    assert "no transparency" in finding.what and "PNG" in finding.remedy


def test_alpha_that_is_opaque_everywhere() -> None:
    picture = perfect()
    finding = only(check_picture(file(picture + (1 - picture[..., 3:]))))
    assert "opaque everywhere" in finding.what


def test_a_background_that_was_left_in() -> None:
    picture = perfect()
    picture[:, :90] = picture[:, 422:] = (0.5, 0.5, 0.5, 1)
    picture[:20] = (0.5, 0.5, 0.5, 1)
    assert any("background is not transparent" in f.what for f in check_picture(file(picture)))


def test_a_hazy_background() -> None:
    picture = perfect()
    haze = np.float32([0.05, 0.05, 0.05, 0.06])
    finding = only(check_picture(file(picture + haze * (picture[..., 3:] == 0))))
    assert "haze" in finding.what


def test_a_head_outside_of_the_models_box_gets_the_line_that_frames_it() -> None:
    picture = np.roll(perfect(), 80, axis=1)
    assert check_picture(file(picture)) == []  # it will be framed by the head
    finding = only(check_picture(file(picture, name="my girl.png"), framing=SQUARE))
    assert finding.severity == "error"
    assert "128x128 pixels at 192,64" in finding.what
    assert "keywarp new 'my girl.png' --head " in finding.remedy
    assert finding.remedy.endswith(" -o 'my girl.yaml'")
    x, y, w, h = (float(v) for v in finding.remedy.split("--head ")[1].split()[0].split(","))
    assert abs(x + w / 2 - 336) < 8 and abs(y - 64) < 8 and abs(y + h - 192) < 16


def test_a_given_head_is_believed() -> None:
    picture = file(perfect())
    assert check_picture(picture, HeadBox(192, 64, 128, 128), SQUARE) == []
    findings = check_picture(picture, HeadBox(20, 300, 128, 128), SQUARE)
    assert findings[0].remedy.endswith("keywarp new girl.png --head 20,300,128,128 -o girl.yaml")
    findings = check_picture(picture, HeadBox(20, 300, 128, 128), SQUARE, model="my models/a")
    assert "--head 20,300,128,128 --model 'my models/a' -o" in findings[0].remedy


@pytest.mark.parametrize(("size", "severity"), [(256, "warning"), (128, "error")])
def test_a_head_that_is_too_small(size: int, severity: str) -> None:
    small = cv2.resize(perfect(), (size, size), interpolation=cv2.INTER_AREA)
    findings = [f for f in check_picture(file(small)) if f.severity != "hint"]
    finding = only(findings)
    assert finding.severity == severity
    assert "enlarged" in finding.what and "--hd PICTURE" in finding.remedy


def test_a_small_head_is_no_fault_where_larger_artwork_is_named() -> None:
    small = file(cv2.resize(perfect(), (256, 256), interpolation=cv2.INTER_AREA))
    assert any("enlarged" in f.what for f in check_picture(small))
    assert not any("enlarged" in f.what for f in check_picture(small, hd=Path("large.png")))


def test_a_large_head_in_a_picture_of_few_pixels() -> None:
    crop = perfect(1024)[100:500, 312:712]
    assert any("400x400" in f.what and f.severity == "warning" for f in check_picture(file(crop)))


def test_no_silhouette_to_find_a_head_by() -> None:
    noise = np.ones((600, 600, 4), np.float32)
    noise[..., :3] = np.random.default_rng(0).random((600, 600, 3))
    findings = check_picture(file(noise, has_alpha=False))
    assert any("no head" in f.what and "keywarp new girl.png --head" in f.remedy for f in findings)


def test_a_wholly_transparent_picture() -> None:
    finding = only(check_picture(file(np.zeros((600, 600, 4), np.float32))))
    assert finding.severity == "error" and "transparent" in finding.what


@pytest.mark.parametrize(("value", "word"), [(1.0, "light"), (0.0, "dark")])
def test_the_fringe_of_a_former_background(value: float, word: str) -> None:
    picture = perfect(1024)
    alpha = picture[..., 3:]
    straight = linear_to_srgb(picture[..., :3] / np.maximum(alpha, 1e-6))
    mixed = srgb_to_linear((straight * alpha + value * (1 - alpha)).astype(np.float32))
    picture[..., :3] = mixed * alpha
    assert f"{word} fringe" in only(check_picture(file(picture))).what


def test_a_translucent_body() -> None:
    assert "translucent" in only(check_picture(file(perfect() * np.float32(0.8)))).what


def test_a_character_cut_by_the_pictures_side() -> None:
    # The head reaches from column 392 to 632 of 1024.
    finding = only(check_picture(file(perfect(1024)[:, 440:]), HeadBox(-48, 128, 256, 256)))
    assert "left edge" in finding.what


def test_a_crown_cut_by_the_upper_edge() -> None:
    findings = check_picture(file(perfect(1024)[180:]))
    assert "upper edge" in only(findings).what


def test_several_figures() -> None:
    picture = np.concatenate([perfect(), perfect()], axis=1)
    assert "2 separate figures" in only(check_picture(file(picture))).what


def test_eyes_and_mouth_that_cannot_be_made_out() -> None:
    picture = perfect()
    solid = picture[..., 3:] * np.float32([0.25, 0.25, 0.25, 1])
    whats = [f.what for f in check_picture(file(solid))]
    assert len(whats) == 2 and "no eyes" in whats[0] and "no mouth" in whats[1]
    half = picture.copy()
    half[:165, :256] = solid[:165, :256]
    finding = only(check_picture(file(half)))
    assert finding.severity == "hint" and "picture's left" in finding.what


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["images/raven_aria1.png", "images/raven_ol1.png", "reference/lambda_00/character.png"]
)
def test_pictures_drawn_for_the_models_have_no_faults(shared: Path, name: str) -> None:
    assert check_picture(read_picture(shared / name), framing=SQUARE) == []


@pytest.mark.shared
@pytest.mark.parametrize("name", ["renpy_eileen_happy_1080", "renpy_lucy_happy"])
def test_good_illustrations_have_no_faults_when_framed_by_the_head(shared: Path, name: str) -> None:
    assert check_picture(read_picture(shared / "images" / f"{name}.png")) == []
