# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers as bytes: what is written is read again, and what is damaged is refused in a sentence."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keywarp.core.color import to_srgb8
from keywarp.core.layered import DEPTH, FIELDS, FIRST_SHAPE, Layered, own_places
from keywarp.core.layered_file import MAX_LAYERS, layered_bytes, read_layered
from keywarp.keyframes.errors import KeywarpError

from .layers import Box, layered

HALF = 2.0**-11
"""Relative rounding of a number in half precision."""
SMALLEST = 2.0**-25
WHOLE = layered_bytes(layered(seed=1))


@st.composite
def faces(draw: st.DrawFn) -> tuple[int, Box]:
    """A side, and a box within it, perhaps an empty one."""
    n = draw(st.integers(1, 12))
    top, bottom = sorted(draw(st.tuples(*[st.integers(0, n)] * 2)))
    left, right = sorted(draw(st.tuples(*[st.integers(0, n)] * 2)))
    return n, (top, bottom, left, right)


def assert_alike(found: Layered, wanted: Layered) -> None:
    assert len(found.layers) == len(wanted.layers)
    np.testing.assert_array_equal(found.joints, wanted.joints)
    for own, true in zip(found.layers, wanted.layers, strict=True):
        np.testing.assert_array_equal(own.seen, true.seen)
        assert own.fields.dtype == own.colour.dtype == np.float32
        np.testing.assert_allclose(own.fields, true.fields, rtol=HALF, atol=SMALLEST)
        np.testing.assert_array_equal(to_srgb8(own.colour), to_srgb8(true.colour))


@given(faces(), st.integers(1, 20), st.integers(1, 3), st.integers(0, 1000))
@example((8, (0, 0, 0, 0)), 8, 1, 0)  # nothing moves
@example((8, (0, 8, 0, 8)), 8, 2, 0)  # everything does
@example((8, (7, 8, 0, 1)), 8, 2, 0)  # one pixel in a corner
@example((1, (0, 1, 0, 1)), 1, MAX_LAYERS, 0)
def test_what_is_written_is_read_again(face: tuple[int, Box], m: int, count: int, seed: int) -> None:
    wanted = layered(face[0], m, count, seed, face[1])
    assert_alike(read_layered(layered_bytes(wanted), "somewhere"), wanted)


def test_places_of_a_layer_that_was_photographed_in_a_pose_are_kept() -> None:
    """Within a hundredth of a pixel, where anything is seen."""
    wanted = layered(64, count=2)
    rest, other = wanted.layers
    moved = np.random.default_rng(3).uniform(-0.3, 0.3, (64, 64, 2)).astype(np.float32)
    places = own_places(other.fields[..., DEPTH]) + moved
    found = read_layered(layered_bytes(replace(wanted, layers=(rest, replace(other, places=places)))), "x")
    assert found.layers[0].places is None and found.layers[1].places is not None
    error = np.abs(found.layers[1].places - places)[other.seen]
    assert len(error) > 100 and error.max() < 0.01 * 2 / 64


def test_a_layer_that_shows_nothing_is_kept() -> None:
    one = layered(count=1)
    empty = type(one.layers[0])(
        one.layers[0].colour * 0, one.layers[0].seen & False, one.layers[0].fields * 0
    )
    both = Layered((*one.layers, empty), one.joints)
    assert_alike(read_layered(layered_bytes(both), "somewhere"), both)


def test_numbers_of_what_is_not_seen_are_not_kept() -> None:
    one = layered(seed=3)
    loud = [type(x)(x.colour, x.seen, x.fields + 5 * ~x.seen[..., None]) for x in one.layers]
    assert_alike(read_layered(layered_bytes(Layered(tuple(loud), one.joints)), "somewhere"), one)


def refused(data: bytes) -> str:
    with pytest.raises(KeywarpError) as caught:
        read_layered(data, "here.npz")
    sentence = str(caught.value)
    assert sentence.startswith("here.npz is no whole layered picture (") and sentence.endswith(")")
    assert len(sentence.splitlines()) == 1 and "()" not in sentence
    return sentence


@given(st.integers(0, len(WHOLE) - 1))
@example(0)
def test_bytes_that_are_cut_off_are_refused(length: int) -> None:
    refused(WHOLE[:length])


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)), min_size=1, max_size=4))
def test_bytes_that_are_changed_are_refused_or_make_a_whole_picture(flips: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for place, bits in flips:
        data[place] ^= bits
    try:
        found = read_layered(bytes(data), "here.npz")
    except KeywarpError as error:
        assert str(error).startswith("here.npz is no whole layered picture (")
        return
    for layer in found.layers:  # flips in what nobody reads, such as an entry's time
        n = len(layer.seen)
        assert layer.fields.shape == (n, n, FIELDS) and np.isfinite(layer.fields).all()


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(data: bytes) -> None:
    refused(data)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    arrays = dict(np.load(BytesIO(WHOLE)))
    change(arrays)
    file = BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def put(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda arrays: arrays.update({name: np.asarray(value)})


NOT_A_NUMBER = np.full((FIRST_SHAPE, 8, 8), np.float16(np.nan).view(np.uint16), np.uint16)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("version", 2), "version 2, this keywarp reads 1"),
        (put("version", [1, 1]), ""),
        (put("joints", np.zeros((3, 3))), "four finite points"),
        (put("joints", np.full((4, 3), np.inf)), "four finite points"),
        (put("joints", "somewhere"), ""),
        (put("fields0", np.zeros((FIRST_SHAPE, 8, 7), np.uint16)), "fields have the shape"),
        (put("fields0", np.zeros((FIRST_SHAPE, 0, 0), np.uint16)), "fields have the shape"),
        (put("fields0", np.zeros((FIRST_SHAPE, 8, 8), np.float32)), "fields have the shape"),
        (put("fields0", np.zeros((FIRST_SHAPE, 1025, 1025), np.uint16)), "fields have the shape"),
        (put("fields1", np.zeros((FIRST_SHAPE, 9, 9), np.uint16)), "mask has another size"),
        (put("fields1", NOT_A_NUMBER), ""),
        (put("shapes0", np.zeros((3, 2, 6), np.uint16)), "shapes have the shape"),
        (put("shapes0", np.zeros((FIELDS - FIRST_SHAPE, 2, 6), np.int16)), "outside of it"),
        (put("box0", [2, 4, 2, 9]), "outside of it"),
        (put("box0", [-1, 1, 2, 8]), "outside of it"),
        (put("box0", [4, 2, 2, 8]), "outside of it"),
        (put("box0", [2, 4]), ""),
        (put("box0", [2.0, np.inf, 2, 8]), ""),
        (put("colour0", np.zeros((4, 5, 4), np.uint8)), "colours have the shape"),
        (put("colour0", np.zeros((4, 4, 3), np.uint8)), "colours have the shape"),
        (put("colour0", np.zeros((4, 4, 4), np.float32)), "colours have the shape"),
        (put("colour0", np.zeros((0, 0, 4), np.uint8)), "colours have the shape"),
        (put("seen0", np.zeros((7, 1), np.uint8)), "mask has another size"),
        (put("seen0", np.zeros((8, 8), bool)), ""),
        (put("seen0", np.zeros(8, np.uint8)), ""),
        (lambda arrays: arrays.pop("seen1"), "seen1"),
        (lambda arrays: arrays.pop("joints"), "joints"),
        (lambda arrays: arrays.pop("version"), "version"),
        (lambda arrays: [arrays.pop(f"fields{i}") for i in range(2)], "has 0 layers"),
        (lambda arrays: [put(f"fields{i}", 0)(arrays) for i in range(MAX_LAYERS + 1)], "has 14 layers"),
    ],
)
def test_arrays_that_are_none_of_a_picture_are_refused(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    assert said in refused(changed(change))


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (np.zeros((2, 5, 8), np.uint16), "its places have the shape (2, 5, 8)"),
        (np.zeros((2, 8, 8), np.float32), "its places have the shape"),
        (np.full((2, 8, 8), 0x7C00, np.uint16), "not finite"),
    ],
)
def test_places_that_are_none_are_refused(places: Any, said: str) -> None:
    assert said in refused(changed(put("places0", places)))


def test_layers_of_two_sizes_are_refused() -> None:
    other = dict(np.load(BytesIO(layered_bytes(layered(9, seed=2)))))
    own = {name: value for name, value in other.items() if name.endswith("1")}
    assert "several sizes" in refused(changed(lambda arrays: arrays.update(own)))


def test_a_number_that_is_none_is_refused() -> None:
    assert "not finite" in refused(
        changed(put("fields0", np.cumsum(NOT_A_NUMBER, 2, np.uint16) % 2 + 0x7E00))
    )


class Harmful:
    ran = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Harmful, "ran", True)


def test_nothing_in_it_is_executed() -> None:
    file = BytesIO()
    arrays = dict(np.load(BytesIO(WHOLE)))
    np.savez(file, **{**arrays, "joints": np.array([Harmful()], object)})
    refused(file.getvalue())
    refused(pickle.dumps(Harmful()))
    assert not Harmful.ran


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """Many entries that share one run of zeros, as such files have."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fields0.npy", bytes(16 << 20))
        for number in range(1, 256):
            other = copy(archive.filelist[0])
            other.filename = f"fields{number}.npy"
            archive.filelist.append(other)
    assert len(file.getvalue()) < 1 << 17
    assert "larger than any" in refused(file.getvalue())


def test_a_header_that_promises_more_than_there_is_is_refused() -> None:
    npy = BytesIO()
    np.lib.format.write_array_header_1_0(
        npy, {"descr": "<u2", "fortran_order": False, "shape": (FIRST_SHAPE, 10**6, 10**6)}
    )
    file = BytesIO(WHOLE)
    with zipfile.ZipFile(file) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {**kept, "fields0.npy": npy.getvalue()}.items():
            archive.writestr(name, content)
    refused(out.getvalue())
