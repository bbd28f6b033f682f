# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of pictures with a table of what they show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keywarp.core.framing import Framing
from keywarp.core.models.registry import find_model
from keywarp.core.training.data import data_files, data_groups
from keywarp.core.training.stream import Stream
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_pictures_with_action_units_as_openface_names_them(tmp_path: Path) -> None:
    names = space("au17").names
    picture(tmp_path / "a.png", (200, 10, 10), (60, 40))
    picture(tmp_path / "more" / "b.png", (10, 200, 10))
    units = np.round(np.random.default_rng(0).uniform(0, 5, (2, 17)), 2)
    rows = [["picture", "frame", *(f"{name}_r" for name in names)]]
    rows += [[name, "1", *map(str, row)] for name, row in zip(("a.png", "more/b.png"), units, strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(", ".join(row) for row in rows), encoding="utf-8")
    data = Stream(data_groups([tmp_path]), space="au17", side=32, shuffled=False)
    first, second = data[0], data[1]
    assert np.array_equal([first.pose, second.pose], units)
    assert not first.paired
    assert first.posed[16, 16, 0] > 0.5 > first.posed[16, 16, 1]
    assert (first.posed[..., 3] == 1).all()
    assert data_files([tmp_path]) == [tmp_path / "labels.csv"]


def test_pictures_with_categories(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (200, 10, 10))
    (tmp_path / "labels.csv").write_text(
        "picture,category,identity\na.png,happy,me\na.png,neutral,me\n", encoding="utf-8"
    )
    data = Stream(data_groups([tmp_path]), space="expressions7", side=32, shuffled=False)
    assert np.array_equal(data[0].pose, space("expressions7").pose({"happy": 1.0}))
    assert np.array_equal(data[1].pose, space("expressions7").rest())
    assert data[0].identity == "me"


def test_animeceleb_as_it_is_handed_out(tmp_path: Path) -> None:
    picture(tmp_path / "basis" / "0012" / "basis.png", (10, 10, 200))
    picture(tmp_path / "rotation" / "7" / "0012" / "0012_0005.png", (200, 10, 10))
    pose = [round(0.01 * i, 2) for i in range(17)] + [-20.0, 5.5, 12.0]
    lines = [["id", "cluster", "file", *(f"p{i}" for i in range(20))]]
    lines += [["0012", "7", name, *map(str, pose)] for name in ("0012_0005.png", "0012_9999.png")]
    (tmp_path / "combined_pose.csv").write_text("\n".join(map(",".join, lines)), encoding="utf-8")
    data = Stream(data_groups([tmp_path]), space="animeceleb20", side=32, shuffled=False)
    assert len(data) == 1  # the other picture's set was not downloaded
    found = data[0]
    assert found.paired
    assert np.array_equal(found.pose, pose)
    assert found.rest[16, 16, 2] > 0.5 > found.rest[16, 16, 0]
    assert found.posed[16, 16, 0] > 0.5


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name,category\na.png,happy\n", "no column `picture`"),
        ("picture,AU01_r\na.png,1\n", "neither a column `category`"),
        ("picture,category\nb.png,happy\n", "line 2: there is no picture b.png"),
        ("picture,category\n../a.png,happy\n", "no picture ../a.png"),
        ("picture,category\na.png\n", "line 2 has 1 columns"),
        ("picture,category\n", "lists no pictures"),
        (
            "picture,mouth,left_eye,right_eye,top_down_head,left_right_head,yaw_head\na.png,x,1,1,0,0,0\n",
            "numbers",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, table: str, said: str) -> None:
    folder = tmp_path / "data"
    picture(folder / "a.png", (1, 2, 3))
    picture(tmp_path / "a.png", (1, 2, 3))
    (folder / "labels.csv").write_text(table, encoding="utf-8")
    with pytest.raises(KeywarpError, match=said) as error:
        data_groups([folder])
    assert "labels.csv" in str(error.value)


def test_unpaired_pictures_train_a_model_that_is_driven_by_categories(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from keywarp.core.models.atw import FAMILY
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.recipe import load_recipe
    from keywarp.core.training.run_folder import Run, read_log
    from keywarp.core.training.runs import export, train

    for number, category in enumerate(("happy", "sad")):
        picture(tmp_path / "data" / f"{category}.png", (200 * number, 90, 60))
    table = "picture,category\nhappy.png,happy\nsad.png,sad\n"
    (tmp_path / "data" / "labels.csv").write_text(table, encoding="utf-8")
    given = load_recipe(FAMILY.recipes, "atw", "categories").with_steps(2)
    network = {**given.network, "width": 4, "critic_width": 4, "critic_steps": 2}
    given = replace(given, side=32, batch=2, network=network)
    train(Run(given, (str(tmp_path / "data"),), 0), tmp_path / "run", Limits(log_steps=1), "cpu")
    logged = set(read_log(tmp_path / "run")[0])
    assert {"critic", "penalty", "adversarial", "driving", "warp", "refine", "cycle"} <= logged
    export(tmp_path / "run", tmp_path / "model")
    animator = find_model(tmp_path / "model").open("cpu")
    state = animator.prepare(np.ones((50, 50, 4), np.float32), Framing.of_square(0, 0, 50))
    happy, half, rest = (
        animator.motion(state, space("expressions7").pose({"happy": value})).flow for value in (1.0, 0.5, 0.0)
    )
    # In between, the motion field is interpolated (papers: ATW, section 4.1).
    assert np.allclose(half, happy / 2, atol=1e-6)
    assert np.abs(rest).max() == 0
