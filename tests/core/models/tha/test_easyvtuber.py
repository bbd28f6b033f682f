# SPDX-License-Identifier: GPL-3.0-or-later
"""EasyVtuber's folders: written here as its exporter writes them, from the same weights as our own graphs."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from keywarp.core.framing import Framing
from keywarp.core.models.registry import model_at
from keywarp.core.models.tha import teacher_layout as layout
from keywarp.core.models.tha.easyvtuber import EasyVtuberSource
from keywarp.core.models.tha.teacher_layout import STANDARD, TEACHER, Form
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow
State = dict[str, dict[str, np.ndarray]]
POSE = space("tha45").pose(
    {"head_y": 0.7, "eye_wink_left": 1.0, "eyebrow_angry_right": 0.6, "mouth_aaa": 0.5, "breathing": 1.0}
)
CUT = "/face_morpher/body/downsample_blocks.3/downsample_blocks.3.3/Relu_output_0"


def picture() -> np.ndarray:
    """(512, 512, 4): a soft disc of smooth colours, premultiplied, linear light."""
    y, x = (np.mgrid[0:512, 0:512] + 0.5) / 256 - 1
    alpha = np.clip((0.8 - np.hypot(x, y)) * 8, 0, 1)[..., None]
    colour = np.stack(
        [0.5 + 0.4 * np.sin(9 * x), 0.5 + 0.3 * np.sin(7 * y), 0.5 + 0.2 * np.cos(5 * x * y)], -1
    )
    return np.concatenate([colour * alpha, alpha], -1).astype(np.float32)


def sampled_as_published(image: Any, flow: Any) -> Any:
    """The flow is brought into the grid's order before the grid is added."""
    n, channels, height, width = image.shape
    theta = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    size = [int(n), int(channels), int(height), int(width)]
    places = torch.nn.functional.affine_grid(theta, size, align_corners=False).numpy()
    change = flow.reshape(n, 2, height * width).transpose(1, 2).reshape(n, height, width, 2)
    grid = torch.from_numpy(places) + change
    return torch.nn.functional.grid_sample(
        image, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


class Part(torch.nn.Module):  # type: ignore[name-defined, misc]
    """One of the exported modules: a function over the networks."""

    def __init__(self, teacher: Any, call: Callable[..., Any]) -> None:
        super().__init__()
        self.teacher, self.call = teacher, call

    def forward(self, *inputs: Any) -> Any:
        return self.call(self.teacher, *inputs)


def first(teacher: Any, pixels: Any) -> Any:
    unit = pixels.float() / 255
    colours = unit[..., [2, 1, 0]]
    linear = torch.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    prepared = torch.cat([linear, unit[..., 3:]], 2).permute(2, 0, 1)[None] * 2 - 1
    return *teacher.layers(prepared), prepared


def combiner(teacher: Any, prepared: Any, background: Any, eyebrows: Any, pose: Any) -> Any:
    brows = teacher.eyebrow_morphing_combiner(background, eyebrows, pose)["image"]
    return teacher.face_with(prepared, brows)


def combiner_and_encoder(teacher: Any, *inputs: Any) -> Any:
    face = combiner(teacher, *inputs)
    return face, teacher.face_morpher.encoded(face)


def morpher(teacher: Any, prepared: Any, face: Any, pose: Any, code: Any = None) -> Any:
    from keywarp.core.models.tha.teacher_torch import pasted, resized

    code = teacher.face_morpher.encoded(face) if code is None else code
    full = pasted(prepared, teacher.face_morpher.posed(face, code, pose)["image"], layout.Square().face)
    return full, resized(full, 256)


def rotator(teacher: Any, half: Any, pose: Any) -> Any:
    from keywarp.core.models.tha.teacher_torch import resized

    answer = teacher.two_algo_face_body_rotator(half, pose)
    return resized(answer["warped"], 512), resized(answer["flow"], 512)


def body_morpher(teacher: Any, half: Any, pose: Any) -> Any:
    answer = teacher.body_morpher(half, pose)
    return answer["image"], answer["flow"]


def pixels(image: Any) -> Any:
    unit = (image[0] * 0.5 + 0.5).clamp(0, 1)
    colours = torch.where(unit[:3] <= 0.0031308, unit[:3] * 12.92, 1.055 * unit[:3] ** (1 / 2.4) - 0.055)
    return (torch.cat([colours[[2, 1, 0]], unit[3:]]).permute(1, 2, 0) * 255).to(torch.uint8)


def editor(teacher: Any, morphed: Any, coarse: Any, flow: Any, pose: Any) -> Any:
    return pixels(teacher.editor(morphed, coarse, flow, pose)["image"])


def upscaler(teacher: Any, rest: Any, half: Any, flow: Any, pose: Any) -> Any:
    from keywarp.core.models.tha.teacher_torch import resized

    image = teacher.upscaler(rest, resized(half, 512), resized(flow, 512), pose)["image"]
    return image * 0.5 + 0.5, pixels(image)


def write(folder: Path, teacher: Any, only: tuple[str, ...] = ()) -> Path:
    """The files of a form, with EasyVtuber's names of files, inputs and outputs."""
    image, crop = torch.zeros(1, 4, 512, 512), torch.zeros(1, 4, 192, 192)
    layer, half, flow = torch.zeros(1, 4, 128, 128), torch.zeros(1, 4, 256, 256), torch.zeros(1, 2, 512, 512)
    poses = [torch.zeros(1, count) for count in (12, 27, 6)]
    before = {"image_prepared": image, "eyebrow_background_layer": layer, "eyebrow_layer": layer}
    face = {"image_prepared": image, "im_morpher_crop": crop, "face_pose": poses[1]}
    whole, halves = (
        ["face_morphed_full", "face_morphed_half"],
        {"face_morphed_half": half, "rotation_pose": poses[2]},
    )
    files: dict[str, tuple[Callable[..., Any], Mapping[str, Any], list[str]]] = {
        "decomposer": (
            first,
            {"input_image": torch.zeros(512, 512, 4, dtype=torch.uint8)},
            ["background_layer", "eyebrow_layer", "image_prepared"],
        )
    }
    if teacher.form.attention:
        files |= {
            "combiner": (combiner, before | {"eyebrow_pose": poses[0]}, ["eyebrow_image"]),
            "morpher": (morpher, face, whole),
            "body_morpher": (body_morpher, halves, ["half_res_posed_image", "half_res_grid_change"]),
            "upscaler": (
                upscaler,
                {
                    "rest_image": image,
                    "half_res_posed_image": half,
                    "half_res_grid_change": flow[:, :, :256, :256],
                    "rotation_pose": poses[2],
                },
                ["result", "cv_result"],
            ),
        }
    else:
        files |= {
            "combiner": (combiner_and_encoder, before | {"eyebrow_pose": poses[0]}, ["eyebrow_image", CUT]),
            "morpher": (morpher, face | {CUT: torch.zeros(1, 512, 24, 24)}, whole),
            "rotator": (rotator, halves, ["full_warped_image", "full_grid_change"]),
            "editor": (
                editor,
                {
                    "morphed_image": image,
                    "rotated_warped_image": image,
                    "rotated_grid_change": flow,
                    "rotation_pose": poses[2],
                },
                ["cv_result"],
            ),
        }
    folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for module in ("face_torch", "body_torch"):
            patch.setattr(f"keywarp.core.models.tha.{module}.warped", sampled_as_published)
        for name, (call, inputs, outputs) in files.items():
            if only and name not in only:
                continue
            torch.onnx.export(
                Part(teacher, call).eval(),
                tuple(inputs.values()),
                str(folder / f"{name}.onnx"),
                input_names=list(inputs),
                output_names=outputs,
                opset_version=16,
                dynamo=False,
            )
    return folder


def in_half_precision(source: Path, folder: Path) -> Path:
    """As its half-precision folders are: everything in half precision but pixels and poses."""
    folder.mkdir(parents=True)
    for file in source.iterdir():
        model = onnx.load(file)
        graph = model.graph
        scales = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:3]}
        held = [(tensor.name, tensor) for tensor in graph.initializer]
        held += [(n.output[0], a.t) for n in graph.node for a in n.attribute if a.HasField("t")]
        for name, tensor in held:
            if tensor.data_type == TensorProto.FLOAT and name not in scales:
                values = numpy_helper.to_array(tensor).astype(np.float16)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
        poses = [value.name for value in graph.input if value.name.endswith("_pose")]
        for node in graph.node:
            for i, name in enumerate(node.input):
                node.input[i] = f"{name}_half" if name in poses else name
        for value in (*graph.input, *graph.output):
            kind = value.type.tensor_type
            if kind.elem_type == TensorProto.FLOAT and value.name not in poses:
                kind.elem_type = TensorProto.FLOAT16
        for name in poses:
            graph.node.insert(0, helper.make_node("Cast", [name], [f"{name}_half"], to=TensorProto.FLOAT16))
        del graph.value_info[:]
        onnx.save(model, folder / file.name)
    return folder


@pytest.fixture(scope="module")
def tha3(calm_teacher: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tha3"
    write(folder / "seperable" / "fp32", calm_teacher)
    in_half_precision(folder / "seperable" / "fp32", folder / "seperable" / "fp16")
    return folder


def difference(path: Path, teacher: Any) -> tuple[float, float]:
    """Of image and flow, from the picture through the Animator, to the same networks in PyTorch."""
    found = model_at(path)
    assert isinstance(found, EasyVtuberSource)
    animator = found.open("cpu")
    motion = animator.motion(animator.prepare(picture(), Framing.of_square(0, 0, 512)), POSE)
    with torch.inference_mode():
        network = torch.from_numpy(picture().transpose(2, 0, 1)[None] * 2 - 1)
        answer = teacher(network, torch.from_numpy(POSE[None]).float())[teacher.form.networks[-1]]
    image = (answer["image"][0].permute(1, 2, 0).numpy() * 0.5 + 0.5).clip(0, 1)
    assert motion.flow.std() > 1 / 256
    return np.abs(motion.image - image).max(), np.abs(
        motion.flow - answer["flow"][0].permute(1, 2, 0).numpy()
    ).max()


def test_it_animates_as_the_checkpoints_do(tha3: Path, calm_teacher: Any, cache: None) -> None:
    image, flow = difference(tha3 / "seperable" / "fp32", calm_teacher)
    assert image < 1e-3
    assert flow < 1e-3


def test_half_precision(tha3: Path, calm_teacher: Any, cache: None) -> None:
    """Its numbers have eleven bits; a flow is not rounded to the places of the grid that it is added to."""
    image, flow = difference(tha3 / "seperable" / "fp16" / "editor.onnx", calm_teacher)
    assert image < 0.01
    assert flow < 5e-4


@pytest.mark.full
@pytest.mark.parametrize(("form", "name"), [(STANDARD, "tha3_standard"), (TEACHER, "tha4_teacher")])
def test_the_other_forms(
    form: Form,
    name: str,
    stand_in: Callable[[str], State],
    calmed: Callable[[Form, State], Any],
    tmp_path: Path,
    cache: None,
) -> None:
    teacher = calmed(form, stand_in(name))
    folder = write(tmp_path / "fp32", teacher)
    assert model_at(folder).info.form == form.name
    image, flow = difference(folder, teacher)
    assert image < 1e-3
    assert flow < 1e-3


def test_what_it_is(tha3: Path) -> None:
    info = model_at(tha3 / "seperable" / "fp16").info
    assert (info.form, info.space, info.side, info.source) == (
        "THA3 separable",
        "tha45",
        512,
        "seperable/fp16",
    )
    assert info.content != model_at(tha3 / "seperable" / "fp32").info.content


def test_from_the_folders_above(tha3: Path) -> None:
    single = model_at(tha3 / "seperable" / "fp32").info
    assert model_at(tha3 / "seperable").info == single
    with pytest.raises(KeywarpError, match="holds models of EasyVtuber; name one of them: seperable"):
        model_at(tha3)


@pytest.fixture
def copy(tha3: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tha3 / "seperable" / "fp32", tmp_path / "copy"))


def complaint(path: Path) -> str:
    with pytest.raises(KeywarpError) as caught:
        model_at(path).open("cpu")
    return str(caught.value)


def test_missing_files_are_named(copy: Path) -> None:
    (copy / "rotator.onnx").unlink()
    (copy / "combiner.onnx").unlink()
    said = complaint(copy / "editor.onnx")
    assert "looks like a model of EasyVtuber; its combiner.onnx and its rotator.onnx are missing" in said


def test_half_of_a_file(copy: Path, cache: None) -> None:
    file = copy / "morpher.onnx"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert "morpher.onnx is no whole ONNX file" in complaint(copy)


def test_files_that_do_not_fit_together(copy: Path, cache: None) -> None:
    shutil.copy(copy / "combiner.onnx", copy / "rotator.onnx")
    said = complaint(copy)
    assert "rotator.onnx is not EasyVtuber's rotator: it takes" in said
    assert "'pose': (1, 12)" in said


def test_another_programs_editor(copy: Path, cache: None) -> None:
    shutil.copy(copy / "rotator.onnx", copy / "editor.onnx")
    assert "editor.onnx is not EasyVtuber's editor: nowhere does it blend" in complaint(copy)
