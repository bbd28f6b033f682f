# SPDX-License-Identifier: GPL-3.0-or-later
"""Which TPSMM checkpoints are read, and what is said of those that are not."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from keywarp.core.models.registry import model_at
from keywarp.keyframes.errors import KeywarpError

torch = pytest.importorskip("torch")
State = dict[str, dict[str, np.ndarray]]


def saved(path: Path, state: State, **more: object) -> Path:
    tensors = {n: {k: torch.from_numpy(np.array(v)) for k, v in each.items()} for n, each in state.items()}
    torch.save({**tensors, **more}, path)
    return path


def test_what_a_checkpoint_is(narrow_file: Path, narrow_state: State) -> None:
    info = model_at(narrow_file).info
    assert (info.family, info.space, info.side) == ("tpsmm", "driving", 256)
    assert info.parameters == sum(np.size(v) for each in narrow_state.values() for v in each.values())
    assert model_at(narrow_file.parent).info == info
    assert info.head is not None


@pytest.mark.parametrize("folder", [".", "config", "../config"])
def test_a_configuration_beside_it_says_how_large_pictures_are(
    tmp_path: Path, narrow_state: State, folder: str
) -> None:
    file = tmp_path / "checkpoints" / "taichi.pth.tar"
    file.parent.mkdir()
    saved(file, narrow_state)
    config = file.parent / folder / "taichi-384.yaml"
    config.parent.mkdir(exist_ok=True)
    config.write_text("dataset_params: {frame_shape: null}\n")
    info = model_at(file).info
    assert info.side == 384
    assert info.head is None  # a body fills its pictures
    config.write_text("dataset_params: {frame_shape: [512, 512, 3]}\n")
    assert model_at(file).info.side == 512
    config.write_text("dataset_params: {frame_shape: [500, 500, 3]}\n")
    with pytest.raises(KeywarpError, match="500 pixels; a multiple of 32"):
        model_at(file)


def test_optimizers_are_not_read(tmp_path: Path, narrow_state: State) -> None:
    """Their bytes may even be damaged."""
    file = saved(
        tmp_path / "a.pth.tar", narrow_state, optimizer={"state": {0: {"m": torch.full((999,), 7.0)}}}
    )
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    marked = torch.full((999,), 7.0).numpy().tobytes()
    (victim,) = (name for name, data in entries.items() if data == marked)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data[:8] if name == victim else data)
    assert model_at(file).info.family == "tpsmm"


def without(network: str, tensor: str | None = None) -> Callable[[State], object]:
    return lambda state: state.pop(network) if tensor is None else state[network].pop(tensor)


def transposed(state: State) -> None:
    state["inpainting_network"]["final.weight"] = np.zeros((5, 8, 7, 7), np.float32)


def infinite(state: State) -> None:
    state["kp_detector"]["fg_encoder.fc.bias"] = np.full(20, np.inf, np.float32)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            without("inpainting_network"),
            "looks like a TPSMM checkpoint, but its inpainting_network is missing",
        ),
        (
            without("kp_detector", "fg_encoder.fc.bias"),
            r"its kp_detector 1 of \d+ tensors are missing.*fc.bias",
        ),
        (without("dense_motion_network", "maps.weight"), "its dense_motion_network 1 of .*maps.weight"),
        (transposed, r"final.weight has the shape \(5, 8, 7, 7\) instead of \(3, 8, 7, 7\)"),
        (infinite, "fc.bias holds numbers that are not finite"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_named(
    tmp_path: Path, narrow_state: State, change: Callable[[State], object], sentence: str
) -> None:
    state = {network: dict(tensors) for network, tensors in narrow_state.items()}
    change(state)
    file = saved(tmp_path / "x.pth.tar", state)
    with pytest.raises(KeywarpError, match=sentence) as caught:
        model_at(file)
    assert str(file) in str(caught.value)


def test_its_ancestors_are_named(tmp_path: Path, narrow_state: State) -> None:
    file = tmp_path / "vox-cpk.pth.tar"
    saved(file, {"kp_detector": narrow_state["kp_detector"], "generator": {"x": np.zeros(3, np.float32)}})
    with pytest.raises(KeywarpError, match="looks like a checkpoint of FOMM or MRAA"):
        model_at(file)


def test_half_of_a_file_is_named(tmp_path: Path, narrow_file: Path) -> None:
    whole = narrow_file.read_bytes()
    file = tmp_path / "half.pth.tar"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        KeywarpError, match=r"half\.pth\.tar is not a PyTorch checkpoint, or only part of one"
    ):
        model_at(file)


def test_another_systems_weights_are_not_taken(tmp_path: Path) -> None:
    file = saved(tmp_path / "x.pth.tar", {"net": {"weight": np.zeros((2, 2), np.float32)}})
    with pytest.raises(KeywarpError, match="no weights that keywarp knows"):
        model_at(file)


def test_a_folder_of_several_asks_for_one(tmp_path: Path, narrow_file: Path) -> None:
    for name in ("vox.pth.tar", "ted.pth.tar"):
        (tmp_path / name).write_bytes(narrow_file.read_bytes())
    with pytest.raises(KeywarpError, match=r"2 checkpoints \(ted.pth.tar, vox.pth.tar\)"):
        model_at(tmp_path)


def test_without_pytorch_it_says_what_is_needed_once(
    narrow_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = model_at(narrow_file)
    monkeypatch.setenv("KEYWARP_CACHE", str(narrow_file.parent / "none"))
    monkeypatch.setattr("keywarp.core.models.weights.find_spec", lambda name: None)
    with pytest.raises(KeywarpError, match=r"tiny\.pth\.tar has to be turned into ONNX.*keywarp\[torch\]"):
        source.export()  # type: ignore[attr-defined]
