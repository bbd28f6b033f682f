# SPDX-License-Identifier: GPL-3.0-or-later
"""A small synthetic character, and the command line run in this process."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from keywarp.core.models.tha import student_layout
from keywarp.plugin.cli import main

Runner = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a run left behind."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line of a refusal; fails where there is more, or less."""
        assert self.status == 2, f"status {self.status}\n{self.out}\n{self.err}"
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("keywarp: ")
        assert "Traceback" not in lines[0]
        return lines[0]


@pytest.fixture
def keywarp(capfd: pytest.CaptureFixture[str]) -> Runner:
    """``keywarp("pose", ...)`` as typed, but in this process: its status and what it printed."""

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return Done(status, *capfd.readouterr())

    return run


def draw_figure(side: int) -> Image.Image:
    """A head with a face, and shoulders, where the guides of Talking Head Anime ask for them."""
    image = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(image)

    def scaled(*values: float) -> list[float]:
        return [value * side / 512 for value in values]

    draw.rounded_rectangle(scaled(160, 215, 352, 520), side // 16, (60, 70, 140, 255))
    draw.rectangle(scaled(236, 180, 276, 230), (240, 200, 180, 255))
    draw.ellipse(scaled(186, 62, 326, 200), (90, 50, 30, 255))
    draw.ellipse(scaled(200, 84, 312, 194), (250, 215, 195, 255))
    for x in (228, 284):
        draw.ellipse(scaled(x - 14, 126, x + 14, 154), (255, 255, 255, 255))
        draw.ellipse(scaled(x - 7, 130, x + 7, 150), (30, 40, 90, 255))
    draw.ellipse(scaled(242, 170, 270, 182), (170, 40, 50, 255))
    return image


def figure_bytes() -> bytes:
    buffer = io.BytesIO()
    draw_figure(128).save(buffer, "PNG")
    return buffer.getvalue()


def save_student(folder: Path, seed: int = 5) -> None:
    """A student of the real layout with small random weights, as THA4 saves it."""
    torch = pytest.importorskip("torch")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for name, shapes in (
        ("face_morpher", student_layout.face_morpher_shapes()),
        ("body_morpher", student_layout.body_rotator_shapes()),
    ):
        state = {}
        for key, shape in shapes.items():
            reach = 0.3 / np.sqrt(shape[1]) / 3 if len(shape) == 4 else 0.05
            state[key] = torch.from_numpy(rng.uniform(-reach, reach, shape).astype(np.float32))
        torch.save(state, folder / f"{name}.pt")
    draw_figure(512).save(folder / "character.png")
    (folder / "character_model.yaml").write_text(
        "character_image_file_name: character.png\n"
        "face_morpher_file_name: face_morpher.pt\nbody_morpher_file_name: body_morpher.pt\n",
        encoding="utf-8",
    )


def save_tpsmm(folder: Path) -> Path:
    """A narrow TPSMM with random weights, for pictures of 128 pixels; its file."""
    torch = pytest.importorskip("torch")
    from keywarp.core.models.tpsmm.layout import Form
    from keywarp.core.models.tpsmm.networks import Tpsmm

    torch.manual_seed(3)
    networks = Tpsmm(Form(2, False, True, 8, 8, 16, 2, 8, 16, 2, True, 8))
    torch.save({name: part.state_dict() for name, part in networks.named_children()}, folder / "tiny.pth.tar")
    (folder / "tiny-128.yaml").write_text("dataset_params: {}\n")
    return folder / "tiny.pth.tar"


def save_video(path: Path) -> Path:
    """Four frames, twelve a second: a bright block that moves to the right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(12))
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for i in range(4):
            pixels = np.full((96, 128, 3), 40, np.uint8)
            pixels[20:70, 20 + 20 * i : 60 + 20 * i] = 220
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def save_follower(folder: Path) -> Path:
    """A whole character that follows a driving video; its file."""
    folder.mkdir()
    save_tpsmm(folder)
    save_video(folder / "take.mp4")
    draw_figure(512).save(folder / "who.png")
    who = folder / "follower.yaml"
    who.write_text("keywarp: 1\npicture: who.png\nmodel: tiny.pth.tar\ndriving: take.mp4\n")
    return who


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole character; not to be changed."""
    folder = tmp_path_factory.mktemp("characters") / "figure"
    save_student(folder)
    return folder


def clip_text(**changes: object) -> str:
    """A clip of 25 frames at 24 a second that turns the head and blinks."""
    content: dict[str, object] = {
        "keywarp_clip": 1,
        "space": "tha45",
        "fps": 24,
        "start": 0,
        "end": 24,
        "curves": {
            "head_y": {"interpolation": "LINEAR", "points": [[0, 0], [12, 1], [24, -1]]},
            "eye_wink_left": {"interpolation": "LINEAR", "points": [[0, 0], [5, 1], [9, 0]]},
        },
    }
    return json.dumps({**content, **changes})


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.json"
    path.write_text(clip_text(), encoding="utf-8")
    return path


def vmd_bytes() -> bytes:
    """A MikuMikuDance motion: a blink, and the neck turning, two keys each."""

    def name(text: str, size: int) -> bytes:
        return text.encode("shift_jis").ljust(size, b"\0")

    bones = b""
    for frame, turn in ((0, 0.0), (20, 0.2)):
        rotation = struct.pack("<4f", 0.0, np.sin(turn / 2), 0.0, np.cos(turn / 2))
        bones += name("首", 15) + struct.pack("<I3f", frame, 0, 0, 0) + rotation + bytes([20] * 64)
    morphs = b"".join(
        name("まばたき", 15) + struct.pack("<If", frame, value) for frame, value in ((0, 0), (20, 1))
    )
    head = name("Vocaloid Motion Data 0002", 30) + name("test", 20)
    return head + struct.pack("<I", 2) + bones + struct.pack("<I", 2) + morphs + struct.pack("<3I", 0, 0, 0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder for results; whatever appears in it has been written."""
    folder = tmp_path / "results"
    folder.mkdir()
    yield folder
    assert list(folder.rglob("*")) == []
