# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG and EXR files, read back by Pillow, OpenCV and OpenEXR."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from keywarp.core import bleed
from keywarp.core.color import from_srgb8, to_srgb8, to_srgb16
from keywarp.core.picture import read_picture
from keywarp.core.render.provenance import Provenance
from keywarp.core.render.sinks import Output, open_sink, write_picture
from keywarp.core.render.sinks.images import ImageSequence
from keywarp.core.render.sinks.naming import frame_pattern, may_be_frame
from keywarp.core.render.sinks.png import encode_png
from keywarp.keyframes.errors import KeywarpError

PROVENANCE = Provenance("Eileen", "tha4 lambda_00", "CC BY 4.0", "初音 & Gene (c) 2023")


def drawing(height: int = 211, width: int = 173) -> np.ndarray:
    """(H, W, 4) picture: flat areas, gradients, lines, soft edges, and nothing around."""
    canvas = np.zeros((height, width, 4), np.uint8)
    cv2.ellipse(
        canvas,
        (width // 2, height // 2),
        (width // 3, height // 3),
        20,
        0,
        360,
        (240, 190, 160, 255),
        -1,
        cv2.LINE_AA,
    )
    for i in range(8):
        cv2.line(
            canvas,
            (i * width // 8, 20),
            (width // 2, height - 30),
            (60 + 20 * i, 30, 90, 255),
            2,
            cv2.LINE_AA,
        )
    gradient = np.linspace(0, 60, width).astype(np.uint8)[None, :, None]
    canvas[..., :3] += np.where(canvas[..., 3:] == 255, gradient // 4, 0).astype(np.uint8)
    return from_srgb8(canvas)


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 40), st.integers(1, 24), st.just(4)),
        elements=st.integers(0, 255),
    )
)
def test_any_pixels_survive_png(pixels: np.ndarray) -> None:
    decoded = cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded[..., [2, 1, 0, 3]], pixels)


def test_png_says_where_it_came_from(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", drawing(), provenance=PROVENANCE)
    image = Image.open(tmp_path / "p.png")
    assert np.array_equal(np.asarray(image), to_srgb8(drawing()))
    assert image.info["Software"].startswith("keywarp ")
    assert image.info["Character"] == "Eileen"
    assert image.info["Model"] == "tha4 lambda_00"
    assert image.info["Licence"] == "CC BY 4.0"
    assert image.info["Credit"] == PROVENANCE.credit
    assert image.info["srgb"] == 0
    Image.open(tmp_path / "p.png").verify()


def test_sixteen_bit_png(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", drawing(), bits=16)
    stored = cv2.imread(str(tmp_path / "p.png"), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
    assert stored.dtype == np.uint16
    assert np.array_equal(stored, to_srgb16(drawing()))


def test_exr_is_half_premultiplied_and_lossless(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.exr", drawing(), provenance=PROVENANCE)
    file = OpenEXR.File(str(tmp_path / "p.exr"))
    pixels = file.channels()["RGBA"].pixels
    assert pixels.dtype == np.float16
    assert np.array_equal(pixels, drawing().astype(np.float16))
    header = file.header()
    assert header["character"] == "Eileen"
    assert header["licence"] == "CC BY 4.0"
    assert "capDate" not in header
    assert np.array_equal(read_picture(tmp_path / "p.exr").pixels, pixels.astype(np.float32))


def test_whatever_its_checksum_a_frame_is_known_again(tmp_path: Path) -> None:
    """Checksums stand behind texts, and one in 16 begins with what a text could go on with."""
    for work in range(64):
        output = Output(8, 6, Fraction(24), Provenance(work=f"{work:016x}"))
        sequence = ImageSequence(tmp_path / f"{work}_##.png", output)
        sequence.write(1, drawing(6, 8))
        assert sequence.has(1)


@pytest.mark.parametrize("suffix", [".png", ".exr"])
@pytest.mark.parametrize("bits", [8, 16])
def test_equal_frames_give_equal_bytes(tmp_path: Path, suffix: str, bits: int) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"{name}{suffix}", drawing(), bits, PROVENANCE)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_without_igzip_png_is_as_valid(tmp_path: Path, monkeypatch) -> None:
    import importlib

    from keywarp.core.render.sinks import png

    monkeypatch.setitem(sys.modules, "isal", None)
    try:
        data = importlib.reload(png).encode_png(to_srgb8(drawing()))
    finally:
        monkeypatch.undo()
        importlib.reload(png)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), to_srgb8(drawing()))


@pytest.mark.shared
def test_png_is_as_small_as_zlib_makes_it(shared: Path) -> None:
    """At most 1.3 times the smaller of Pillow's and OpenCV's files at zlib level 1."""
    paths = sorted(shared.glob("images/*.png"))
    assert len(paths) >= 4
    for path in paths:
        picture = read_picture(path).pixels
        enlarged = np.clip(cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), 0, 1)
        for frame in (picture, enlarged):
            pixels = to_srgb8(frame)
            pillow = io.BytesIO()
            Image.fromarray(pixels).save(pillow, "PNG", compress_level=1)
            options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
            opencv = cv2.imencode(".png", pixels[..., [2, 1, 0, 3]], options)[1]
            assert len(encode_png(pixels)) <= 1.3 * min(len(pillow.getvalue()), len(opencv))


def test_transparent_rows_cost_nothing() -> None:
    data = encode_png(np.zeros((2160, 3840, 4), np.uint8))
    assert len(data) < 100_000
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    assert zlib.decompress(data[at + 4 : at + 4 + length]) == bytes(2160 * (3840 * 4 + 1))


def output(frame: np.ndarray, **options: object) -> Output:
    return Output(frame.shape[1], frame.shape[0], Fraction(24), PROVENANCE, **options)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("folder", ["folder/frame_0009.png", "folder/frame_0010.png", "folder/frame_0011.png"]),
        ("deep/er/shot_##.png", ["deep/er/shot_09.png", "deep/er/shot_10.png", "deep/er/shot_11.png"]),
        ("#.exr", ["10.exr", "11.exr", "9.exr"]),
    ],
)
def test_sequences_are_numbered_by_frame(tmp_path: Path, name: str, files: list[str]) -> None:
    frame = drawing()
    with open_sink(tmp_path / name, output(frame)) as sink:
        assert not any(tmp_path.iterdir())
        for number in (9, 10, 11):
            sink.write(number, np.roll(frame, number, axis=1))
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert found == files
    with open_sink(tmp_path / name, output(frame)) as sink:
        assert sink.has(10)
        assert not sink.has(12)
    visible = to_srgb8(np.roll(frame, 9, axis=1))
    stored = to_srgb8(read_picture(tmp_path / (files[-1] if name == "#.exr" else files[0])).pixels)
    assert np.array_equal(stored[..., 3], visible[..., 3])


def test_bytes_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    from keywarp.core.render.sinks.images import ImageSequence
    from keywarp.core.render.sinks.queued import QueuedSink

    frame = drawing()
    for workers in (1, 2, 4):
        folder = tmp_path / str(workers)
        with QueuedSink(ImageSequence(folder / "####.png", output(frame)), workers) as sink:
            for number in range(12):
                sink.write(number, np.roll(frame, 5 * number, axis=0))
    for number in range(12):
        data = {(tmp_path / w / f"{number:04d}.png").read_bytes() for w in "124"}
        assert len(data) == 1


def test_a_region_with_margins_equals_the_crop_of_the_whole(tmp_path: Path) -> None:
    frame, reach = drawing(), bleed.REACH
    write_picture(tmp_path / "whole.png", frame)
    x, y, w, h = 40, 30, 71, 85
    part = np.ascontiguousarray(frame[y - reach : y + h + reach, x - reach : x + w + reach])
    region = Output(w, h, Fraction(24), origin=(x - reach, y - reach), margin=(reach,) * 4)
    with open_sink(tmp_path / "part_#.png", region) as sink:
        sink.write(0, part)
    whole = np.asarray(Image.open(tmp_path / "whole.png"))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "part_0.png")), whole[y : y + h, x : x + w])


@pytest.mark.parametrize("name", ["frame.png", "a_#_b_#.png", "movie.avi", "movie.gif", "still.jpg"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeywarpError) as caught:
        open_sink(tmp_path / name, output(drawing()))
    assert str(tmp_path / name) in str(caught.value)


def test_images_take_no_sound(tmp_path: Path) -> None:
    with pytest.raises(KeywarpError, match="sound"):
        open_sink(tmp_path / "a_#.png", output(drawing(), audio=tmp_path / "a.wav"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeywarpError, match="could not be written"):
        write_picture(tmp_path / "file" / "p.png", drawing())
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(KeywarpError, match="could not be written"):
        write_picture(tmp_path / "taken.png", drawing())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken.png"]


@pytest.mark.parametrize("suffix", ["png", "exr"])
def test_a_sequence_goes_on_only_with_its_own_frames(suffix: str, tmp_path: Path) -> None:
    frame = np.full((6, 8, 4), 0.5, np.float32)
    pattern = tmp_path / f"####.{suffix}"
    first = ImageSequence(pattern, Output(8, 6, Fraction(24)))
    first.write(1, frame)
    assert first.has(1) and not first.has(2)
    with pytest.raises(KeywarpError, match="8x6 pixels"):
        ImageSequence(pattern, Output(8, 7, Fraction(24))).has(1)
    if suffix == "png":
        with pytest.raises(KeywarpError, match="8 bits where one of 8x6 pixels with 16 bits"):
            ImageSequence(pattern, Output(8, 6, Fraction(24), bits=16)).has(1)
    other = Output(8, 6, Fraction(24), Provenance(character="Ümläut 猫", work="0123456789abcdef"))
    with pytest.raises(KeywarpError, match="another clip"):
        ImageSequence(pattern, other).has(1)
    mine = ImageSequence(pattern, other)
    mine.write(2, frame)
    assert mine.has(2)
    whole = first.path(1).read_bytes()
    for damaged in (b"", b"junk", whole[: len(whole) // 2], b"P" + whole[1:]):  # made again
        first.path(3).write_bytes(damaged)
        assert not first.has(3)


@pytest.mark.parametrize("suffix", ["png", "exr"])
def test_frames_are_whole_to_the_last_pixel(suffix: str, tmp_path: Path) -> None:
    frame = np.random.default_rng(0).random((96, 80, 4), np.float32)
    sequence = ImageSequence(tmp_path / f"####.{suffix}", Output(80, 96, Fraction(24)))
    sequence.write(1, frame)
    whole = sequence.path(1).read_bytes()
    assert len(whole) > 20_000 and sequence.has(1)
    for share in (0.5, 0.9, 0.999):
        sequence.path(2).write_bytes(whole[: int(len(whole) * share)])
        assert not sequence.has(2), share
    middle = len(whole) // 2
    sequence.path(2).write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
    assert not sequence.has(2)


@pytest.mark.parametrize(
    ("out", "file", "same"),
    [
        ("f_##.png", "f_02.png", True),
        ("f_##.png", "f_12345.png", True),
        ("f_##.png", "F_-02.PNG", True),
        ("f_##.png", "f_.png", False),
        ("f_##.png", "g_02.png", False),
        ("f_##.png", "deeper/f_02.png", False),
        (".", "frame_0003.png", True),
        (".", "frame.png", False),
    ],
)
def test_what_a_frame_would_be_written_over_is_known(out: str, file: str, same: bool, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"mine")
    assert may_be_frame(frame_pattern(tmp_path / out), tmp_path / file) is same


def test_frames_go_to_folders_and_numbered_names(tmp_path: Path) -> None:
    assert frame_pattern(tmp_path / "new") == tmp_path / "new" / "frame_####.png"
    (tmp_path / "notes").write_text("mine")
    for out, fault in (
        ("notes", "is a file"),
        (".png", "ending without a name"),
        ("a.png", "one run of #"),
        ("#_#.png", "one run of #"),
    ):
        with pytest.raises(KeywarpError, match=fault):
            frame_pattern(tmp_path / out)
