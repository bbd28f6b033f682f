# SPDX-License-Identifier: GPL-3.0-or-later
"""AniMo in the training loop: two domains at once, exact resumption, a model that a clip poses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from keywarp.core.models.animo.files import AniMoSource
from keywarp.core.models.animo.settings import Settings
from keywarp.core.models.registry import find_model
from keywarp.core.training.recipe import Recipe, load_recipe, presets
from keywarp.core.training.run_folder import Run, columns_of, read_log
from keywarp.core.training.sample import Sample
from keywarp.core.training.shards import ShardWriter
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from ...training.samples import pairs_to_learn, sample

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

SIDE = 32
SHORT, GAIN = 24, 1
"""Steps of the short form, and the decibels that it must win."""
TINY = {
    **{"code": 8, "mapping_layers": 1, "warping_width": 4, "warping_limit": 8, "warping_encoders": 3},
    **{
        "warping_decoders": 1,
        "editing_width": 4,
        "editing_limit": 8,
        "editing_layers": 2,
        "editing_blocks": 1,
    },
}
BOTH = {f"{name}_{domain}" for name in ("warp", "warp_pixel", "alpha") for domain in "AV"}
EDITED = {f"{name}_{domain}" for name in ("final", "style", "pixel") for domain in "AV"}


def to_bgra(one: Sample) -> Any:
    assert one.rest is not None
    return one.rest[..., [2, 1, 0, 3]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Shards of drawn heads, and a clip of a human one with its 3D morphable model's coefficients."""
    folder = tmp_path_factory.mktemp("data")
    with ShardWriter(folder / "drawn") as writer:
        for number in range(4):
            writer.add(sample(number, SIDE))
    clip = folder / "human" / "clip"
    clip.mkdir(parents=True)
    for number in range(3):
        assert cv2.imwrite(str(clip / f"{number:07}.png"), to_bgra(sample(number + 9, SIDE)))
    np.save(folder / "human" / "clip.npy", np.random.default_rng(1).normal(size=(3, 70)) * 0.3)
    return folder / "drawn", folder / "human"


def recipe(steps: int, **changed: Any) -> Recipe:
    from keywarp.core.training.families import trainable

    small = load_recipe(trainable("animo").recipes, "animo", "small")
    phases = (replace(small.phases[0], steps=1), replace(small.phases[1], steps=steps - 1))
    return replace(small, **{"side": SIDE, "network": TINY, "phases": phases, **changed})


def trained(folder: Path, given: Recipe, data: tuple[Path, ...]) -> dict[str, np.ndarray]:
    """Everything of the last checkpoint."""
    from keywarp.core.training.checkpoints import PARTS, newest_checkpoint, read_arrays
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import train

    run = Run(given, tuple(str(path) for path in data), 7)
    train(run, folder, Limits(log_steps=1, checkpoint_steps=2), "cpu")
    newest = newest_checkpoint(folder)
    return {f"{part}:{name}": x for part in PARTS for name, x in read_arrays(newest, part).items()}


@pytest.fixture(scope="module")
def whole(data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unbroken run of 4 steps."""
    folder: Path = tmp_path_factory.mktemp("runs") / "whole"
    trained(folder, recipe(4), data)
    return folder


def test_every_preset_is_a_recipe() -> None:
    from keywarp.core.training.families import trainable

    path = trainable("animo").recipes
    for name in presets(path):
        Settings.of(load_recipe(path, "animo", name))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": {"wide": 3}}, "no network setting 'wide'"),
        ({"losses": {"flow": 3}}, "no loss 'flow'"),
        ({"side": 36}, "multiple of 8, from 16 on, not 36"),
        ({"space": "tha45"}, "posed by animeceleb20 and bfm70, not by tha45 and bfm70"),
        ({"second_space": ""}, "not by animeceleb20 and nothing"),
        ({"network": {**TINY, "pose_mapping": "nowhere.npy"}}, r"nowhere\.npy does not exist"),
    ],
)
def test_a_setting_that_cannot_be_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(KeywarpError, match=said):
        Settings.of(recipe(2, **changed))


def test_both_domains_learn_at_once_first_to_warp(whole: Path) -> None:
    rows = [{name for name, value in row.items() if value} for row in read_log(whole)]
    assert rows[0] >= BOTH
    assert not EDITED & rows[0]
    assert all(row >= BOTH | EDITED for row in rows[1:])


def test_the_mapping_is_in_training_what_it_is_afterwards(tmp_path: Path) -> None:
    """In PyTorch, kept with the weights, from a file of the user's."""
    from keywarp.core.models.animo.learner import Mapped
    from keywarp.core.models.animo.pose_mapping import read_matrix

    matrix = np.random.default_rng(2).normal(size=(17, 64))
    np.save(tmp_path / "mine.npy", matrix)
    mapping = Settings.of(recipe(2, network={**TINY, "pose_mapping": str(tmp_path / "mine.npy")})).mapping
    poses = np.random.default_rng(3).uniform(-1, 1, (5, 20))
    found = Mapped(mapping)(torch.from_numpy(poses).float()).numpy()
    np.testing.assert_allclose(found, read_matrix(tmp_path / "mine.npy")(poses), atol=1e-5)


def test_a_run_that_is_interrupted_ends_as_an_unbroken_one(
    whole: Path, data: tuple[Path, Path], tmp_path: Path, full: bool
) -> None:
    from keywarp.core.training.checkpoints import checkpoints

    given = recipe(50 if full else 4)
    unbroken = whole if not full else tmp_path / "unbroken"
    first = trained(unbroken, given, data)
    shutil.copytree(unbroken, tmp_path / "broken")
    shutil.rmtree(checkpoints(tmp_path / "broken" / "checkpoints")[-1])  # what a kill leaves
    again = trained(tmp_path / "broken", given, data)
    assert first.keys() == again.keys()
    assert [name for name, value in first.items() if not np.array_equal(again[name], value)] == []


def test_both_domains_are_scored(whole: Path, data: tuple[Path, Path]) -> None:
    from keywarp.core.training.runs import evaluate

    table = evaluate(whole, data, "cpu")
    assert table["examples"] == 7
    assert table["answer"]["psnr"] > 5
    assert evaluate(whole, data[1:], "cpu")["examples"] == 3


def test_a_run_becomes_a_model_that_a_clip_poses(
    whole: Path, tmp_path: Path, full: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """From a run to frames, by the command line alone."""
    from keywarp.plugin.cli import main

    assert cv2.imwrite(str(tmp_path / "picture.png"), cv2.resize(to_bgra(sample(1, 64)), (96, 64)))
    turn = {"interpolation": "LINEAR", "points": [[0, 0], [1, 20]]}
    clip = {
        "keywarp_clip": 1,
        "space": "animeceleb20",
        "fps": 24,
        "start": 0,
        "end": 1,
        "curves": {"yaw": turn},
    }
    (tmp_path / "clip.json").write_text(json.dumps(clip), encoding="utf-8")
    width, height = (3840, 2160) if full else (240, 160)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setenv("KEYWARP_CACHE", str(tmp_path / "cache"))
        assert main(["export", str(whole), "-o", "model", "--licence", "CC0", "--credit", "nobody"]) == 0
        found = find_model("model")
        assert isinstance(found, AniMoSource)
        assert (found.info.space, found.info.side, found.info.licence) == ("animeceleb20", SIDE, "CC0")
        size = ["--size", f"{width}x{height}", "--device", "cpu"]
        arguments = ["render", "picture.png", "clip.json", "--model", "model", "-o", "frames", *size]
        assert main(arguments) == 0, capfd.readouterr().err
    files = sorted((tmp_path / "frames").glob("*.png"))
    frames = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files]
    assert [frame.shape for frame in frames] == [(height, width, 4)] * 2
    assert (frames[0] != frames[1]).any()


def test_a_model_holds_the_weights_as_the_authors_keep_them(
    whole: Path, data: tuple[Path, Path], tmp_path: Path
) -> None:
    """The checkpoint beside the graphs has the averaged weights of both domains, and the mapping lies beside it; the
    graphs answer as the run's networks do. A graph that is missing is named."""
    import onnxruntime as ort

    from keywarp.core.models.animo.learner import Mapped
    from keywarp.core.models.animo.loading import networks_of
    from keywarp.core.training.runs import export

    export(whole, tmp_path / "model", "CC0", "nobody")
    stored = find_model(tmp_path / "model" / "trained.ckpt")
    assert isinstance(stored, AniMoSource)
    averages = trained(whole, recipe(4), data)  # it is over: only read
    for network, tensors in stored.state.items():
        for name, value in tensors.items():
            assert np.array_equal(value, averages[f"average:{network}.{name}"]), name
    assert "pose_mapping.npy" in stored.info.form
    pose = space("animeceleb20").pose({"yaw": 12.0, "mouth_a": 0.5})
    driving = stored.mapping(pose)[None].astype(np.float32)
    same = Mapped(stored.mapping)(torch.from_numpy(pose[None]).float()).numpy()
    np.testing.assert_allclose(same, driving, atol=1e-6)
    picture = np.random.default_rng(4).uniform(-1, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    given = {"picture": picture}
    for name in ("source", "pose"):
        path = tmp_path / "model" / f"{name}.onnx"
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_outputs()]
        given |= dict(zip(names, session.run(names, given), strict=True)) | {"pose": driving}
    with torch.no_grad():
        wanted = networks_of(stored.state)(torch.from_numpy(picture), torch.from_numpy(driving))
    np.testing.assert_allclose(given["output"], wanted.output, atol=1e-3)
    (tmp_path / "model" / "pose.onnx").unlink()
    with pytest.raises(KeywarpError, match=r"pose\.onnx beside it is missing"):
        find_model(tmp_path / "model")


@pytest.mark.shared
@pytest.mark.slow
def test_eight_real_pairs_are_learnt_by_heart(shared: Path, tmp_path: Path, full: bool) -> None:
    """Rendered ones as a whole under ``--full``; else drawings, and the beginning, which must be well on its way."""
    from keywarp.core.training.families import trainable
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import evaluate, train

    shards = tmp_path / "shards"
    with ShardWriter(shards) as writer:
        for pair in pairs_to_learn(shared / "images", full):
            writer.add(pair)
    given = load_recipe(trainable("animo").recipes, "animo", "small")
    given = given if full else given.with_steps(SHORT)
    minutes = 10 if full else None
    train(Run(given, (str(shards),), 7), tmp_path / "run", Limits(log_steps=1, minutes=minutes), "cpu")
    table = evaluate(tmp_path / "run", [shards], "cpu")
    assert table["unposed"]["psnr"] < 22
    assert table["answer"]["psnr"] >= (30 if full else table["unposed"]["psnr"] + GAIN)
    rows = read_log(tmp_path / "run")
    for name in ("warp_A", "warp_pixel_A", "final_A", "style_A", "pixel_A", "alpha_A"):
        values = columns_of(rows, name)
        part = max(len(values) // 5, 1)
        assert np.mean(values[-part:]) < np.mean(values[:part]), name
