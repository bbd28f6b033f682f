# SPDX-License-Identifier: GPL-3.0-or-later
"""The five networks on disk: what is recognised, and what is said of what is not whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.models.registry import model_at
from keywarp.core.models.tha.teacher_files import TeacherSource
from keywarp.core.models.tha.teacher_layout import SEPARABLE, STANDARD, network_shapes
from keywarp.keyframes.errors import KeywarpError

torch = pytest.importorskip("torch")
State = dict[str, dict[str, np.ndarray]]
FILES = [f"{name}.pt" for name in SEPARABLE.networks]


@pytest.fixture
def copy(calm_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(calm_folder, tmp_path / "copy"))


def complaint(path: Path) -> str:
    with pytest.raises(KeywarpError) as caught:
        model_at(path)
    return str(caught.value)


def test_a_folder_and_each_of_its_files(calm_folder: Path, calm: State) -> None:
    found = model_at(calm_folder)
    assert isinstance(found, TeacherSource)
    assert (found.info.form, found.info.space, found.info.side) == ("THA3 separable", "tha45", 512)
    assert found.info.parameters == sum(x.size for tensors in calm.values() for x in tensors.values())
    assert found.info.picture is None
    assert model_at(calm_folder / "editor.pt").info == found.info


def test_half_precision_is_the_same_model_less_precise(copy: Path, calm: State) -> None:
    for file in FILES:
        state = torch.load(copy / file, weights_only=True)
        torch.save({name: value.half() for name, value in state.items()}, copy / file)
    found = model_at(copy)
    assert isinstance(found, TeacherSource)
    assert found.info.form == "THA3 separable"
    weight = found.states()["editor"]["alpha_creator.0.weight"]
    assert weight.dtype == np.float32
    np.testing.assert_allclose(weight, calm["editor"]["alpha_creator.0.weight"], rtol=2e-3, atol=1e-6)


def test_a_missing_network_is_named(copy: Path) -> None:
    (copy / "face_morpher.pt").unlink()
    said = complaint(copy / "editor.pt")
    assert "looks like a THA3 separable" in said
    assert "the face_morpher.pt beside it is missing" in said


def test_an_editor_alone_is_told_for_what_it_is(copy: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(copy / "editor.pt", alone)
    said = complaint(alone)
    assert "editor.pt looks like a THA3 separable editor" in said
    assert all(file in said for file in FILES)


def test_half_of_a_file(copy: Path) -> None:
    file = copy / "two_algo_face_body_rotator.pt"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert "two_algo_face_body_rotator.pt is not a PyTorch checkpoint, or only part of one" in complaint(copy)


def test_missing_tensors_and_wrong_shapes(copy: Path) -> None:
    state = torch.load(copy / "editor.pt", weights_only=True)
    less = {name: value for name, value in state.items() if name != "alpha_creator.0.bias"}
    torch.save(less, copy / "editor.pt")
    assert "1 of 81 tensors are missing, the first is alpha_creator.0.bias" in complaint(copy)
    torch.save({**state, "alpha_creator.0.bias": torch.zeros(5)}, copy / "editor.pt")
    assert "alpha_creator.0.bias has the shape (5,) instead of (4,)" in complaint(copy)


def test_another_networks_and_another_systems_weights(copy: Path) -> None:
    shutil.copy(copy / "eyebrow_decomposer.pt", copy / "editor.pt")
    said = complaint(copy)
    assert "editor.pt holds a THA3 separable eyebrow decomposer, but its name is that of the editor" in said
    torch.save({"conv.weight": torch.zeros(3)}, copy / "editor.pt")
    assert "another system's weights" in complaint(copy)


def test_forms_are_not_mixed(copy: Path) -> None:
    plain = network_shapes(STANDARD, "eyebrow_decomposer")
    torch.save({name: torch.zeros(shape) for name, shape in plain.items()}, copy / "eyebrow_decomposer.pt")
    said = complaint(copy)
    assert "mixes networks that do not belong together" in said
    assert "eyebrow_decomposer.pt a THA3 standard or THA4 teacher eyebrow decomposer" in said


def test_numbers_that_are_none(copy: Path) -> None:
    state = torch.load(copy / "editor.pt", weights_only=True)
    state["alpha_creator.0.bias"][2] = float("nan")
    torch.save(state, copy / "editor.pt")
    for path in (copy, copy / "editor.pt"):
        assert "alpha_creator.0.bias holds numbers that are not finite" in complaint(path)


def test_a_damaged_network_alone_is_named_for_what_it_was(copy: Path, tmp_path: Path) -> None:
    state = torch.load(copy / "editor.pt", weights_only=True)
    del state["alpha_creator.0.bias"]
    for path in (copy / "editor.pt", tmp_path / "downloaded.ckpt"):
        torch.save(state, path)
        said = complaint(path)
        assert f"{path} looks like a THA3 separable editor, but 1 of 81 tensors are missing" in said


def test_a_network_under_another_name(copy: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(copy / "editor.pt", alone / "downloaded.pth.tar")
    for path in (alone, alone / "downloaded.pth.tar"):
        assert "holds a THA3 separable editor, which is looked for as editor.pt" in complaint(path)


def student(folder: Path) -> Path:
    """A student's two files with weights drawn by chance."""
    from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher

    folder.mkdir()
    torch.save(FaceMorpher().state_dict(), folder / "face_morpher.pt")
    torch.save(BodyRotator().state_dict(), folder / "body_morpher.pt")
    return folder


def test_a_students_files_that_are_not_whole_or_not_its_own(copy: Path, tmp_path: Path) -> None:
    folder = student(tmp_path / "student")
    face, body = folder / "face_morpher.pt", folder / "body_morpher.pt"
    assert model_at(face).info == model_at(folder).info
    whole, other = face.read_bytes(), body.read_bytes()
    state = torch.load(face, weights_only=True)
    state["siren.last_linear.bias"][0] = float("inf")
    torch.save(state, face)
    for path in (folder, face):
        assert "siren.last_linear.bias holds numbers that are not finite" in complaint(path)
    del state["siren.last_linear.bias"]
    torch.save(state, face)
    assert "looks like a THA4 student's face morpher, but 1 of 18 tensors are missing" in complaint(face)
    face.write_bytes(other)
    assert "holds a THA4 student's body rotator, but its name is that of the face morpher" in complaint(face)
    shutil.copy(copy / "editor.pt", face)
    assert "face_morpher.pt holds a THA3 separable editor" in complaint(folder)
    face.write_bytes(whole)
    body.unlink()
    for path in (folder, face):
        assert "the body rotator beside it, body_morpher.pt, is missing" in complaint(path)
    face.rename(copy / "editor.pt")
    assert "editor.pt holds a THA4 student's face morpher, which does not belong" in complaint(copy)


@pytest.mark.shared
def test_a_student_stays_a_student(shared: Path) -> None:
    assert model_at(shared / "reference" / "lambda_00").info.form == "THA4 student"
    assert model_at(shared / "reference" / "lambda_00" / "face_morpher.pt").info.form == "THA4 student"


def test_exporting_without_torch_says_what_is_needed(
    calm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYWARP_CACHE", str(tmp_path))
    monkeypatch.setattr("keywarp.core.models.weights.find_spec", lambda name: None)
    with pytest.raises(KeywarpError, match=r"needs PyTorch: install keywarp\[torch\]"):
        model_at(calm_folder).open("cpu")
