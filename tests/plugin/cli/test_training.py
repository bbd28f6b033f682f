# SPDX-License-Identifier: GPL-3.0-or-later
"""From shards to a rendered frame: train, evaluate, export, render, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keywarp.core.models.atw import FAMILY
from keywarp.core.models.registry import find_model
from keywarp.core.studio.camera import HEADS
from keywarp.core.training.recipe import load_recipe
from keywarp.core.training.sample import Sample
from keywarp.core.training.shards import ShardWriter
from keywarp.keyframes.spaces import space

from .conftest import Runner

pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Discs whose hidden head turns: pictures, poses and flow."""
    folder = tmp_path_factory.mktemp("shards")
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    rest = np.zeros((32, 32, 4), np.uint8)
    rest[np.hypot(x, y) < 0.7] = (200, 120, 90, 255)
    with ShardWriter(folder) as writer:
        for number in range(4):
            posed = np.roll(rest, number, axis=1)
            flow = np.zeros((32, 32, 2), np.float32)
            flow[posed[..., 3] > 0, 0] = -number / 16
            pose = space("animeceleb20gaze").pose({"yaw": 5.0 * number})
            everywhere, poses = np.ones((32, 32), np.float32), {"animeceleb20gaze": pose}
            regions, about = {"face": everywhere}, {"framing": "bust"}
            sample = Sample(
                f"disc-{number}", "disc", posed, poses, rest, flow, everywhere, regions, about=about
            )
            writer.add(sample)
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    small = load_recipe(FAMILY.recipes, "atw", "small")
    network = {**small.network, "width": 4, "critic_width": 4}
    content = {**small.with_steps(2).as_data(), "side": 32, "network": network}
    del content["family"], content["preset"]
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def test_from_shards_to_a_frame(keywarp: Runner, shards: Path, recipe: Path, tmp_path: Path) -> None:
    run, model, frame = tmp_path / "run", tmp_path / "model", tmp_path / "frame.png"
    done = keywarp("train", "atw", "--data", shards, "-o", run, "--preset", recipe, "--device", "cpu")
    assert (done.status, done.out) == (0, f"{run}: atw, 2 of 2 steps\n"), done.err

    done = keywarp("evaluate", run, "--data", shards, "--device", "cpu")
    assert done.status == 0, done.err
    assert "PSNR, dB" in done.out
    assert "face: SSIM" in done.out
    assert Image.open(run / "evaluation.png").width > 500
    table = json.loads((run / "evaluation.json").read_text())
    assert table["answer"]["psnr"] > 20  # untrained, it leaves the picture much as it is
    assert table["unposed"]["psnr"] > 20
    assert table["examples"] == 4

    done = keywarp("export", run, "-o", model, "--licence", "CC0")
    assert find_model(model).info.head == HEADS["bust"], (
        "pictures are framed as those that it has learnt from"
    )
    assert done.status == 0, done.err
    info = keywarp("info", model)
    assert "animeceleb20gaze" in info.out
    assert "CC0" in info.out
    picture = tmp_path / "picture.png"
    Image.fromarray(np.full((90, 90, 4), (90, 120, 200, 255), np.uint8)).save(picture)
    done = keywarp("pose", picture, "--model", model, "--set", "yaw=10", "-o", frame, "--size", "180x180")
    assert done.status == 0, done.err
    assert Image.open(frame).size == (180, 180)
    done = keywarp("train", "atw", "-o", run, "--device", "cpu")
    assert "goes on" in done.err
    assert done.status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no family 'nothing' that can be trained"),
        (["atw"], "--data is missing"),
        (["atw", "--preset", "huge"], "no preset 'huge'"),
        (["atw", "--minutes", "0"], "above 0"),
        (["atw", "--steps", "-3"], "above 0"),
        (["atw", "--space", "face"], "no pose space"),
        (["atw", "--data", "nowhere"], "neither a shard"),
    ],
)
def test_what_cannot_be_trained_is_said(
    keywarp: Runner, tmp_path: Path, arguments: list[str], said: str
) -> None:
    given = [*arguments, *([] if "--data" in arguments or len(arguments) == 1 else ["--data", tmp_path])]
    assert said in keywarp("train", *given, "-o", tmp_path / "run").sentence
    assert not (tmp_path / "run").exists()


def test_vgg_must_be_vgg(keywarp: Runner, shards: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"features.0.weight": torch.zeros(3, 3)}, tmp_path / "net.pth")
    done = keywarp("train", "atw", "--data", shards, "-o", tmp_path / "run", "--vgg", tmp_path / "net.pth")
    assert "no VGG-19" in done.sentence


def test_a_folder_that_is_no_run_is_said(keywarp: Runner, shards: Path, tmp_path: Path) -> None:
    assert "no run of keywarp" in keywarp("export", tmp_path, "-o", tmp_path / "model").sentence
    assert "no run of keywarp" in keywarp("evaluate", tmp_path, "--data", shards).sentence
