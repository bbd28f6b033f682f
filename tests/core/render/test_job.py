# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering a clip: which frames, the same bytes in parts as in one piece, regions, resuming, defaults."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from keywarp.core.bench.measure import peak_memory
from keywarp.core.canvas import view_of
from keywarp.core.character import Character, load_character
from keywarp.core.picture import read_picture
from keywarp.core.render import performer
from keywarp.core.render.job import PoseTrack, Timeline, region_box, render, with_margin, work_of
from keywarp.core.render.performer import Performer, edge_weight
from keywarp.core.render.sinks import Output, open_sink, write_picture
from keywarp.core.render.stage import Stage
from keywarp.keyframes.clip import Clip
from keywarp.keyframes.curve import Curve, Key
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import space

from ..models.stand_in import SPACE, save_animator

SIZE = (480, 300)


def clip(fps: float = 24.0, start: float = 0, end: float = 9) -> Clip:
    turn = Curve([Key(0, -1), Key(9, 1)])
    blink = Curve([Key(0, 0), Key(4, 1), Key(9, 0)])
    return Clip("tha45", {"head_y": turn, "eye_wink_left": blink, "breathing": blink}, fps, start, end)


@pytest.fixture(scope="module")
def character(shared: Path) -> Character:
    return load_character(shared / "reference" / "lambda_00")


@pytest.fixture(scope="module")
def stage(character: Character) -> Stage:
    return Stage(character, size=SIZE, device="cpu")


def run(stage: Stage, out: Path, numbers: tuple[int, int] | None = None, **options: bool) -> list[Path]:
    timeline = Timeline.of(clip())
    box = region_box(stage, None)
    # As the command line does with its defaults.
    provenance = replace(stage.provenance, work=work_of(stage, clip(), timeline, box, None, "full"))
    sink = open_sink(out, Output(*SIZE, timeline.fps, provenance))
    render(stage, clip(), sink, timeline.numbers(numbers), timeline, box, **options)
    return sorted(out.parent.glob("*.png"))


def test_output_frames_show_the_clip_at_their_time() -> None:
    timeline = Timeline.of(clip(fps=30, start=10, end=40), Fraction(24))
    assert timeline.numbers(None) == range(10, 35)
    np.testing.assert_allclose(timeline.clip_frames(range(10, 13)), [10, 11.25, 12.5])
    ntsc = Timeline.of(clip(fps=24000 / 1001), None)
    assert ntsc.fps == Fraction(24000, 1001)
    assert ntsc.numbers((3, 5)) == range(3, 6)
    half = Timeline.of(clip(start=0.5, end=3.25))
    assert half.numbers(None) == range(1, 4)
    np.testing.assert_allclose(half.clip_frames(range(1, 4)), [1, 2, 3])
    for wanted in ((-1, 3), (5, 4), (0, 10)):
        with pytest.raises(KeywarpError, match="frames"):
            Timeline.of(clip()).numbers(wanted)
    with pytest.raises(KeywarpError, match="5-4 the first comes after the last"):
        Timeline.of(clip()).numbers((5, 4))


@pytest.mark.parametrize(
    ("canvas", "size", "fit", "box"),
    [
        ((512, 512), (3840, 2160), "contain", (840, 0, 3000, 2160)),
        ((512, 512), (3840, 2160), "cover", (0, 0, 3840, 2160)),
        ((479, 1080), None, "contain", (0, 0, 479, 1080)),
        ((100, 50), (50, 100), "contain", (0, 38, 50, 63)),
    ],
)
def test_the_canvas_is_centred(
    canvas: tuple[int, int], size: tuple[int, int] | None, fit: str, box: tuple[int, int, int, int]
) -> None:
    view = view_of(canvas, size, fit)  # type: ignore[arg-type]
    assert view.canvas == box
    with pytest.raises(KeywarpError, match="8192"):
        view_of(canvas, (9000, 100))


@pytest.mark.shared
@pytest.mark.slow
def test_two_processes_parts_are_one_whole_byte_for_byte(stage: Stage, shared: Path, tmp_path: Path) -> None:
    whole = run(stage, tmp_path / "one" / "####.png")
    clip().save(tmp_path / "clip.json")
    for frames in ("0-3", "4-9"):
        program = [sys.executable, "-m", "keywarp.plugin.cli", "render", shared / "reference" / "lambda_00"]
        options = [
            "-o",
            tmp_path / "two" / "####.png",
            "--size",
            "480x300",
            "--frames",
            frames,
            "--device",
            "cpu",
        ]
        subprocess.run([*map(str, [*program, tmp_path / "clip.json", *options])], check=True)
    parts = sorted((tmp_path / "two").glob("*.png"))
    assert [part.name for part in parts] == [f"{n:04}.png" for n in range(10)]
    assert [part.read_bytes() for part in parts] == [frame.read_bytes() for frame in whole]


@pytest.mark.shared
def test_a_region_is_that_crop_of_the_whole(stage: Stage, tmp_path: Path) -> None:
    timeline, motion = Timeline.of(clip()), clip()
    whole = cv2.imread(str(run(stage, tmp_path / "whole" / "####.png", (3, 3))[0]), cv2.IMREAD_UNCHANGED)
    for region in ((0, 0, 480, 300), (201, 33, 77, 101), (5, 200, 470, 100), (240, 60, 1, 1)):
        box = region_box(stage, region)
        wide, margin = with_margin(stage, box)
        output = Output(region[2], region[3], timeline.fps, stage.provenance, origin=wide[:2], margin=margin)
        folder = tmp_path / "x".join(map(str, region))
        render(stage, motion, open_sink(folder / "####.png", output), range(3, 4), timeline, wide)
        part = cv2.imread(str(next(folder.glob("*.png"))), cv2.IMREAD_UNCHANGED)
        crop = whole[region[1] : region[1] + region[3], region[0] : region[0] + region[2]]
        assert np.abs(part.astype(int) - crop).max() <= 1
    with pytest.raises(KeywarpError, match="not inside the frame"):
        region_box(stage, (400, 0, 100, 10))


@pytest.mark.shared
def test_resuming_makes_only_what_is_missing(stage: Stage, tmp_path: Path) -> None:
    first = run(stage, tmp_path / "####.png")
    kept = {path: path.read_bytes() for path in first}
    first[4].unlink()
    shutil.copyfile(first[0], first[2])  # a frame of the right form, which a second making would change
    kept[first[2]] = kept[first[0]]
    run(stage, tmp_path / "####.png", resume=True)
    assert {path: path.read_bytes() for path in first} == kept


@pytest.mark.shared
def test_resuming_makes_damaged_frames_again(stage: Stage, tmp_path: Path) -> None:
    first = run(stage, tmp_path / "####.png")
    before = first[2].read_bytes()
    first[2].write_bytes(before[: len(before) // 2])
    run(stage, tmp_path / "####.png", resume=True)
    assert first[2].read_bytes() == before


@pytest.mark.shared
def test_defaults_stand_where_the_clip_animates_nothing(character: Character, stage: Stage) -> None:

    other = replace(character, defaults={"mouth_aaa": 0.25, "head_y": 0.5})
    track = PoseTrack(clip(), Stage(other, size=(64, 64), device="cpu"))
    poses, of = track.poses(np.array([0.0, 9.0])), space("tha45")
    assert poses[:, of.index("mouth_aaa")].tolist() == [0.25, 0.25]
    assert poses[:, of.index("head_y")].tolist() == [-1, 1]


@pytest.mark.shared
def test_frames_differ_and_show_the_pose(stage: Stage) -> None:
    track = PoseTrack(clip(), stage)
    first, last = (stage.frame(pose) for pose in track.poses(np.array([0.0, 9.0])))
    assert np.abs(first - last).mean() > 0.005
    assert not first[:, : stage.view.canvas[0]].any()  # bars are transparent


PEAK = """import sys
from keywarp.core.bench.measure import peak_memory
from keywarp.plugin.cli import main
status = main(sys.argv[1:])
print(peak_memory())
sys.exit(status)"""


@pytest.mark.slow
@pytest.mark.parametrize("out", ["f_####.png", "f.mp4"])
def test_a_longer_clip_needs_no_more_memory(tmp_path: Path, out: str) -> None:
    """Four times as many frames, each another, rendered by processes of their own."""
    if not peak_memory():
        pytest.skip("this system does not say how much memory a process has held")
    random = np.random.default_rng(0)
    figure = cv2.ellipse(np.zeros((512, 512), np.uint8), (256, 256), (150, 220), 0, 0, 360, 255, -1)
    drawn = np.dstack([random.integers(0, 256, (512, 512, 3), np.uint8), figure])
    cv2.imwrite(str(tmp_path / "who.png"), drawn)
    model = save_animator(tmp_path / "model")
    peaks = []
    # The first is long enough for an encoder to have looked ahead as far as it ever does.
    for count in (48, 192):
        motion = Clip(SPACE, {"yaw": Curve([Key(0, -20), Key(count - 1, 20)])}, 24.0, 0, count - 1)
        motion.save(tmp_path / "clip.json")
        given = ["render", tmp_path / "who.png", tmp_path / "clip.json", "--model", model, "--device", "cpu"]
        given += ["-o", tmp_path / str(count) / out, "--size", "640x360"]
        command = [sys.executable, "-c", PEAK, *map(str, given)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.splitlines()[-1]))
    # Two runs of one length differ by up to 5 MB. Of the further 144 frames the floats are 531 MB, the bytes 133 MB,
    # the files of noise 40 MB.
    assert peaks[1] - peaks[0] < 16 << 20


@pytest.mark.shared
def test_a_draft_of_a_turned_head_is_within_45_decibels(stage: Stage) -> None:
    """Of the frame at full quality, and not the same: something is left out."""
    full, draft = (Stage(stage.performer, size=(2048, 2048), draft=quality) for quality in (False, True))
    motion = stage.motion(space("tha45").pose({"head_y": 1.0, "head_x": 0.5}))
    error = np.mean((draft.reswarp.frame(motion).astype(np.float64) - full.reswarp.frame(motion)) ** 2)
    assert 0 < error <= 10 ** (-45 / 10)


@pytest.mark.shared
def test_an_hd_picture_is_found_and_drawn(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same artwork, larger and with a margin: the frame shows its detail, not that of the 512 picture."""
    folder = shared / "reference" / "lambda_00"
    small = read_picture(folder / "character.png").pixels
    random = np.random.default_rng(0)
    large = cv2.resize(small, (1536, 1536), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    detail = random.random((1536, 1536, 1)).astype(np.float32) * 0.1 * large[..., 3:]
    fine = np.zeros((1700, 1640, 4), np.float32)
    fine[90 : 90 + 1536, 40 : 40 + 1536] = large
    fine[90 : 90 + 1536, 40 : 40 + 1536, :3] *= 1 - detail
    write_picture(tmp_path / "hd.png", fine, bits=16)
    (tmp_path / "who.yaml").write_text(
        f"keywarp: 1\npicture: {(folder / 'character.png').as_posix()}\nhd_picture: hd.png\n"
        f"model: {folder.as_posix()}\n"
    )
    stage = Stage(load_character(tmp_path / "who.yaml"), device="cpu")
    assert (stage.view.width, stage.view.height) == (1640, 1700)
    with monkeypatch.context() as patch:  # it is looked for once, and kept
        patch.setattr(performer, "register", None)
        again = Performer(load_character(tmp_path / "who.yaml"), device="cpu")
    assert again.artwork.canvas_framing == stage.artwork.canvas_framing
    rest = stage.frame(space("tha45").rest())
    body = slice(900, 1300), slice(700, 1000)
    assert np.abs(rest[body] - fine[body]).mean() < 0.01
    turned = stage.frame(space("tha45").pose({"head_y": 0.7, "body_y": 0.5}))
    grain = [
        np.abs(image[body] - cv2.GaussianBlur(image[body], (0, 0), 2)).mean() for image in (turned, fine)
    ]
    assert grain[0] > 0.7 * grain[1]


def test_the_square_fades_only_where_the_picture_goes_on() -> None:
    from keywarp.core.framing import Framing

    picture = np.zeros((300, 200, 4), np.float32)
    picture[50:300, 60:140] = 1
    inside = edge_weight(picture, Framing.of_square(0, 0, 200), 512)
    assert inside is not None
    assert inside[-1].max() < 0.01 < 0.99 < inside[0].min()
    assert edge_weight(picture[:200], Framing.of_square(0, 0, 200), 512) is None
