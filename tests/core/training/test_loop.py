# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: a run that is killed ends as one that is not, however its batches are dealt out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keywarp.core.models.registry import find_model
from keywarp.core.training.recipe import Recipe, load_recipe, recipe_of
from keywarp.core.training.run_folder import Run, columns_of, read_log
from keywarp.core.training.shards import ShardWriter
from keywarp.keyframes.errors import KeywarpError

from .samples import pairs_to_learn, sample

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    with ShardWriter(folder, per_shard=5) as writer:
        for number in range(12):
            writer.add(sample(number, 32))
    return folder


def recipe(steps: int, **changed: Any) -> Recipe:
    from keywarp.core.training.families import trainable

    small = load_recipe(trainable("atw").recipes, "atw", "small").with_steps(steps)
    network = {**small.network, "width": 4, "critic_width": 4}
    return replace(small, **{"side": 32, "network": network, **changed})


def run(folder: Path, given: Recipe, shards: Path, **limits: Any) -> dict[str, np.ndarray]:
    """Train; the weights of the last checkpoint, averages and optimisers' states too."""
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import train

    train(Run(given, (str(shards),), 7), folder, Limits(log_steps=1, **limits), "cpu")
    return state(folder)


def state(folder: Path) -> dict[str, np.ndarray]:
    from keywarp.core.training.checkpoints import PARTS, newest_checkpoint, read_arrays

    newest = newest_checkpoint(folder)
    return {f"{part}:{name}": value for part in PARTS for name, value in read_arrays(newest, part).items()}


def differing(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not np.array_equal(one[name], other[name])]


KILLED = """
import os, signal, sys
from pathlib import Path
from keywarp.core.training.loop import Limits
from keywarp.core.training.recipe import recipe_of
from keywarp.core.training.run_folder import Run
from keywarp.core.training.runs import train
import json
def advance(done, of):
    if done == 33:
        os.kill(os.getpid(), signal.SIGKILL)
given = recipe_of(json.loads(sys.argv[1]), "the test")
limits = Limits(log_steps=1, checkpoint_steps=10)
train(Run(given, (sys.argv[2],), 7), Path(sys.argv[3]), limits, "cpu", None, advance)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_run_that_is_killed_and_resumed_is_the_unbroken_one_bit_for_bit(
    shards: Path, tmp_path: Path
) -> None:
    given = recipe(50)
    given = replace(given, losses={**given.losses, "warp": 0, "adversarial": 0, "detail": 0})
    arguments = [json.dumps(given.as_data()), str(shards), str(tmp_path / "killed")]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    assert [p.name for p in sorted((tmp_path / "killed" / "checkpoints").iterdir())] == [
        "step-00000020",
        "step-00000030",
    ]
    unbroken = run(tmp_path / "unbroken", given, shards)
    resumed = run(tmp_path / "killed", given, shards)
    assert differing(unbroken, resumed) == []
    logs = [[{**row} for row in read_log(tmp_path / name)] for name in ("unbroken", "killed")]
    assert logs[0] == logs[1]
    assert [row["step"] for row in logs[0]] == [str(step) for step in range(1, 51)]


def test_the_seed_decides_the_run(shards: Path, tmp_path: Path) -> None:
    from keywarp.core.training.loop import Limits
    from keywarp.core.training.runs import train

    given = recipe(2)
    first = run(tmp_path / "a", given, shards)
    train(Run(given, (str(shards),), 8), tmp_path / "b", Limits(), "cpu")
    assert differing(first, state(tmp_path / "b"))


def plain(steps: int, **changed: Any) -> Recipe:
    """Without what is drawn at random for a batch as a whole."""
    given = recipe(steps, **changed)
    losses = {"image": 10.0, "warped": 5.0, "flow": 10.0, "refine": 1.0, "driving": 0.1, "cycle": 0.1}
    return replace(given, network={**given.network, "rest_share": 0.0}, losses=losses)


def near(one: dict[str, np.ndarray], other: dict[str, np.ndarray], given: Recipe) -> None:
    """What sets two runs apart is little against the way that they went. Adam goes as far for a gradient of rounding
    errors as for any other, so single weights may differ."""
    from keywarp.core.training.families import trainable
    from keywarp.core.training.losses import detail_difference

    torch.manual_seed(7)
    begun = trainable("atw").learner(given, detail_difference).generator.state_dict()
    names = [f"weights:generator.{name}" for name in begun]
    start, end, end_of_other = (
        np.concatenate([np.asarray(x).ravel() for x in parts])
        for parts in (begun.values(), [one[n] for n in names], [other[n] for n in names])
    )
    assert np.linalg.norm(end_of_other - end) < 0.1 * np.linalg.norm(end - start)


def test_parts_of_a_batch_add_up_to_the_whole(shards: Path, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", plain(3), shards)
    near(whole, run(tmp_path / "parts", plain(3, accumulate=2), shards), plain(3))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo is built for it elsewhere")
def test_two_processes_learn_what_one_does(shards: Path, tmp_path: Path) -> None:
    given = plain(3)
    script = tmp_path / "script.py"
    script.write_text(KILLED.replace("done == 33", "False"), encoding="utf-8")
    arguments = [json.dumps(given.as_data()), str(shards), str(tmp_path / "two")]
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(script),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "KEYWARP_THREADS": "1"}
    done = subprocess.run([*launch, *arguments], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    near(run(tmp_path / "one", given, shards), state(tmp_path / "two"), given)


def test_averages_follow_the_weights(shards: Path, tmp_path: Path) -> None:
    history = []
    for steps in (1, 2, 3):
        given = replace(recipe(3), ema=0.9)
        folder = tmp_path / str(steps)
        from keywarp.core.training.loop import Limits
        from keywarp.core.training.runs import train

        def stop(done: int, of: int, at: int = steps) -> None:
            if done == at:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            train(Run(given, (str(shards),), 7), folder, Limits(checkpoint_steps=1), "cpu", None, stop)
        history.append(state(folder))
    name = "generator.motion.down.0.weight"
    from keywarp.core.training.families import trainable
    from keywarp.core.training.losses import detail_difference

    torch.manual_seed(7)
    expected = (
        trainable("atw").learner(recipe(3), detail_difference).generator.state_dict()[name[10:]].numpy()
    )
    for step, found in enumerate(history):
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * found[f"weights:{name}"]
    assert np.abs(history[-1][f"average:{name}"] - expected).max() < 1e-6


def test_the_time_ends_with_a_checkpoint_of_which_a_model_can_be_made(shards: Path, tmp_path: Path) -> None:
    from keywarp.core.training.runs import export

    run(tmp_path / "run", recipe(1000), shards, minutes=1e-6)
    assert json.loads((tmp_path / "run/checkpoints/step-00000001/progress.json").read_text())["step"] == 1
    assert list((tmp_path / "run/sheets").glob("*.png"))
    assert list((tmp_path / "run/tensorboard").glob("events*")) or not _has_tensorboard()
    export(tmp_path / "run", tmp_path / "model", "CC0", "us")
    info = find_model(tmp_path / "model").info
    assert (info.family, info.side, info.licence, info.credit) == ("atw", 32, "CC0", "us")
    with pytest.raises(KeywarpError, match="no model's folder"):
        export(tmp_path / "run", tmp_path / "run")


def _has_tensorboard() -> bool:
    from importlib.util import find_spec

    return find_spec("tensorboard") is not None


def test_the_folder_says_everything_that_is_needed_to_repeat_it(shards: Path, tmp_path: Path) -> None:
    given = recipe(2)
    run(tmp_path, given, shards)
    there = Run.load(tmp_path)
    assert (there.recipe, there.data, there.seed) == (given, (str(shards),), 7)
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["torch"] == torch.__version__
    assert [shard["name"] for shard in facts["shards"]] == [f"samples-00000{n}.tar" for n in range(3)]
    with pytest.raises(KeywarpError, match="another recipe or seed"):
        run(tmp_path, recipe(3), shards)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda c: (c / "weights.safetensors").write_bytes(b"x" * 100), "no whole safetensors file"),
        (lambda c: (c / "weights.safetensors").unlink(), "missing from the checkpoint"),
        (lambda c: (c / "average.safetensors").replace(c / "weights.safetensors"), "tensors are missing"),
        (lambda c: (c / "progress.json").write_text('{"step": "many"}'), "damaged"),
    ],
)
def test_a_damaged_checkpoint_is_named(shards: Path, tmp_path: Path, damage: Any, said: str) -> None:
    from keywarp.core.training.checkpoints import newest_checkpoint

    run(tmp_path, recipe(4), shards, minutes=1e-6)
    damage(newest_checkpoint(tmp_path))
    with pytest.raises(KeywarpError, match=said):
        run(tmp_path, recipe(4), shards)


def test_a_loss_that_runs_away_ends_the_run_in_words(shards: Path, tmp_path: Path) -> None:
    given = recipe(30)
    fast = replace(given, phases=(replace(given.phases[0], learning_rate=1e30),))
    with pytest.raises(KeywarpError, match="no number any more"):
        run(tmp_path, fast, shards)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": 0}, "above 0"),
        ({"space": "nothing"}, "no pose space"),
        ({"speed": 3}, "no setting 'speed'"),
        ({"losses": {"image": float("nan")}}, "finite"),
        ({"phases": []}, "above 0"),
        ({"phases": [{"name": "a"}]}, "lacks a setting"),
        ({"augmentation": {"spin": 1}}, "no setting 'spin'"),
    ],
)
def test_a_recipe_that_is_none_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(KeywarpError, match=said):
        recipe_of({**recipe(2).as_data(), **change}, "mine")


def test_the_rate_falls_in_a_straight_line_at_the_end() -> None:
    given = recipe(100)
    assert [given.learning_rate(step) for step in (0, 49, 75, 99)] == pytest.approx([1e-3, 1e-3, 5e-4, 2e-5])


def fallen(folder: Path, names: tuple[str, ...]) -> dict[str, float]:
    """The mean of the last fifth of a loss over that of the first fifth."""
    rows = read_log(folder)
    fifth = max(len(rows) // 5, 1)
    columns = {name: np.array(columns_of(rows, name)) for name in names}
    return {name: float(x[-fifth:].mean() / x[:fifth].mean()) for name, x in columns.items()}


PAIRED = ("image", "warped", "flow", "painted", "detail")
CRITICS = ("penalty", "critic_driving", "critic_warp")


@pytest.mark.shared
@pytest.mark.slow
def test_eight_real_pairs_are_learnt_by_heart(shared: Path, tmp_path: Path, full: bool) -> None:
    """Rendered ones as a whole under ``--full``; else drawings, in a shorter form on smaller pictures, which must be
    well on its way."""
    from keywarp.core.training.runs import evaluate

    shards = tmp_path / "shards"
    with ShardWriter(shards) as writer:
        for pair in pairs_to_learn(shared / "images", full):
            writer.add(pair)
    given = load_recipe(_recipes(), "atw", "small")
    if not full:
        given = replace(given.with_steps(80), side=32, network={**given.network, "width": 8})
    run(tmp_path / "run", given, shards, minutes=10 if full else None)
    table = evaluate(tmp_path / "run", [shards], "cpu")
    assert table["unposed"]["psnr"] < 22
    assert table["answer"]["psnr"] >= (30 if full else table["unposed"]["psnr"] + 2)
    assert table["answer"]["flow_error"] < 2
    ratios = fallen(tmp_path / "run", (*PAIRED, *(CRITICS if full else ())))
    assert {name: ratio for name, ratio in ratios.items() if not ratio < 1} == {}


def _recipes() -> Path:
    from keywarp.core.training.families import trainable

    return trainable("atw").recipes


def test_a_phase_with_losses_of_its_own_adds_columns_to_the_log(tmp_path: Path) -> None:
    from keywarp.core.training.run_folder import Log

    with Log(tmp_path, 1) as log:
        log.add(1, {"mask": 0.5})
        log.add(2, {"grid": 0.25, "learning_rate": 0.1})
    with Log(tmp_path, 2) as log:  # resumed behind step 1
        log.add(2, {"grid": 0.125})
    rows = read_log(tmp_path)
    assert [row["step"] for row in rows] == ["1", "2"]
    assert (columns_of(rows, "mask"), columns_of(rows, "grid")) == ([0.5], [0.125])
