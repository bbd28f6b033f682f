# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking Head Anime's five networks on disk: recognised by names and shapes, exported to ONNX once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keywarp.core.models.base import Animator, ModelInfo
from keywarp.core.models.checkpoint import SUFFIXES, Array, Checkpoint, read_checkpoint, shapes
from keywarp.core.models.exported import CARD_FILE, Card, read_card
from keywarp.core.models.tha.likeness import Likeness, described, is_tensor, likeness, tensors_in
from keywarp.core.models.tha.stage import STAGES, StageFile
from keywarp.core.models.tha.teacher_layout import FORMS, STEP, Form, network_shapes, width_of
from keywarp.core.models.weights import ask_for_torch
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.session import Device
from keywarp.keyframes.errors import KeywarpError

EXPORT = 1
"""Raised whenever the graphs change, so that older exports are not used."""
CREDIT = "Talking Head Anime (Pramook Khungurn)"
NETWORKS = tuple(dict.fromkeys(network for form in FORMS for network in form.networks))
_ONLY_OURS = tuple(name for name in NETWORKS if name not in ("face_morpher", "body_morpher"))
"""Names of files that a student's folder does not have."""

#: Which forms have a network with these tensors, and which network it is.
Kind = tuple[tuple[Form, ...], str]


@dataclass(frozen=True)
class TeacherSource:
    """Five checkpoints, recognised."""

    info: ModelInfo
    form: Form
    files: Mapping[str, Path]
    """By network."""

    def open(self, device: Device) -> Animator:
        from keywarp.core.models.tha.teacher import TeacherAnimator

        folder = self.export()
        stages = {name: [StageFile(folder / f"{name}.onnx")] for name in STAGES}
        return TeacherAnimator(self.info, stages, device)

    def export(self) -> Path:
        """The folder of ONNX graphs of this model, made when it is not there yet; that takes PyTorch."""
        name = self.form.name.lower().replace(" ", "-")
        return cached_folder(f"{name}-{EXPORT}-{self.info.content}", self._write)

    def states(self) -> dict[str, dict[str, Array]]:
        """The weights, {network: {tensor: array}}."""
        return {network: tensors_in(read_checkpoint(path)) for network, path in self.files.items()}

    def _write(self, folder: Path) -> None:
        ask_for_torch(self.info.source)
        from keywarp.core.models.tha.teacher_export import export

        export(self.form, self.states(), folder)


def find_teacher(path: Path) -> TeacherSource | None:
    """The five networks that ``path`` leads to: their folder, or one of their files; ``None`` where there is none of
    them. Raises ``KeywarpError`` where there are some, saying what is wrong with the others."""
    folder = path if path.is_dir() else path.parent
    if path.is_file():
        if not path.name.endswith(SUFFIXES) or (kind := _kind(read_checkpoint(path, is_tensor))) is None:
            return None
        if path.stem not in NETWORKS:
            raise KeywarpError(
                f"{path} holds {_described(kind)}, which is looked for as {kind[1]}.pt, beside the form's others"
            )
    files = {name: folder / f"{name}.pt" for name in NETWORKS if (folder / f"{name}.pt").is_file()}
    if path.is_dir() and not files:
        return None
    kinds, likenesses = {}, {}
    for name, file in files.items():
        state = read_checkpoint(file)
        kinds[name], likenesses[name] = _kind(state), likeness(state)
    if not any(kinds.values()) and not any(name in _ONLY_OURS for name in files):
        return None  # a student's folder, or another system's
    form, card = _form(folder, files, kinds, likenesses), card_of(folder)
    if card is not None:
        form = replace(form, side=card.side)
    used = {name: files[name] for name in form.networks}
    which = form.name if card is None else f"{form.name} {form.side}"
    content = content_hash([which.encode(), *used.values()])
    return TeacherSource(model_info(form, folder.name, content, card), form, used)


def card_of(folder: Path) -> Card | None:
    """The card of networks that were trained here, which says what size of pictures they are for; ``None`` beside
    published ones. Raises ``KeywarpError`` for a size that they cannot have."""
    card = read_card(folder / CARD_FILE)
    if card is None or card.family != "tha":
        return None
    if card.side % STEP:
        raise KeywarpError(
            f"{folder / CARD_FILE}: these networks are for squares of a multiple of {STEP} pixels, not {card.side}"
        )
    return card


def _kind(state: Checkpoint) -> Kind | None:
    found = shapes(state)
    known = [replace(form, width=width_of(found)) for form in FORMS]
    for network in NETWORKS:
        forms = tuple(
            form for form in known if network in form.networks and network_shapes(form, network) == found
        )
        if forms:
            return forms, network
    return None


def _form(
    folder: Path,
    files: Mapping[str, Path],
    kinds: Mapping[str, Kind | None],
    likenesses: Mapping[str, Likeness | None],
) -> Form:
    """The one form that all files agree on, each holding the network that it is named after."""
    for name, kind in kinds.items():
        like = likenesses[name]
        if like is None:
            raise KeywarpError(
                f"{files[name]} is not the {_words(name)} of THA3 or THA4: it has next to none of its tensors, so "
                "these are another system's weights"
            )
        if like.fault:
            raise KeywarpError(f"{files[name]} looks like {like.words}, but {like.fault}")
        if kind is None:
            raise KeywarpError(
                f"{files[name]} holds {like.words}, which does not belong to what lies beside it"
            )
        if kind[1] != name:
            raise KeywarpError(
                f"{files[name]} holds {_described(kind)}, but its name is that of the {_words(name)}"
            )
    known = {name: kind for name, kind in kinds.items() if kind is not None}
    some = next(iter(known.values()))[0]
    common = [form for form in some if all(form in forms for forms, _ in known.values())]
    if not common:
        mixed = ", ".join(f"{files[name].name} {_described(kind)}" for name, kind in known.items())
        raise KeywarpError(f"{folder} mixes networks that do not belong together: {mixed}")
    # The forms share some networks; the one that lacks the least is meant.
    form = min(common, key=lambda form: len([name for name in form.networks if name not in files]))
    missing = [f"{name}.pt" for name in form.networks if name not in files]
    if missing:
        name = max(known, key=lambda name: -len(known[name][0]))
        raise KeywarpError(
            f"{files[name]} looks like {_described(known[name])}; the {' and the '.join(missing)} beside it "
            f"{'is' if len(missing) == 1 else 'are'} missing"
        )
    return form


def _words(network: str) -> str:
    return network.replace("_", " ")


def _described(kind: Kind) -> str:
    return described(" or ".join(form.name for form in kind[0]), kind[1], kind[0][0].width)


def model_info(form: Form, source: str, content: str, card: Card | None = None) -> ModelInfo:
    """What a caller must know of these networks, whatever they came in; ``card``: what is said of those trained
    here."""
    layouts = [network_shapes(form, network) for network in form.networks]
    return ModelInfo(
        family="tha",
        form=form.name,
        space="tha45",
        side=form.side,
        parameters=sum(int(np.prod(shape)) for layout in layouts for shape in layout.values()),
        licence=f"not stated in the files; the published weights of this form are {form.licence}"
        if card is None
        else card.licence,
        credit=CREDIT if card is None else card.credit,
        source=source,
        content=content,
    )
