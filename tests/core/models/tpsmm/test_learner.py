# SPDX-License-Identifier: GPL-3.0-or-later
"""TPSMM in the training loop: it learns, resumes exactly, and becomes a model that a video drives."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from keywarp.core.color import from_srgb8
from keywarp.core.driving import Driving
from keywarp.core.models.registry import find_model
from keywarp.core.models.tpsmm.files import TpsmmSource
from keywarp.core.models.tpsmm.settings import Settings
from keywarp.core.training.recipe import Recipe, load_recipe, presets
from keywarp.core.training.run_folder import Run, columns_of, read_log
from keywarp.core.training.sample import Sample
from keywarp.core.training.shards import ShardWriter
from keywarp.keyframes.errors import KeywarpError

from ...training.samples import pairs_to_learn, sample
from . import videos

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

SIDE = 32
SHORT, GAIN = 24, 1
"""Steps of the short form, and the decibels that it must win."""
TINY = {
    **{"splines": 2, "encoder_width": 4, "motion_width": 4, "motion_limit": 8, "motion_depth": 2},
    **{"inpainting_width": 4, "inpainting_limit": 8, "inpainting_depth": 2, "bottleneck": 4},
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    with ShardWriter(folder, per_shard=5) as writer:
        for number in range(6):
            writer.add(sample(number, SIDE))
    return folder


def recipe(steps: int, **changed: Any) -> Recipe:
    from keywarp.core.training.families import trainable

    small = load_recipe(trainable("tpsmm").recipes, "tpsmm", "small").with_steps(steps)
    phases = (replace(small.phases[0], steps=steps - 1), replace(small.phases[1], steps=1))
    return replace(small, **{"side": SIDE, "network": TINY, "phases": phases, **changed})


def trained(folder: Path, given: Recipe, data: Path) -> dict[str, np.ndarray]:
    """Everything of the last checkpoint."""
    from keywarp.core.training.checkpoints import PARTS, newest_checkpoint, read_arrays
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import train

    train(Run(given, (str(data),), 7), folder, Limits(log_steps=1, checkpoint_steps=2), "cpu")
    newest = newest_checkpoint(folder)
    return {f"{part}:{name}": x for part in PARTS for name, x in read_arrays(newest, part).items()}


@pytest.fixture(scope="module")
def whole(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unbroken run of 4 steps, or 50."""
    folder: Path = tmp_path_factory.mktemp("runs") / "whole"
    trained(folder, recipe(4), shards)
    return folder


def test_every_preset_is_a_recipe() -> None:
    from keywarp.core.training.families import trainable

    path = trainable("tpsmm").recipes
    for name in presets(path):
        Settings.of(load_recipe(path, "tpsmm", name))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": {"wide": 3}}, "no network setting 'wide'"),
        ({"losses": {"style": 3}}, "no loss 'style'"),
        ({"side": 40}, "multiple of 16, from 32 on, not 40"),
        ({"space": "tha45"}, "driven by a video, space driving, not tha45"),
        ({"batch": 1}, "two examples or more"),
    ],
)
def test_a_setting_that_cannot_be_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(KeywarpError, match=said):
        Settings.of(recipe(2, **changed))


def without_last_checkpoint(run: Path, out: Path) -> Path:
    """What a kill after the last but one leaves."""
    from keywarp.core.training.checkpoints import checkpoints

    shutil.copytree(run, out)
    shutil.rmtree(checkpoints(out / "checkpoints")[-1])
    return out


def test_a_run_that_is_interrupted_ends_as_an_unbroken_one(
    whole: Path, shards: Path, tmp_path: Path, full: bool
) -> None:
    given = recipe(50 if full else 4)
    unbroken = whole if not full else tmp_path / "unbroken"
    first = trained(unbroken, given, shards)
    again = trained(without_last_checkpoint(unbroken, tmp_path / "broken"), given, shards)
    assert first.keys() == again.keys()
    assert [name for name, value in first.items() if not np.array_equal(again[name], value)] == []
    assert first["weights:clock.updates"] == given.phases[0].steps


def test_the_avd_network_learns_alone_and_last(whole: Path) -> None:
    rows = read_log(whole)
    assert [bool(row.get("avd")) for row in rows] == [False, False, False, True]
    assert [bool(row.get("equivariance")) for row in rows] == [True, True, True, False]
    # The background is taken to be still for the first tenth of these three steps.
    assert [bool(row.get("background")) for row in rows] == [False, True, True, False]


def test_narrow_networks_have_exact_gradients() -> None:
    """The strided shortcuts of ResNet, of few channels that lie last in memory: as in double precision."""
    from keywarp.core.models.tpsmm.resnet import BasicBlock

    torch.manual_seed(3)
    block = BasicBlock(4, 8, 2).to(memory_format=torch.channels_last)
    picture = torch.randn(4, 4, 8, 8).to(memory_format=torch.channels_last)
    found = []
    for kind in (torch.float32, torch.float64):
        x = picture.detach().to(kind).requires_grad_(True)
        block.to(kind).zero_grad()
        block(x).square().sum().backward()
        found.append([x.grad.double(), *(p.grad.double() for p in block.parameters())])
    for single, double in zip(*found, strict=True):
        assert torch.allclose(single, double, atol=1e-3, rtol=1e-3)


def test_in_mixed_precision_geometry_keeps_its_own() -> None:
    """The same splines and weights: what the networks' rounding changes of the map stays below a pixel."""
    from keywarp.core.models.tpsmm.networks import Tpsmm

    torch.manual_seed(2)
    networks = Tpsmm(Settings.of(recipe(4)).form).eval()
    picture, points = torch.rand(2, 3, SIDE, SIDE), torch.rand(2, 10, 2) - 0.5
    dense, found = networks.dense_motion_network, []
    for mixed in (False, True):
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            found.append(dense(dense.down(picture), points, points + 0.1).deformation)
            detected = networks.kp_detector(picture)
    assert found[1].dtype == detected.dtype == torch.float32
    assert (found[0] - found[1]).abs().max() < 0.02


def test_a_run_becomes_a_model_that_a_video_drives(
    whole: Path, tmp_path: Path, full: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """From a run to frames, by the command line alone."""
    from keywarp.plugin.cli import main

    video = videos.write_video(tmp_path / "actor.mp4", 3)
    picture = cv2.resize(to_bgra(sample(1, 64)), (96, 64))
    assert cv2.imwrite(str(tmp_path / "picture.png"), picture)
    width, height = (3840, 2160) if full else (240, 160)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setenv("KEYWARP_CACHE", str(tmp_path / "cache"))
        assert main(["export", str(whole), "-o", "model", "--licence", "CC0", "--credit", "nobody"]) == 0
        found = find_model("model")
        assert isinstance(found, TpsmmSource)
        assert (found.info.space, found.info.side, found.info.licence) == ("driving", SIDE, "CC0")
        arguments = [
            "render",
            "picture.png",
            video.name,
            "--model",
            "model",
            "-o",
            "frames",
            "--device",
            "cpu",
        ]
        size = ["--size", f"{width}x{height}", "--driving-mode", "avd"]
        assert main([*arguments, *size]) == 0, capfd.readouterr().err
    files = sorted((tmp_path / "frames").glob("*.png"))
    frames = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in files]
    assert [frame.shape for frame in frames] == [(height, width, 4)] * 3
    assert (frames[0] != frames[2]).any()


def to_bgra(one: Sample) -> Any:
    assert one.rest is not None
    return one.rest[..., [2, 1, 0, 3]]


def test_a_model_holds_the_weights_as_the_authors_keep_them(whole: Path, tmp_path: Path) -> None:
    """The checkpoint beside the graphs answers as they do; a graph that is missing is named."""
    from keywarp.core.framing import Framing
    from keywarp.core.training.runs import export

    export(whole, tmp_path / "model", "CC0", "nobody")
    driving = Driving(videos.write_video(tmp_path / "actor.mp4", 3), "standard")
    square = sample(1, 64)
    assert square.rest is not None
    picture = from_srgb8(square.rest)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYWARP_CACHE", str(tmp_path / "cache"))
        for path in (tmp_path / "model", tmp_path / "model" / "trained.pth.tar"):
            source = find_model(path)
            assert isinstance(source, TpsmmSource)
            assert source.info.side == SIDE
            animator = source.driven(driving).open("cpu")
            state = animator.prepare(picture, Framing.of_square(0, 0, 64))
            found.append(animator.motion(state, np.array([2.0, 1.0])))
    assert np.abs(found[0].image - found[1].image).max() < 1e-3
    assert np.abs(found[0].flow - found[1].flow).max() < 1e-3
    (tmp_path / "model" / "pose.onnx").unlink()
    with pytest.raises(KeywarpError, match=r"pose\.onnx beside it is missing"):
        find_model(tmp_path / "model")


def test_videos_are_learnt_from_and_scored_by(tmp_path: Path) -> None:
    """A folder with a video and one with frames, of which any two make a pair."""
    from keywarp.core.training.runs import evaluate

    data = tmp_path / "data"
    (data / "frames").mkdir(parents=True)
    videos.write_video(data / "one.mp4", 4)
    for number in range(3):
        assert cv2.imwrite(str(data / "frames" / f"{number:03}.png"), to_bgra(sample(number, SIDE)))
    trained(tmp_path / "run", recipe(2), data)
    table = evaluate(tmp_path / "run", [data], "cpu")
    assert table["examples"] == 7
    assert table["unposed"]["psnr"] > 10
    assert "warping_error" in table["answer"]


@pytest.mark.shared
@pytest.mark.slow
def test_eight_real_pairs_are_learnt_by_heart(shared: Path, tmp_path: Path, full: bool) -> None:
    """Rendered ones as a whole under ``--full``; else drawings, and the beginning, which must be well on its way."""
    from keywarp.core.training.families import trainable
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import evaluate, train

    data = tmp_path / "shards"
    with ShardWriter(data) as writer:
        for pair in pairs_to_learn(shared / "images", full):
            writer.add(pair)
    given = load_recipe(trainable("tpsmm").recipes, "tpsmm", "small")
    given = given if full else given.with_steps(SHORT)
    minutes = 10 if full else None
    train(Run(given, (str(data),), 7), tmp_path / "run", Limits(log_steps=1, minutes=minutes), "cpu")
    table = evaluate(tmp_path / "run", [data], "cpu")
    assert table["unposed"]["psnr"] < 22
    assert table["answer"]["psnr"] >= (30 if full else table["unposed"]["psnr"] + GAIN)
    rows = read_log(tmp_path / "run")
    slow = (
        "equivariance",
        "background",
        "avd",
    )  # what moves by chance more than in the few steps of the beginning
    for name in ("perceptual", "pixel", "warp", "alpha", *(slow if full else ())):
        values = columns_of(rows, name)
        part = max(len(values) // 5, 1)
        assert np.mean(values[-part:]) < np.mean(values[:part]), name
