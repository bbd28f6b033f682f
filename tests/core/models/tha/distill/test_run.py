# SPDX-License-Identifier: GPL-3.0-or-later
"""Distillation from a teacher by formula: what is learnt, what is written, and that it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from keywarp.core.framing import Framing
from keywarp.core.models.registry import model_at
from keywarp.core.models.tha import student_layout as layout
from keywarp.core.picture import read_picture
from keywarp.core.resample import square_picture
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

Advance = Callable[[int, int], None]
FAST = ((0, 5e-4),)
"""Learning rates for a few steps."""


def plan(teacher: Any, face_steps: int, body_steps: int, **changed: Any) -> Any:
    """The small preset with a bank of four poses and less to look at."""
    from keywarp.core.models.tha.distill.plan import Plan
    from keywarp.core.models.tha.distill.settings import BODY, FACE, load_preset

    preset = replace(load_preset("small"), poses=4, checked=0)
    given = preset.recipes
    recipes = {
        FACE: replace(
            given[FACE].with_steps(face_steps),
            rates=FAST,
            batch=4,
            network={**given[FACE].network, "pixels": 256},
        ),
        BODY: replace(
            given[BODY].with_steps(body_steps),
            rates=FAST,
            batch=2,
            network={**given[BODY].network, "tiles": 2, "tile": 16},
        ),
    }
    return replace(Plan.of(preset, teacher, 3), recipes={**recipes, **changed})


@contextmanager
def quiet(what: str) -> Iterator[Advance]:
    yield lambda done, of: None


def stopping(part: str, at: int) -> Any:
    """A stage that breaks off in ``part`` after ``at`` steps."""

    @contextmanager
    def stage(what: str) -> Iterator[Advance]:
        def advance(done: int, of: int) -> None:
            if what == part and done == at:
                raise InterruptedError

        yield advance

    return stage


def distilled(
    folder: Path, given: Any, teacher: Any, stage: Any = quiet, minutes: float | None = None
) -> Any:
    from keywarp.core.models.tha.distill.run import Distillation

    return Distillation(folder, given, teacher, minutes, "cpu").run(stage)


def weights(folder: Path) -> dict[str, Any]:
    from keywarp.core.training.checkpoints import PARTS, newest_checkpoint, read_arrays

    return {
        f"{part}:{kind}:{name}": value
        for part in ("face_morpher", "body_morpher")
        for kind in PARTS
        for name, value in read_arrays(newest_checkpoint(folder / "training" / part), kind).items()
    }


@pytest.mark.slow
def test_every_loss_falls_and_the_folder_draws_what_the_networks_do(tmp_path: Path, full: bool) -> None:
    from keywarp.core.models.tha.distill.settings import BODY

    from .puppet import Puppet

    teacher, folder = Puppet(), tmp_path / "student"
    steps = 300 if full else 40
    given = plan(teacher, steps, steps)
    # The last phase alone, which weighs all of table 1's losses.
    body = given.recipes[BODY]
    alone = replace(body, phases=(replace(body.phases[2], steps=steps),))
    given = replace(given, recipes={**given.recipes, BODY: alone})
    outcome = distilled(folder, given, teacher)
    assert outcome.steps == {"face_morpher": (steps, steps), "body_morpher": (steps, steps)}
    assert outcome.placed
    assert not (folder / "training" / "teacher").exists()
    for part, names in (
        ("face_morpher", {"whole", "movable"}),
        ("body_morpher", {"flow", "warp", "direct", "final"}),
    ):
        begun, ended = _losses(tmp_path / "bank", given, teacher, part, folder)
        assert begun.keys() == ended.keys() == names
        for name in names:
            assert ended[name] < 0.9 * begun[name], (part, name)
    _is_as_published(folder)
    _draws_what_the_networks_do(folder)


def _losses(
    at: Path, given: Any, teacher: Any, part: str, folder: Path
) -> tuple[dict[str, float], dict[str, float]]:
    """On the same lessons: of networks as they begin, and of those in the folder."""
    from keywarp.core.models.tha.distill.bank import Bank
    from keywarp.core.models.tha.distill.learner import StudentLearner
    from keywarp.core.models.tha.distill.lessons import BankLessons, put_together
    from keywarp.core.models.tha.distill.settings import Settings

    recipe, bank = given.recipes[part], Bank(at, given.poses, given.seed, True)
    bank.fill(teacher, torch.device("cpu"))
    lessons = BankLessons(bank, replace(Settings.of(recipe), tiles=8), 1)
    lesson = put_together([lessons[place] for place in range(4)])
    found = []
    for state in (None, torch.load(folder / f"{part}.pt", weights_only=True)):
        torch.manual_seed(given.seed)
        learner = StudentLearner(recipe, teacher, np.ones((128, 128), np.float32))
        if state is not None:
            learner.network.load_state_dict(state)
        torch.manual_seed(1)
        with torch.no_grad():
            found.append({name: float(term) for name, term in learner.losses(part, lesson).items()})
    return found[0], found[1]


def _is_as_published(folder: Path) -> None:
    """Files, names, shapes and types as THA4's own programs expect them, which look settings up by name; whose the
    weights are stands beside."""
    settings = yaml.safe_load((folder / "character_model.yaml").read_text())
    assert (settings.pop("licence"), settings.pop("credit")) == ("CC0", "a test")
    assert settings == {
        "character_image_file_name": "character.png",
        "face_morpher_file_name": "face_morpher.pt",
        "body_morpher_file_name": "body_morpher.pt",
    }
    for name, shapes, size in (
        ("face_morpher", layout.face_morpher_shapes(), 491_887),
        ("body_morpher", layout.body_rotator_shapes(), 1_332_713),
    ):
        state = torch.load(folder / f"{name}.pt", weights_only=True)
        assert {key: tuple(value.shape) for key, value in state.items()} == shapes
        assert {value.dtype for value in state.values()} == {torch.float32}
        assert abs((folder / f"{name}.pt").stat().st_size - size) < 4096
    own = yaml.safe_load((folder / "character.yaml").read_text())
    assert (own["model"], own["licence"], own["defaults"]) == (".", "CC0", {"mouth_aaa": 0.0})
    assert read_picture(folder / "character.png").pixels.shape == (512, 512, 4)


def _draws_what_the_networks_do(folder: Path) -> None:
    from keywarp.core.models.tha.cover import Cover
    from keywarp.core.models.tha.student import StudentAnimator, StudentState
    from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher, pose_picture

    animator = model_at(folder).open("cpu")
    assert isinstance(animator, StudentAnimator)
    square = square_picture(read_picture(folder / "character.png").pixels, Framing.of_square(0, 0, 512), 512)
    state = StudentState(square.copy(), np.zeros((128, 128, 4), np.float32), Cover.everything())
    face, body = FaceMorpher(), BodyRotator()
    for network, name in ((face, "face_morpher"), (body, "body_morpher")):
        network.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
    picture = torch.from_numpy(square.transpose(2, 0, 1)[None].copy()) * 2 - 1
    pose = space("tha45").pose({"head_y": 0.7, "eye_wink_left": 1})
    with torch.inference_mode():
        expected = pose_picture(face, body, picture, torch.from_numpy(pose[None]).float())
    motion = animator.motion(state, pose)
    image = expected["image"][0].permute(1, 2, 0).numpy() * 0.5 + 0.5
    assert np.abs(motion.image - image.clip(0, 1)).max() < 1e-3
    assert np.abs(motion.flow - expected["flow"][0].permute(1, 2, 0).numpy()).max() < 1e-3


@pytest.mark.slow
def test_what_is_broken_off_and_resumed_is_the_unbroken_one(tmp_path: Path, full: bool) -> None:
    from keywarp.core.models.tha.distill.plan import Plan

    from .puppet import Puppet

    teacher = Puppet()
    steps = 50 if full else 6
    given = plan(teacher, steps, steps)
    distilled(tmp_path / "whole", given, teacher)
    with pytest.raises(InterruptedError):
        distilled(tmp_path / "broken", given, teacher, stopping("body morpher", 1))
    there = Plan.load(tmp_path / "broken" / "training")
    assert there == given
    # The time is over after a step, of which a checkpoint stays and a student is made; then it goes on from there.
    short = distilled(tmp_path / "broken", there, teacher, minutes=1e-6)
    assert short.steps == {"face_morpher": (steps, steps), "body_morpher": (1, steps)}
    assert model_at(tmp_path / "broken").info.form == "THA4 student"
    distilled(tmp_path / "broken", there, teacher)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert one.keys() == other.keys()
    assert [name for name in one if not np.array_equal(one[name], other[name])] == []


def test_a_time_shortens_the_schedule_and_the_teachers_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With so little time there is a step of each phase, and as few poses as make sense."""
    from keywarp.core.models.tha.distill import run
    from keywarp.core.models.tha.distill.plan import Plan
    from keywarp.core.training.run_folder import Run

    from .puppet import Puppet

    monkeypatch.setattr(run, "_LEAST_POSES", 2)
    teacher = Puppet()
    outcome = distilled(tmp_path, plan(teacher, 5000, 5000), teacher, minutes=1e-6)
    recipes = [Run.load(tmp_path / "training" / part).recipe for part in ("face_morpher", "body_morpher")]
    assert [recipe.steps for recipe in recipes] == [1, 3]
    assert outcome.steps["face_morpher"] == (1, 1)
    assert len(list((tmp_path / "training" / "teacher").glob("*.face.npy"))) == 2
    # Finished, it stays as it is, and learns on where there is time again: here a step of each network.
    there = Plan.load(tmp_path / "training")
    whole = {"face_morpher": (1, 1), "body_morpher": (3, 3)}
    assert [distilled(tmp_path, there, teacher).steps for _ in range(2)] == [whole, whole]
    longer = distilled(tmp_path, there, teacher, minutes=1e-6)
    assert longer.steps == {"face_morpher": (2, 2), "body_morpher": (4, 6)}


def test_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from .puppet import Puppet

    monkeypatch.setenv("WORLD_SIZE", "2")
    teacher = Puppet()
    with pytest.raises(KeywarpError, match="without torchrun"):
        distilled(tmp_path, plan(teacher, 1, 3), teacher)


def test_another_teacher_is_no_continuation() -> None:
    from .puppet import Puppet

    with pytest.raises(KeywarpError, match="another teacher"):
        plan(Puppet(), 1, 3).check(Puppet("other"), Path("folder"))


def test_variants_compare_but_are_no_students(tmp_path: Path) -> None:
    from keywarp.core.models.tha.distill.settings import Preset, changed

    from .puppet import Puppet

    teacher = Puppet()
    given = plan(teacher, 1, 3)
    preset = changed(Preset("small", given.poses, 0, given.recipes), "vanilla", (1, 3), None)
    outcome = distilled(tmp_path, replace(given, recipes=preset.recipes), teacher)
    assert not outcome.placed
    assert not (tmp_path / "character_model.yaml").exists()
