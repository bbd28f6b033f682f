# SPDX-License-Identifier: GPL-3.0-or-later
"""Distillation from beginning to end: the teacher's answers, one network after the other, the student's folder."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from keywarp.core.models.tha import student_layout as layout
from keywarp.core.models.tha.distill import judged
from keywarp.core.models.tha.distill.bank import Bank, bytes_of_pose, half, moving_parts
from keywarp.core.models.tha.distill.folder import write_mask, write_pictures, write_student
from keywarp.core.models.tha.distill.judged import Check
from keywarp.core.models.tha.distill.learner import StudentLearner
from keywarp.core.models.tha.distill.lessons import BankLessons, NewPoses, put_together
from keywarp.core.models.tha.distill.plan import Plan
from keywarp.core.models.tha.distill.poses import poses
from keywarp.core.models.tha.distill.preflight import check_disk, check_memory, read_face_mask
from keywarp.core.models.tha.distill.settings import BODY, FACE, PARTS, Settings
from keywarp.core.models.tha.distill.teacher import FACE as FACE_PLACE
from keywarp.core.models.tha.distill.teacher import Teacher
from keywarp.core.models.tha.student_torch import BodyRotator, FaceMorpher
from keywarp.core.motion import FloatImage
from keywarp.core.render.drawing import write_drawing
from keywarp.core.runtime.session import worker_count
from keywarp.core.training.checkpoints import newest_checkpoint, read_part, read_progress
from keywarp.core.training.judging import with_weights
from keywarp.core.training.loop import Limits, Trainer, choose_torch_device
from keywarp.core.training.recipe import Recipe
from keywarp.core.training.run_folder import RUN_FILE, Run, write_text
from keywarp.core.training.runs import begin
from keywarp.core.training.sheets import Row, sample_sheet
from keywarp.keyframes.errors import KeywarpError

Advance = Callable[[int, int], None]
Stage = Callable[[str], AbstractContextManager[Advance]]
"""What a stretch of the work is called, to something that is told how far it is."""

TRAINING, BANK, MASK = "training", "teacher", "face_mask.png"
EVALUATION, SHEET = "evaluation.json", "evaluation.png"
_TEACHER_SHARE = 0.3
"""Share of the minutes in which the teacher is asked, at most."""
_FACE_SHARE = 0.3
"""Share of what is left then in which the face morpher learns."""
_STEPS_SHARE = 0.88
"""Share of a network's time that goes into steps; the rest is for sheets and checkpoints."""
_CHECKPOINT_MINUTES = 2.0
"""From one checkpoint to the next; they are small."""
_LEAST_POSES = 16
_TIMED_POSES, _TIMED_STEPS = 2, 3
_POSES_A_CHECK = 8
_FACES = 64
"""Faces by whose differences the movable parts are found."""
_SHOWN, _SHEETS, _LEAST_STEPS = 3, 4, 50
"""Lines of a sheet, sheets of a network's training, and the fewest steps from one to the next."""

Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a distillation has come to."""

    scores: Scores
    """See ``judged.scores``."""
    steps: Mapping[str, tuple[int, int]]
    """By part: steps that are done, and that there are to do."""
    placed: bool
    """Whether the folder holds a student; variants of its architecture are only compared."""


class Distillation:
    """One student in the making; goes on where its folder holds the plan of one."""

    def __init__(
        self, folder: Path, plan: Plan, teacher: Teacher, minutes: float | None = None, device: str = "auto"
    ) -> None:
        """``minutes``: wall-clock time from now on into which the schedules are fitted; ``None``: the plan's steps.
        Raises ``KeywarpError`` where disk or memory do not suffice, and in a run of several processes."""
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise KeywarpError("a student is distilled by one process; start it without torchrun")
        self._began = time.monotonic()
        self._minutes, self._out, self.folder = minutes, folder, folder / TRAINING
        self._longer = False
        self.plan, self.teacher = plan, teacher
        self._device = choose_torch_device(device)
        torch.set_num_threads(worker_count())
        if self._device.type == "cpu":
            check_memory(plan.recipes[BODY])
        there = sum(file.stat().st_size for file in (self.folder / BANK).glob("*.npy"))
        check_disk(folder, max(plan.poses * bytes_of_pose(teacher.draws) - there, 0))

    def run(self, stage: Stage, mask: FloatImage | None = None) -> Outcome:
        """Everything that is still to be done. ``mask``: (128, 128), the movable parts of the face; ``None``: found
        from how the teacher's faces differ. A student that is finished is taught for the minutes that were given."""
        self._longer = self._minutes is not None and all(map(self._is_finished, PARTS))
        write_pictures(self._out, self.teacher.subject)
        bank = self._asked(stage)
        if mask is not None or not (self.folder / MASK).exists():
            write_mask(self.folder / MASK, self._found(bank) if mask is None else mask)
        movable = read_face_mask(self.folder / MASK)
        with stage("comparing") as advance:
            checked = judged.checks(self.teacher, self.plan.seed, self.plan.checked, self._device, advance)
        for part in PARTS:
            with stage(part.replace("_", " ")) as advance:
                self._train(part, bank, movable, checked, advance)
        outcome = self._finish(checked)
        if bank is not None and all(done == of for done, of in outcome.steps.values()):
            bank.remove()
        return outcome

    def _left(self) -> float | None:
        """Seconds of the time that was given."""
        return None if self._minutes is None else self._minutes * 60 - (time.monotonic() - self._began)

    # The teacher

    def _asked(self, stage: Stage) -> Bank | None:
        """The bank of the teacher's answers, whole; ``None`` where it is asked in every step, or nothing is left to
        learn."""
        bank = Bank(self.folder / BANK, self.plan.poses, self.plan.seed, self.teacher.draws)
        if self.plan.poses and self._minutes is not None and not (self.folder / Plan.FILE).exists():
            bank = replace(bank, count=self._affordable(bank, self._minutes * 60 * _TEACHER_SHARE))
            checked = min(self.plan.checked, max(bank.count // _POSES_A_CHECK, 1))
            self.plan = replace(self.plan, poses=bank.count, checked=checked)
        self.plan.save(self.folder)
        if not self.plan.poses or (all(map(self._is_finished, PARTS)) and not self._longer):
            return None
        with stage("asking the teacher") as advance:
            bank.fill(self.teacher, self._device, advance)
        return bank

    def _affordable(self, bank: Bank, seconds: float) -> int:
        """Poses that the teacher can be asked for in a time, from how long it takes for some."""
        few = replace(bank, count=min(_TIMED_POSES, bank.count))
        self.teacher.answer(torch.from_numpy(few.poses[:1]).to(self._device))  # the first is slower
        began = time.monotonic()
        few.fill(self.teacher, self._device)
        each = (time.monotonic() - began) / few.count
        return max(min(bank.count, int(seconds / max(each, 1e-3))), min(_LEAST_POSES, bank.count))

    def _found(self, bank: Bank | None) -> FloatImage:
        still = np.ascontiguousarray(self.teacher.subject.square[FACE_PLACE])
        if bank is not None:
            return moving_parts([bank.face(i) for i in range(min(bank.count, _FACES))], still)
        asked = poses(self.plan.seed, _FACES)
        answers = (self.teacher.answer(torch.from_numpy(pose[None]).to(self._device)) for pose in asked)
        return moving_parts([half(answer.face) for answer in answers], still)

    # The networks

    def _train(
        self, part: str, bank: Bank | None, movable: FloatImage, checked: Sequence[Check], advance: Advance
    ) -> None:
        folder, left = self.folder / part, self._left()
        seconds = left if left is None or part == BODY else left * _FACE_SHARE
        there = Run.load(folder).recipe if (folder / RUN_FILE).exists() else None
        about = self.plan.about(self.teacher)
        if self._is_finished(part):
            if there is None or seconds is None or not self._longer:
                return
            # What is done counts as the beginning of a longer schedule.
            there = there.with_steps(there.steps + self._affordable_steps(part, bank, movable, seconds))
            Run(there, (), self.plan.seed).save(folder, str(self._device), about)
        recipe = there or self._fitted(part, bank, movable, seconds)
        begin(Run(recipe, (), self.plan.seed), folder, str(self._device), about)
        trainer = self._trainer(recipe, folder, bank, movable)
        trainer.resume()
        limits = Limits(
            minutes=None if seconds is None else max(seconds, 0.0) / 60,
            checkpoint_minutes=_CHECKPOINT_MINUTES,
            sheet_steps=max(recipe.steps // _SHEETS, _LEAST_STEPS),
        )
        trainer.run(limits, advance, lambda now: self._draw(now, checked[:_SHOWN]))

    def _trainer(
        self, recipe: Recipe, folder: Path, bank: Bank | None, movable: FloatImage
    ) -> Trainer[StudentLearner]:
        seed = self.plan.seed
        lessons = NewPoses(seed) if bank is None else BankLessons(bank, Settings.of(recipe), seed)
        return Trainer(
            recipe,
            lambda r: StudentLearner(r, self.teacher, movable),
            lessons,
            folder,
            seed,
            self._device,
            collate=put_together,
        )

    def _fitted(self, part: str, bank: Bank | None, movable: FloatImage, seconds: float | None) -> Recipe:
        """The part's recipe, as long as the time allows."""
        recipe = self.plan.recipes[part]
        if seconds is None:
            return recipe
        return recipe.with_steps(self._affordable_steps(part, bank, movable, seconds))

    def _affordable_steps(self, part: str, bank: Bank | None, movable: FloatImage, seconds: float) -> int:
        """Steps for which a time suffices, from how long some take; at least one of each phase."""
        recipe = self.plan.recipes[part]
        ends = [time.monotonic()]
        with tempfile.TemporaryDirectory() as folder:
            trial = recipe.with_steps(_TIMED_STEPS + len(recipe.phases))
            trainer = self._trainer(trial, Path(folder), bank, movable)
            trainer.run(Limits(), lambda done, of: ends.append(time.monotonic()))
        each = float(np.median(np.diff(ends)[1:]))
        spent = time.monotonic() - ends[0]
        return max(int((seconds - spent) * _STEPS_SHARE / max(each, 1e-6)), len(recipe.phases))

    def _draw(self, now: Trainer[StudentLearner], checked: Sequence[Check]) -> None:
        subject = judged.network_subject(self.teacher, self._device)
        with with_weights(now.learner, now.average.weights):
            network = now.learner.network
            if isinstance(network, FaceMorpher):
                rows = judged.face_rows(network, subject, checked)
            else:
                rows = judged.body_rows(network, None, subject, checked)
        title = f"{self.teacher.subject.name}: {now.learner.settings.part.replace('_', ' ')}, step {now.step}"
        self._write_sheet(now.folder / "sheets" / f"step-{now.step:08d}.png", title, rows)

    @staticmethod
    def _write_sheet(path: Path, title: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_drawing(path, sample_sheet(title, rows))

    def _steps(self, part: str) -> tuple[int, int]:
        """Steps that are done, and that there are to do."""
        folder = self.folder / part
        if not (folder / RUN_FILE).exists():
            return 0, self.plan.recipes[part].steps
        return read_progress(newest_checkpoint(folder))["step"], Run.load(folder).recipe.steps

    def _is_finished(self, part: str) -> bool:
        if not list((self.folder / part / "checkpoints").glob("step-*")):
            return False
        done, of = self._steps(part)
        return done >= of

    # The student

    def _weights(self, part: str) -> dict[str, Tensor]:
        """The averaged weights of the part's newest checkpoint, by the published names."""
        state = read_part(newest_checkpoint(self.folder / part), "average")
        return {name.removeprefix(f"{part}."): value for name, value in state.items()}

    def _finish(self, checked: Sequence[Check]) -> Outcome:
        variant = layout.VARIANTS[Settings.of(self.plan.recipes[BODY]).variant]
        face, body = FaceMorpher(), BodyRotator(variant)
        for part, network in ((FACE, face), (BODY, body)):
            network.load_state_dict(self._weights(part))
            network.to(self._device)
        placed = variant == layout.VARIANTS[layout.PUBLISHED]
        if placed:
            write_student(self._out, face.state_dict(), body.state_dict(), self.teacher.subject)
        rows = judged.body_rows(body, face, judged.network_subject(self.teacher, self._device), checked)
        outcome = Outcome(judged.scores(rows), {part: self._steps(part) for part in PARTS}, placed)
        table = {
            "poses": len(rows),
            "steps": {part: of[0] for part, of in outcome.steps.items()},
            **outcome.scores,
        }
        write_text(self.folder / EVALUATION, json.dumps(table, indent=1))
        self._write_sheet(
            self.folder / SHEET, f"{self.teacher.subject.name}: the student beside its teacher", rows[:6]
        )
        return outcome
