# SPDX-License-Identifier: GPL-3.0-or-later
"""EasyVtuber's folders of ONNX files: the same five networks from another exporter, run as they are.

| folder, as it is unpacked | form |
|---|---|
| ``tha3/seperable/fp32``, ``fp16`` (so spelt) | THA3 separable |
| ``tha3/standard/fp32``, ``fp16`` | THA3 standard |
| ``tha4/fp32``, ``fp16`` | THA4 teacher |

What a file is goes by its graph; folders may be called anything. Of a folder with both precisions the single one is
taken. The files ``merge.onnx`` and ``merge_no_eyebrow.onnx`` beside them hold the same networks once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from keywarp.core.models.base import Animator, ModelInfo
from keywarp.core.models.tha.easyvtuber_graph import declared, from_prepared, read_graph, with_formation
from keywarp.core.models.tha.stage import StageFile
from keywarp.core.models.tha.teacher_files import model_info
from keywarp.core.models.tha.teacher_layout import SEPARABLE, STANDARD, TEACHER, Form
from keywarp.core.runtime.cache import cached_folder, content_hash
from keywarp.core.runtime.session import Device
from keywarp.keyframes.errors import KeywarpError

EXPORT = 1
"""Raised whenever what is cut out of the files changes."""
_FACE = ("decomposer", "combiner", "morpher")
_BODIES = (("rotator", "editor"), ("body_morpher", "upscaler"))
_OURS = {
    "input_image": "picture",
    "image_prepared": "picture",
    "background_layer": "background",
    "eyebrow_background_layer": "background",
    "eyebrow_layer": "eyebrows",
    "eyebrow_image": "face",
    "im_morpher_crop": "face",
    "face_morphed_full": "morphed",
    "morphed_image": "morphed",
    "rest_image": "morphed",
    "full_warped_image": "rotated_warped_image",
    "full_grid_change": "rotated_grid_change",
    **dict.fromkeys(("eyebrow_pose", "face_pose", "rotation_pose"), "pose"),
}
"""What ``teacher_export`` calls their inputs and outputs; the others have one name on both sides already."""
_GIVES = {"decomposer": {"background", "eyebrows"}, "combiner": {"face"}, "morpher": {"morphed"}}
_LAST = {"image", "warped", "flow"}


@dataclass(frozen=True)
class EasyVtuberSource:
    """Five graphs, recognised."""

    info: ModelInfo
    files: Mapping[str, Path]
    """By name without ending, in the order in which they run."""

    def open(self, device: Device) -> Animator:
        from keywarp.core.models.tha.teacher import TeacherAnimator

        cut = cached_folder(f"easyvtuber-{EXPORT}-{self.info.content}", self._write)
        cuts = {name: cut / f"{name}.onnx" for name in self.files}
        first, brows, face, coarse, last = (
            StageFile(cuts[name] if cuts[name].is_file() else path, _OURS)
            for name, path in self.files.items()
        )
        stages = {"layers": [first], "brows": [brows], "face": [face], "body": [coarse, last]}
        return TeacherAnimator(self.info, stages, device)

    def _write(self, folder: Path) -> None:
        """The first and the last graph, cut; raises ``KeywarpError`` where the five do not fit together."""
        known: dict[str, tuple[int, ...]] = {"picture": (1, 4, 512, 512)}
        poses = iter(((1, 12), (1, 27), (1, 6), (1, 6)))
        names = list(self.files)
        for name, path in self.files.items():
            model = read_graph(path)
            if name == names[0]:
                model = from_prepared(model)
                onnx.save(model, str(folder / path.name))
            elif name == names[-1]:
                model = _formed(model, path)
                onnx.save(model, str(folder / path.name))
            takes = _named(declared(model.graph.input))
            gives = _named(declared(model.graph.output))
            fits = known if name == names[0] else known | {"pose": next(poses)}
            wrong = {x: shape for x, shape in takes.items() if fits.get(x) != shape}
            if wrong or not (_GIVES.get(name, _LAST if name == names[-1] else set()) <= gives.keys()):
                raise KeywarpError(
                    f"{path} is not EasyVtuber's {name}: it takes {takes} and gives {gives}, "
                    f"while those that run before it give {fits}"
                )
            known |= gives


def _named(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {_OURS.get(name, name): shape for name, shape in shapes.items()}


def _formed(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    try:
        return with_formation(model)
    except ValueError:
        raise KeywarpError(
            f"{path} is not EasyVtuber's {path.stem}: nowhere does it blend a warped picture with a drawn one"
        ) from None


def find_easyvtuber(path: Path) -> EasyVtuberSource | None:
    """The five graphs that ``path`` leads to: their folder, the one above, or one of the files; ``None`` where there
    are none. Raises ``KeywarpError`` where some are missing, or where there are several models."""
    names = {*_FACE, *(name for body in _BODIES for name in body)}
    if path.is_file():
        there = path.suffix == ".onnx" and path.stem in names and _is_one(path.parent)
        return _source(path.parent) if there else None
    if _is_one(path):
        return _source(path)
    for precision in ("fp32", "fp16"):
        if _is_one(path / precision):
            return _source(path / precision)
    inside = [child for child in sorted(path.iterdir()) if _is_one(child / "fp32") or _is_one(child / "fp16")]
    if inside:
        named = " or ".join(child.name for child in inside)
        raise KeywarpError(f"{path} holds models of EasyVtuber; name one of them: {named}")
    return None


def _is_one(folder: Path) -> bool:
    return (folder / "decomposer.onnx").is_file()


def _source(folder: Path) -> EasyVtuberSource:
    body = max(_BODIES, key=lambda body: sum((folder / f"{name}.onnx").is_file() for name in body))
    files = {name: folder / f"{name}.onnx" for name in (*_FACE, *body)}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise KeywarpError(
            f"{folder} looks like a model of EasyVtuber; its {' and its '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing"
        )
    form = TEACHER if body == _BODIES[1] else _form(files["decomposer"])
    content = content_hash([b"easyvtuber", *files.values()])
    return EasyVtuberSource(model_info(form, f"{folder.parent.name}/{folder.name}", content), files)


def _form(decomposer: Path) -> Form:
    """A separable network's convolutions see one channel each."""
    for node in read_graph(decomposer).graph.node:
        if any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute):
            return SEPARABLE
    return STANDARD
