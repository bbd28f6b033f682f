# SPDX-License-Identifier: GPL-3.0-or-later
"""MikuMikuDance's models: what is in the file is in the figure, and damaged files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywarp.core.studio.figure import Figure
from keywarp.core.studio.load import load_figure
from keywarp.core.studio.pmd import read_pmd
from keywarp.core.studio.pmx import read_pmx
from keywarp.keyframes.errors import KeywarpError

from .models import Model, bust, pmd_bytes, pmx_bytes, texture_png

PMX, PMD = pmx_bytes(bust()), pmd_bytes(bust())


def check(figure: Figure, model: Model) -> None:
    np.testing.assert_allclose(figure.positions, [vertex[0] for vertex in model.vertices], atol=1e-6)
    np.testing.assert_allclose(figure.uv, [vertex[1] for vertex in model.vertices], atol=1e-6)
    assert figure.triangles.tolist() == [list(t) for _, _, triangles in model.materials for t in triangles]
    assert np.bincount(figure.surface).tolist() == [len(triangles) for _, _, triangles in model.materials]
    assert figure.bone_names == tuple(name for name, _, _ in model.bones)
    assert figure.bone_parents.tolist() == [parent for _, parent, _ in model.bones]
    strongest = figure.influences[np.arange(len(figure.weights)), figure.weights.argmax(1)]
    assert strongest.tolist() == [bone for _, _, bone in model.vertices]
    np.testing.assert_allclose(figure.weights.sum(1), 1.0, atol=1e-6)
    for name, (_, offsets) in model.morphs.items():
        morph = figure.morphs[name]
        order = np.argsort(morph.vertices)
        assert morph.vertices[order].tolist() == sorted(offsets)
        np.testing.assert_allclose(morph.offsets[order], [offsets[i] for i in sorted(offsets)], atol=1e-6)


@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize("index_bytes", [2, 4])
def test_pmx_is_read_whole(tmp_path: Path, utf8: bool, index_bytes: int) -> None:
    (tmp_path / "SKIN.PNG").write_bytes(texture_png())
    file = tmp_path / "bust.pmx"
    file.write_bytes(pmx_bytes(bust(), utf8, index_bytes))
    figure = load_figure(file)
    check(figure, bust())
    assert [material.name for material in figure.materials] == ["服", "顔", "目", "口"]
    assert figure.textures[0] is not None
    assert figure.textures[0].shape == (128, 128, 4)
    assert figure.textures[1] is None
    assert "lost.png" in figure.notes[0]


def test_pmd_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "skin.png").write_bytes(texture_png())
    file = tmp_path / "bust.pmd"
    file.write_bytes(PMD)
    check(load_figure(file), bust())


def test_groups_of_morphs_move_what_their_members_move() -> None:
    figure = read_pmx(Path("bust.pmx"), PMX)
    total = np.zeros_like(figure.positions)
    for name, weight in bust().groups["驚き総"]:
        for index, offset in bust().morphs[name][1].items():
            total[index] += np.array(offset) * weight
    group = figure.morphs["驚き総"]
    moved = np.zeros_like(total)
    moved[group.vertices] = group.offsets
    np.testing.assert_allclose(moved, total, atol=1e-6)


@given(st.integers(0, max(len(PMX), len(PMD)) - 1))
def test_files_cut_short_are_refused(end: int) -> None:
    for read, data in ((read_pmx, PMX[:-4]), (read_pmd, PMD)):
        with pytest.raises(KeywarpError):
            read(Path("bust"), data[: min(end, len(data) - 1)])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(PMX) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_files_are_read_or_refused(changes: list[tuple[int, int]]) -> None:
    for read, whole in ((read_pmx, PMX), (read_pmd, PMD)):
        data = bytearray(whole)
        for at, value in changes:
            data[at % len(data)] = value
        try:
            figure = read(Path("bust"), bytes(data))
        except KeywarpError as error:
            assert "\n" not in str(error)
        else:
            assert np.isfinite(figure.positions).all()


def test_bones_that_are_each_others_parents_are_refused() -> None:
    from keywarp.core.studio.figure import ordered_bones

    with pytest.raises(KeywarpError, match="each other's parents"):
        ordered_bones("x", np.array([1, 2, 0], np.int32))
    assert ordered_bones("x", np.array([2, 0, -1], np.int32)) == [2, 0, 1]


def test_textures_outside_the_models_folder_are_not_read(tmp_path: Path) -> None:
    from keywarp.core.studio.textures import texture_beside

    folder = tmp_path / "model"
    (folder / "Tex").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(texture_png())
    (folder / "Tex" / "Skin.PNG").write_bytes(texture_png())
    model = folder / "model.pmx"
    assert texture_beside(model, "tex\\skin.png") is not None
    for name in (
        "..\\secret.png",
        "../secret.png",
        str(tmp_path / "secret.png"),
        "",
        "tex",
        "C:\\secret.png",
    ):
        assert texture_beside(model, name) is None


@pytest.mark.parametrize("name", ["character.fbx", "nobody.pmx", "nobody.vrm"])
def test_what_is_no_character_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeywarpError, match=name):
        load_figure(tmp_path / name)


def test_what_blender_opens_needs_blender(tmp_path: Path) -> None:
    (tmp_path / "x.vrm").write_bytes(b"glTF")
    with pytest.raises(KeywarpError, match="--blender"):
        load_figure(tmp_path / "x.vrm")
