# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that are vague about the place, beside a drawing that is not."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

from keywarp.core.layered import BODY, DEPTH, FIELDS, HEAD, shape_fields
from keywarp.core.models.ldi.contours import along_columns, mouth_opening, refined

N = 64
ROWS, COLUMNS = np.mgrid[:N, :N]
SKIN, SHADE, DARK, WHITE = (1.0, 0.9, 0.84), (0.85, 0.65, 0.6), (0.2, 0.12, 0.12), (0.98, 0.98, 0.98)


def painted(*areas: tuple[Any, tuple[float, float, float]]) -> Any:
    """A drawing, (N, N, 4), of areas over each other."""
    drawing = np.zeros((N, N, 4), np.float32)
    for where, colour in areas:
        drawing[where] = (*colour, 1)
    return drawing


def vague(values: Any, blur: float, off: int) -> Any:
    """As a network may say it: passing slowly, and not quite there."""
    return cv2.GaussianBlur(np.roll(values, off, 0).astype(np.float32), (0, 0), blur)


def test_a_column_is_solved_as_any_solver_does() -> None:
    random = np.random.default_rng(3)
    values, trust = random.normal(size=(20, 3, 2)), random.uniform(0.001, 1, (20, 3, 1))
    links = random.uniform(0, 10, (19, 3, 1))
    found = along_columns(values, trust, links)
    for column in range(3):
        steps = sparse.diags([-np.ones(19), np.ones(19)], [0, 1], shape=(19, 20))
        system = sparse.diags(trust[:, column, 0]) + steps.T @ sparse.diags(links[:, column, 0]) @ steps
        wanted = spsolve(system.tocsc(), trust[:, column] * values[:, column])
        assert np.abs(found[:, column] - wanted).max() < 1e-9


def test_a_chin_ends_at_its_line_which_goes_with_it() -> None:
    away = np.hypot(COLUMNS - 31.5, ROWS - 22)
    face, line = away < 20, (away >= 20) & (away < 22)
    neck = (np.abs(COLUMNS - 31.5) < 12) & (ROWS > 30)
    drawing = painted((neck, SHADE), (line, DARK), (face, SKIN))
    seen = drawing[..., 3] > 0
    head = face | line
    truth = np.zeros((N, N, FIELDS), np.float32)
    truth[..., DEPTH] = np.where(head, -0.2, 0.15)
    truth[..., HEAD] = np.where(head, 1, 0.4)
    said = truth.copy()
    for field in (DEPTH, HEAD):
        said[..., field] = vague(truth[..., field], 2.5, 3)
    found = refined(said, seen, drawing)
    chin = (np.abs(COLUMNS - 31.5) < 8) & (ROWS > 34) & head
    below = (np.abs(COLUMNS - 31.5) < 8) & (ROWS > 34) & (away >= 23.5) & (away < 26)
    for field, step in ((DEPTH, 0.35), (HEAD, 0.6)):
        before, after = (np.abs(x[..., field] - truth[..., field]) / step for x in (said, found))
        assert before[below].max() > 0.6  # the slope reaches far beyond the line
        assert after[below].max() < 0.5
        assert after[chin].max() < 0.05 < before[chin].max()  # no pixel of the line stays behind


def test_a_lid_is_its_lash_with_the_skin_above_and_leaves_the_eye() -> None:
    across = np.abs(COLUMNS - 31.5) < 14
    lash, eye = across & (ROWS >= 24) & (ROWS < 28), across & (ROWS >= 28) & (ROWS < 44)
    drawing = painted((np.ones((N, N), bool), SKIN), (eye, WHITE), (lash, DARK))
    way = np.zeros((N, N), np.float32)
    way[lash] = 0.3  # down: y
    way[:24] = np.where(across[:24], 0.3 * np.clip((ROWS[:24] - 4) / 20, 0, 1), 0)
    said = np.zeros((N, N, FIELDS), np.float32)
    blink = shape_fields("eye_wink")
    random = np.random.default_rng(5)
    said[..., blink][..., 1] = vague(way, 1.5, 0) + 0.02 * random.normal(size=(N, N)) * lash
    found = refined(said, np.ones((N, N), bool), drawing)[..., blink][..., 1]
    middle = slice(22, 42)
    for row in (24, 25, 26, 27):
        assert found[row, middle].std() < 0.7 * said[row, middle, blink][:, 1].std()
    assert found[25:27, middle].mean() > 0.22
    assert found[22:24, middle].min() > 0.8 * found[24, middle].mean()  # skin that a smear would come from
    assert found[30:, middle].max() < 0.05
    assert said[28:30, middle, blink][..., 1].mean() > 2 * found[28:30, middle].mean()


def test_depth_that_trembles_is_evened_out_but_not_across_lines() -> None:
    away = np.hypot(COLUMNS - 31.5, ROWS - 31.5)
    hair, face = away < 30, away < 18
    drawing = painted((hair, (0.3, 0.2, 0.5)), (face, SKIN))
    depth = np.where(face, -0.2, 0.1) + away / 300
    random = np.random.default_rng(7)
    said = np.zeros((N, N, FIELDS), np.float32)
    said[..., DEPTH] = depth + 0.02 * random.normal(size=(N, N))
    said[..., BODY] = said[..., HEAD] = 1
    found = refined(said, hair, drawing)[..., DEPTH]
    assert np.abs(found - depth)[hair].mean() < 0.5 * np.abs(said[..., DEPTH] - depth)[hair].mean()
    edge = np.abs(away - 18) < 1.5
    assert np.abs(found - depth)[edge].max() < 0.1  # of a step of 0.3


@pytest.mark.parametrize("drop", [0.1, 0.3])
def test_an_open_mouth_shows_its_inside_down_to_where_the_lip_goes(drop: float) -> None:
    lips = (np.abs(COLUMNS - 31.5) < 8) & (np.abs(ROWS - 30) < 2)
    fields = np.zeros((N, N, FIELDS), np.float32)
    fields[..., shape_fields("mouth_uuu")] = lips[..., None] * 0.05
    below = (ROWS > 30) & (ROWS < 50)
    fields[..., shape_fields("mouth_aaa")][below, 1] = drop
    opening = mouth_opening(fields, np.ones((N, N), bool))
    rows, columns = np.flatnonzero(opening.any(1)), np.flatnonzero(opening.any(0))
    assert opening[lips].all()
    assert (rows[0], rows[-1]) == (27, 31 + int(drop * N / 2) + 2)
    assert (columns[0], columns[-1]) == (22, 41)


def test_a_picture_of_nothing_stays_so() -> None:
    fields, nothing = np.zeros((N, N, FIELDS), np.float32), np.zeros((N, N), bool)
    assert not mouth_opening(fields, nothing).any()
    assert not refined(fields, nothing, np.zeros((N, N, 4), np.float32)).any()
