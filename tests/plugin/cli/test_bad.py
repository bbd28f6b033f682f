# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input ends in one sentence and status 2, runs nothing and writes nothing."""

from __future__ import annotations

import errno
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Runner, clip_text, draw_figure, figure_bytes, vmd_bytes


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG of this size in its header, with whatever pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class Harm:
    """Unpickled by a careless reader, it makes a folder."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.witness),)


def hostile_checkpoint(witness: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"siren.last_linear.bias": Harm(witness)}, 2))
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


PICTURES = {
    "empty": b"",
    "no picture": b"just some text\n" * 40,
    "truncated": figure_bytes()[:700],
    "header only": figure_bytes()[:33],
    "bomb": png(100_000, 100_000, bytes(1 << 20)),
    "larger than memory": png(2**31 - 1, 2**31 - 1),
    "zero size": png(0, 0),
    "zero height": png(64, 0),
    "EXR in name": b"\x76\x2f\x31\x01" + bytes(40),
}

CLIPS = {
    "empty": b"",
    "not JSON": b"\x00\x01\x02\x03" * 64,
    "another JSON": b'{"hello": [1, 2, 3]}',
    "truncated": clip_text().encode()[:200],
    "NaN": clip_text(curves={"head_y": {"points": [[0, float("nan")]], "interpolation": "LINEAR"}}).encode(),
    "infinite": clip_text(end=float("inf")).encode(),
    "1e999": clip_text().replace("[12, 1]", "[12, 1e999]").encode(),
    "a billion keys in words": clip_text(curves={"head_y": {"keys": 10**9}}).encode(),
    "wrong channel": clip_text(curves={"head_q": {"points": [[0, 0]], "interpolation": "LINEAR"}}).encode(),
    "wrong space": clip_text(space="tha99").encode(),
    "wrong version": clip_text(keywarp_clip=7).encode(),
    "rate of zero": clip_text(fps=0).encode(),
    "ends before it starts": clip_text(start=5, end=1).encode(),
    "nested": b'{"keywarp_clip": 1, "space": ' + b"[" * 200_000,
    "long number": clip_text().replace("[12, 1]", f"[12, {'9' * 5000}]").encode(),
    "VMD without a body": vmd_bytes()[:50],
    "VMD of a billion keys": vmd_bytes()[:50] + struct.pack("<I", 10**9) + bytes(400),
    "picture": figure_bytes(),
}

CHARACTERS = {
    "empty": "",
    "a list": "- 1\n- 2\n",
    "tags": "!!python/object/apply:os.mkdir ['{witness}']\n",
    "tag within": "keywarp: 1\npicture: !!python/object/apply:os.mkdir ['{witness}']\nmodel: m\n",
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "neither": "hello: world\n",
    "version": "keywarp: 99\npicture: a.png\nmodel: m\n",
    "no picture": "keywarp: 1\nmodel: m\n",
    "missing picture": "keywarp: 1\npicture: nowhere.png\nmodel: m\n",
    "picture is a number": "keywarp: 1\npicture: 5\nmodel: m\n",
    "missing model": "keywarp: 1\npicture: {picture}\nmodel: nowhere\n",
    "bad framing": "keywarp: 1\npicture: {picture}\nmodel: {student}\nframing: {{scale: 0}}\n",
    "tiny framing": "keywarp: 1\npicture: {picture}\nmodel: {student}\nframing:\n"
    " {{scale: 1.0e+9, rotation_deg: 0, x: 0, y: 0}}\n",
    "bad default": "keywarp: 1\npicture: {picture}\nmodel: {student}\ndefaults: {{head_q: 1}}\n",
    "missing mask": "keywarp: 1\npicture: {picture}\nmodel: {student}\nmove_mask: nowhere.png\n",
    "other HD picture": "keywarp: 1\npicture: {picture}\nmodel: {student}\nhd_picture: {noise}\n",
    "THA4 without weights": "character_image_file_name: c.png\nface_morpher_file_name: f.pt\n",
    "unclosed": "keywarp: [1\n",
}


def for_clip(student: Path, file: Path, place: Path) -> list[list[object]]:
    return [
        ["render", student, file, "-o", place / "f_##.png", "--size", "64x64"],
        ["convert", file, place / "made.json"],
        ["plot", file, "-o", place / "plot.png"],
        ["info", file],
        ["check", file],
    ]


def for_picture(student: Path, clip: Path, file: Path, place: Path) -> list[list[object]]:
    return [
        ["render", file, clip, "--model", student, "-o", place / "f_##.png", "--size", "64x64"],
        ["pose", file, "--model", student, "-o", place / "pose.png"],
        ["sheet", file, "--model", student, "-o", place / "sheet.png"],
        ["new", file, "-o", place / "new.yaml"],
        ["new", student / "character.png", "--hd", file, "-o", place / "new.yaml"],
        ["info", file],
        ["check", file],
    ]


def for_character(clip: Path, file: Path, place: Path) -> list[list[object]]:
    return [
        ["render", file, clip, "-o", place / "f_##.png", "--size", "64x64"],
        ["pose", file, "-o", place / "pose.png"],
        ["sheet", file, "-o", place / "sheet.png"],
        ["info", file],
        ["check", file],
    ]


@pytest.mark.parametrize("fault", PICTURES)
def test_pictures(
    keywarp: Runner, student: Path, clip: Path, tmp_path: Path, place: Path, fault: str
) -> None:
    file = tmp_path / ("bad.exr" if fault.startswith("EXR") else "bad.png")
    file.write_bytes(PICTURES[fault])
    for command in for_picture(student, clip, file, place):
        assert "bad." in keywarp(*command).sentence, command


@pytest.mark.parametrize("fault", CLIPS)
def test_clips(keywarp: Runner, student: Path, tmp_path: Path, place: Path, fault: str) -> None:
    file = tmp_path / "bad.motion"
    file.write_bytes(CLIPS[fault])
    for command in for_clip(student, file, place):
        if fault == "picture" and command[0] in ("info", "check"):
            continue
        assert "bad.motion" in keywarp(*command).sentence, command


@pytest.mark.parametrize("fault", CHARACTERS)
def test_characters(
    keywarp: Runner, student: Path, clip: Path, tmp_path: Path, place: Path, fault: str
) -> None:
    noise, witness = tmp_path / "noise.png", tmp_path / "witness"
    rng = np.random.default_rng(1)
    noise.write_bytes(png(200, 200, b"".join(b"\0" + rng.bytes(800) for _ in range(200))))
    file = tmp_path / "bad.yaml"
    names = {"witness": witness, "student": student, "picture": student / "character.png", "noise": noise}
    file.write_text(CHARACTERS[fault].format(**names), encoding="utf-8")
    for command in for_character(clip, file, place):
        assert keywarp(*command).sentence, command
        assert not witness.exists()


def test_weights(keywarp: Runner, student: Path, clip: Path, tmp_path: Path, place: Path) -> None:
    witness = tmp_path / "witness"
    whole = (student / "face_morpher.pt").read_bytes()
    faults = {
        "hostile": hostile_checkpoint(witness),
        "empty": b"",
        "plain pickle": pickle.dumps(Harm(witness)),
        "truncated": whole[: len(whole) // 2],
        "picture": figure_bytes(),
        "another network": (student / "body_morpher.pt").read_bytes(),
    }
    for fault, data in faults.items():
        folder = tmp_path / fault
        folder.mkdir()
        for name in ("body_morpher.pt", "character.png", "character_model.yaml"):
            (folder / name).write_bytes((student / name).read_bytes())
        (folder / "face_morpher.pt").write_bytes(data)
        commands = for_character(clip, folder, place)
        commands += [
            ["pose", student / "character.png", "--model", folder, "-o", place / "pose.png"],
            ["new", student / "character.png", "--model", folder, "-o", place / "new.yaml"],
            ["bench", folder],
        ]
        if fault not in ("another network", "picture"):
            commands += [[name, folder / "face_morpher.pt"] for name in ("info", "check")]
        for command in commands:
            assert "face_morpher.pt" in keywarp(*command).sentence, (fault, command)
            assert not witness.exists()


def test_systems_are_measured_without_a_character(keywarp: Runner, student: Path) -> None:
    assert "takes no character" in keywarp("bench", student, "--systems").sentence


def test_missing_files(keywarp: Runner, student: Path, clip: Path, tmp_path: Path, place: Path) -> None:
    for name in ("gone.png", "gone.yaml", "gone.json", "gone.pt"):
        gone = tmp_path / name
        commands = [
            *for_clip(student, gone, place),
            *for_picture(student, clip, gone, place),
            *for_character(clip, gone, place),
            ["render", student, clip, "-o", place / "v.mp4", "--size", "64x64", "--audio", gone],
            ["pose", student, "--pose", gone, "-o", place / "p.png"],
            ["pose", student, "--model", gone, "-o", place / "p.png"],
            ["bench", gone],
        ]
        for command in commands:
            assert "gone." in keywarp(*command).sentence, command


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.json", b"{"),
        ("p.json", b"[1, 2]"),
        ("p.json", b'{"head_y": NaN}'),
        ("p.json", b'{"head_y": "1"}'),
        ("p.json", b'{"head_y": 1e999}'),
        ("p.json", b'{"head_y": ' + b"9" * 4000 + b"}"),
        ("p.json", b'{"head_q": 1}'),
        ("p.json", b"[" * 100_000),
        ("p.yaml", b"head_y: !!python/object/apply:os.getcwd []\n"),
        ("p.yaml", b"head_y: .nan\n"),
        ("p.yaml", b"\xff\xfe\x00"),
        ("p.txt", b"head_y=1"),
        ("p.npy", b""),
        (
            "p.npy",
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 45)}",
        ),
        (
            "p.npy",
            b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (45,)}" + b" " * 50,
        ),
    ],
)
def test_poses(keywarp: Runner, student: Path, tmp_path: Path, place: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    sentence = keywarp("pose", student, "--pose", tmp_path / name, "-o", place / "p.png").sentence
    assert "p." in sentence or "head_q" in sentence


@pytest.mark.parametrize("shape", [(44,), (2, 44), (0, 45), (1, 1, 45)])
def test_pose_tables_of_another_shape(
    keywarp: Runner, student: Path, tmp_path: Path, place: Path, shape: tuple[int, ...]
) -> None:
    np.save(tmp_path / "p.npy", np.zeros(shape))
    sentence = keywarp("pose", student, "--pose", tmp_path / "p.npy", "-o", place / "p_##.png").sentence
    assert "(N, 45)" in sentence


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "640"],
        ["--size", "0x64"],
        ["--size", "9000x64"],
        ["--size", "1e3x64"],
        ["--frames", "9-3"],
        ["--frames", "0-99"],
        ["--frames", "a-b"],
        ["--fps", "0"],
        ["--fps", "1/0"],
        ["--fps", "nan"],
        ["--fps", "5000"],
        ["--background", "greenish"],
        ["--region", "0,0,0,5"],
        ["--region", "60,60,10,10", "--size", "64x64"],
        ["--region", "-1,0,10,10", "--size", "64x64"],
        ["--region", "1,2,3"],
        ["--device", "tpu"],
        ["--quality", "best"],
        ["--fit", "stretch"],
        ["--bits", "12"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_render_arguments(
    keywarp: Runner, student: Path, clip: Path, place: Path, arguments: list[str]
) -> None:
    assert keywarp("render", student, clip, "-o", place / "f_##.png", *arguments).sentence


@pytest.mark.parametrize("name", ["f.png", "f_##_##.png", "f.gif", "f_##.jpg"])
def test_render_names(keywarp: Runner, student: Path, clip: Path, place: Path, name: str) -> None:
    assert name in keywarp("render", student, clip, "-o", place / name, "--size", "64x64").sentence


def test_other_arguments(keywarp: Runner, student: Path, clip: Path, place: Path) -> None:
    picture = student / "character.png"
    for command in (
        ["render", student, clip, "-o", place / "v.mp4", "--resume", "--size", "64x64"],
        ["render", student, clip, "-o", place / "v.mp4", "--bits", "16", "--size", "64x64"],
        ["render", student, clip, "-o", place / "f_##.png", "--audio", clip, "--size", "64x64"],
        ["render", student],
        ["pose", student, "-o", place / "p.jpg"],
        ["pose", student, "-o", place / "p.png", "--set", "head_q=1"],
        ["pose", student, "-o", place / "p.png", "--set", "head_y"],
        ["pose", student, "-o", place / "p.png", "--set", "head_y=nan"],
        ["pose", student, "-o", place / "p.png", "--size", "native", "--region", "500,0,20,20"],
        ["pose", place, "-o", place / "p.png"],
        ["new", picture, "-o", place / "c.txt"],
        ["new", picture, "-o", place / "c.yaml", "--head", "1,2,3"],
        ["new", picture, "-o", place / "c.yaml", "--head", "9000,0,10,10"],
        ["new", picture, "-o", place / "c.yaml", "--model", "nowhere"],
        ["convert", clip, place / "c.vmd"],
        ["convert", clip, place / "c.json", "--space", "tha99"],
        ["convert", clip, clip],
        ["sheet", student, "-o", place / "s.jpg"],
        ["plot", clip, "-o", place / "p.jpg"],
        ["convert", clip, clip / "below.json"],
        ["sheet", student, "-o", clip / "folder" / "below.png"],
        ["pose", student, "-o", clip / "below.png"],
        ["render", student, clip, "-o", clip / "below_##.png"],
        ["render", student, clip, "-o", place / "a.mp4", "--audio", place / "nowhere.wav"],
        ["info", "nowhere"],
        ["models", "extra"],
        ["cache", "--clean"],
        ["dance"],
    ):
        assert keywarp(*command).sentence, command


def test_a_choice_is_refused_in_plain_words(keywarp: Runner, student: Path, place: Path) -> None:
    sentence = keywarp("pose", student, "-o", place / "p.png", "--bits", "12").sentence
    assert "'12' is not one of '8', '16'" in sentence and "rror" not in sentence


def test_what_would_be_right_is_said(keywarp: Runner, student: Path, place: Path, tmp_path: Path) -> None:
    unlike = keywarp("pose", student, "-o", place / "p.png", "--set", "zzz=1").sentence
    assert "no channel named 'zzz'" in unlike and f"keywarp info {student}" in unlike
    alike = keywarp("pose", student, "-o", place / "p.png", "--set", "head_q=1").sentence
    assert "did you mean" in alike and "keywarp info" not in alike
    Image.new("RGB", (8, 8)).save(tmp_path / "a.bmp")
    assert ".png" in keywarp("info", tmp_path / "a.bmp").sentence


def test_a_group_without_a_command_is_told_so(keywarp: Runner) -> None:
    assert "command" in keywarp("dataset").sentence


def test_misspelt_keys_are_said_aloud(keywarp: Runner, student: Path, clip: Path, tmp_path: Path) -> None:
    who = tmp_path / "who.yaml"
    who.write_text(
        f"keywarp: 1\npicture: {(student / 'character.png').as_posix()}\nmodel: {student.as_posix()}\n"
        "hd_pictur: gone.png\n",
        encoding="utf-8",
    )
    assert '"hd_pictur" is not known' in keywarp("info", who).err
    assert "did you mean hd_picture" in keywarp("check", who).err
    other = tmp_path / "other.json"
    other.write_text(clip_text(licens="CC0"), encoding="utf-8")
    assert "did you mean licence" in keywarp("convert", other, tmp_path / "made.json").err


def test_libraries_print_nothing_of_their_own(tmp_path: Path) -> None:
    """Of a damaged strip libtiff tells file descriptor 2, past Python's stderr."""
    buffer = io.BytesIO()
    draw_figure(64).save(buffer, "TIFF", compression="tiff_lzw")
    data = bytearray(buffer.getvalue())
    data[8:200] = bytes(192)  # the first strip, behind the header
    (tmp_path / "a.tif").write_bytes(data)
    given = [sys.executable, "-m", "keywarp.plugin.cli", "info", tmp_path / "a.tif"]
    done = subprocess.run(given, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    loud = subprocess.run([*given, "--debug"], capture_output=True, text=True, check=False)
    assert "Traceback" in loud.stderr


def test_a_full_disk(keywarp: Runner, student: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    done = keywarp("pose", student, "-o", place / "p.png", "--size", "64x64")
    assert done.status == 2
    assert os.strerror(errno.ENOSPC) in done.err.splitlines()[-1]


def test_too_little_memory(
    keywarp: Runner, student: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keywarp.core.render.stage import Stage

    def starved(self: Stage, *args: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Stage, "frame", starved)
    done = keywarp("pose", student, "-o", place / "p.png", "--size", "64x64")
    assert done.status == 2
    assert "memory" in done.err.splitlines()[-1]


def test_a_defect_is_told_apart(
    keywarp: Runner, student: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keywarp.core.render.stage import Stage

    def broken(self: Stage, *args: object, **options: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(Stage, "frame", broken)
    given = ["pose", student, "-o", place / "p.png", "--size", "64x64"]
    quiet, loud = keywarp(*given), keywarp(*given, "--debug")
    assert quiet.status == loud.status == 1
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err


def test_debug_shows_where_bad_input_was_found(keywarp: Runner, tmp_path: Path) -> None:
    done = keywarp("--debug", "info", tmp_path / "gone")
    assert done.status == 2
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("keywarp: ")
