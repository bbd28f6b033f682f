# SPDX-License-Identifier: GPL-3.0-or-later
"""Layered pictures, mirrored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keywarp.core.layered import DEPTH, DISTANCE, mirrored, own_places

from .layers import layered


def test_what_is_mirrored_twice_is_as_it_was() -> None:
    whole = layered(16, count=2)
    moved = own_places(whole.layers[1].fields[..., DEPTH]) + np.float32(0.25)
    whole = replace(whole, layers=(whole.layers[0], replace(whole.layers[1], places=moved)))
    again = mirrored(mirrored(whole))
    np.testing.assert_allclose(again.joints, whole.joints)
    assert again.layers[0].places is None
    for own, true in zip(again.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(own.seen, true.seen)
        np.testing.assert_array_equal(own.colour, true.colour)
        np.testing.assert_allclose(own.fields, true.fields * true.seen[..., None], atol=1e-6)
    np.testing.assert_array_equal(again.layers[1].places, moved)


def test_mirrored_pixels_are_where_their_mirrors_are() -> None:
    depth = np.random.default_rng(1).normal(0, 0.3, (8, 8)).astype(np.float32)
    places = own_places(depth)
    np.testing.assert_allclose(places[:, ::-1] * (-1, 1), own_places(depth[:, ::-1]), atol=1e-6)
    seen = places / (1 + depth[..., None] / DISTANCE)
    np.testing.assert_allclose((seen[..., 0] + 1) * 4 - 0.5, np.tile(np.arange(8), (8, 1)), atol=1e-5)
    np.testing.assert_allclose((seen[..., 1] + 1) * 4 - 0.5, np.tile(np.arange(8), (8, 1)).T, atol=1e-5)
