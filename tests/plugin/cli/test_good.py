# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command does what it says: files of the promised size, names, numbers and content."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image

from keywarp.core.models import registry
from keywarp.keyframes.clip import Clip
from keywarp.plugin.cli.arguments import parse_rate

from .conftest import Runner, clip_text, draw_figure, vmd_bytes

Pixels = npt.NDArray[np.uint8]


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def test_version_and_help_load_nothing_heavy() -> None:
    script = (
        "import sys; from keywarp.plugin.cli import main; main(['--version']); main(['render', '--help']); "
        "print(sorted({'cv2', 'onnxruntime', 'av', 'numpy', 'PIL', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("keywarp ")
    assert lines[-1] == "[]"


def test_alone_it_shows_its_help(keywarp: Runner) -> None:
    done = keywarp()
    assert (done.status, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines() if line.strip()]
    assert lines[0][0] == "Usage:" and any(line[0] == "render" for line in lines)


def test_a_pipe_gets_no_escape_codes(student: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "keywarp.plugin.cli"]
    for arguments in (
        ["--help"],
        ["info", str(student)],
        ["pose", str(student), "-o", str(tmp_path / "a.png")],
    ):
        done = subprocess.run([*command, *arguments], capture_output=True, check=True)
        assert b"\x1b" not in done.stdout + done.stderr


class TestPose:
    def test_size_and_provenance(self, keywarp: Runner, student: Path, tmp_path: Path) -> None:
        out = tmp_path / "deep" / "pose.png"
        done = keywarp("pose", student, "--set", "head_y=0.5", "-o", out, "--size", "300x200")
        assert done.status == 0, done.err
        assert done.out.splitlines() == [str(out)]
        assert "512x512 pixels, reduced" in done.err
        with Image.open(out) as image:
            assert image.size == (300, 200)
            assert image.mode == "RGBA"
            assert image.info["Character"] == "figure"
            assert image.info["Software"].startswith("keywarp ")

    def test_a_region_is_that_crop_of_the_frame(self, keywarp: Runner, student: Path, tmp_path: Path) -> None:
        whole, part = tmp_path / "whole.png", tmp_path / "part.png"
        given = ["pose", student, "--set", "head_y=1", "--set", "eye_wink_left=1", "--size", "400x400"]
        assert keywarp(*given, "-o", whole).status == 0
        assert keywarp(*given, "-o", part, "--region", "120,40,150,130").status == 0
        crop = pixels(whole)[40:170, 120:270].astype(int)
        assert np.abs(pixels(part) - crop).max() <= 1

    def test_native_is_the_models_square(self, keywarp: Runner, student: Path, tmp_path: Path) -> None:
        whole, part = tmp_path / "whole.png", tmp_path / "part.png"
        assert keywarp("pose", student, "-o", whole, "--size", "native").status == 0
        assert (
            keywarp("pose", student, "-o", part, "--size", "native", "--region", "10,20,300,200").status == 0
        )
        assert pixels(whole).shape == (512, 512, 4)
        # What lies under transparent pixels may differ: it comes from what is seen around.
        visible = pixels(part)[..., 3] > 0
        np.testing.assert_array_equal(pixels(part)[visible], pixels(whole)[20:220, 10:310][visible])

    def test_what_is_said_wins_over_the_file_over_the_defaults(
        self, keywarp: Runner, student: Path, tmp_path: Path
    ) -> None:
        character = tmp_path / "c.yaml"
        content = {
            "keywarp": 1,
            "picture": str(student / "character.png"),
            "model": str(student),
            "defaults": {"head_y": -0.5, "head_x": -0.5, "neck_z": 0.25},
        }
        character.write_text(yaml.safe_dump(content), encoding="utf-8")
        poses = tmp_path / "pose.yaml"
        poses.write_text("head_y: 0.5\nhead_x: 0.75\n", encoding="utf-8")
        mixed, spelled = tmp_path / "mixed.png", tmp_path / "spelled.png"
        common = ["--size", "96x96", "-o"]
        assert keywarp("pose", character, "--pose", poses, "--set", "head_y=1", *common, mixed).status == 0
        values = ["--set", "head_y=1", "--set", "head_x=0.75", "--set", "neck_z=0.25"]
        assert keywarp("pose", character, *values, *common, spelled).status == 0
        np.testing.assert_array_equal(pixels(mixed), pixels(spelled))
        assert keywarp("pose", character, *values[:-1], "neck_z=0", *common, spelled).status == 0
        assert (pixels(mixed) != pixels(spelled)).any()

    def test_a_table_of_poses_is_numbered_from_0(
        self, keywarp: Runner, student: Path, tmp_path: Path
    ) -> None:
        table = np.zeros((3, 45))
        table[:, 13 + 13] = 1  # mouth_aaa
        table[1, 42], table[2, 40] = 0.5, 7
        np.save(tmp_path / "poses.npy", table)
        done = keywarp(
            "pose", student, "--pose", tmp_path / "poses.npy", "-o", tmp_path / "p_###.png", "--size", "64x64"
        )
        assert done.status == 0, done.err
        assert sorted(path.name for path in tmp_path.glob("p_*")) == ["p_000.png", "p_001.png", "p_002.png"]
        assert "head_y was held to its range, -1 to 1" in done.err

    def test_16_bits(self, keywarp: Runner, student: Path, tmp_path: Path) -> None:
        assert (
            keywarp("pose", student, "-o", tmp_path / "a.png", "--bits", "16", "--size", "64x64").status == 0
        )
        assert (tmp_path / "a.png").read_bytes()[24] == 16


class TestRender:
    def test_frames_of_a_range(self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path) -> None:
        done = keywarp("render", student, clip, "-o", tmp_path / "seq", "--frames", "3-5", "--size", "80x80")
        assert done.status == 0, done.err
        names = sorted(path.name for path in (tmp_path / "seq").iterdir())
        assert names == ["frame_0003.png", "frame_0004.png", "frame_0005.png"]

    def test_a_frame_is_the_pose_at_its_time(
        self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path
    ) -> None:
        """At 48 frames a second frame 10 shows the clip's frame 5: head_y 5/12, the left eye closed."""
        given = ["-o", tmp_path / "f_##.png", "--frames", "10", "--fps", "48", "--size", "96x96"]
        assert keywarp("render", student, clip, *given).status == 0
        values = ["--set", f"head_y={5 / 12!r}", "--set", "eye_wink_left=1"]
        assert keywarp("pose", student, *values, "-o", tmp_path / "p.png", "--size", "96x96").status == 0
        np.testing.assert_array_equal(pixels(tmp_path / "f_10.png"), pixels(tmp_path / "p.png"))

    def test_video(self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path) -> None:
        out = tmp_path / "v.mp4"
        done = keywarp(
            "render", student, clip, "-o", out, "--fps", "23.976", "--size", "65x64", "--frames", "0-5"
        )
        assert done.status == 0, done.err
        assert "65x64 became 66x64" in done.err
        with av.open(str(out)) as video:
            stream = video.streams.video[0]
            assert stream.average_rate == Fraction(24000, 1001)
            assert sum(1 for _ in video.decode(stream)) == 6
        assert [path.name for path in tmp_path.glob("*v.mp4*")] == ["v.mp4"]

    def test_resume_makes_what_is_missing_only(
        self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path
    ) -> None:
        given = [
            "render",
            student,
            clip,
            "-o",
            tmp_path / "s" / "a_##.png",
            "--size",
            "64x64",
            "--frames",
            "0-3",
        ]
        assert keywarp(*given).status == 0
        first = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
        (tmp_path / "s" / "a_02.png").unlink()
        # A whole frame of this render stays, whatever it shows; a damaged one is made again.
        (tmp_path / "s" / "a_01.png").write_bytes(first["a_03.png"])
        assert keywarp(*given, "--resume").status == 0
        again = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
        assert again == {**first, "a_01.png": first["a_03.png"]}
        (tmp_path / "s" / "a_01.png").write_bytes(first["a_01.png"][:200])
        assert keywarp(*given, "--resume").status == 0
        assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == first

    def test_resume_takes_no_frame_of_another_render(
        self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path
    ) -> None:
        given = ["-o", tmp_path / "s" / "a_##.png", "--size", "64x64", "--frames"]
        assert keywarp("render", student, clip, *given, "0-1").status == 0
        other = tmp_path / "other.json"
        other.write_text(clip_text(curves={"head_y": {"points": [[0, 1]], "interpolation": "LINEAR"}}))
        for changed in (
            ["render", student, other, *given, "0-1"],
            ["render", student, clip, *given, "0-1", "--background", "red"],
            ["render", student, clip, *given, "0-1", "--fps", "12"],
        ):
            done = keywarp(*changed, "--resume")
            assert done.status == 2 and "is a frame of another render" in done.err
        assert keywarp("render", student, clip, *given, "0-3", "--resume").status == 0
        renamed = tmp_path / "renamed.json"
        renamed.write_text(clip_text(title="the same motion", end=10))
        assert keywarp("render", student, renamed, *given, "0-3", "--resume").status == 0

    def test_a_background_stands_behind_the_character(
        self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path
    ) -> None:
        given = ["render", student, clip, "--frames", "0", "--size", "96x96", "-o"]
        assert keywarp(*given, tmp_path / "a_#.png").status == 0
        assert keywarp(*given, tmp_path / "b_#.png", "--background", "#a0b0c0").status == 0
        bare, backed = pixels(tmp_path / "a_0.png"), pixels(tmp_path / "b_0.png")
        assert (backed[..., 3] == 255).all()
        empty = bare[..., 3] == 0
        assert empty.any()
        # Alpha is rounded to whole levels: there may be half a level of the figure in what counts as empty.
        np.testing.assert_allclose(
            backed[empty][:, :3], np.tile((0xA0, 0xB0, 0xC0), (empty.sum(), 1)), atol=1
        )

    def test_losses_are_said(self, keywarp: Runner, student: Path, tmp_path: Path) -> None:
        curves = {"cheekPuff": {"interpolation": "LINEAR", "points": [[0, 0], [2, 1]]}}
        text = {"keywarp_clip": 1, "space": "arkit52", "fps": 30, "start": 0, "end": 2, "curves": curves}
        (tmp_path / "c.json").write_text(json.dumps(text), encoding="utf-8")
        done = keywarp("render", student, tmp_path / "c.json", "-o", tmp_path / "s", "--size", "64x64")
        assert done.status == 0, done.err
        assert "tha45 cannot show what the clip does with cheekPuff" in done.err

    def test_interrupted(
        self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from keywarp.core.render.stage import Stage

        real, calls = Stage.frame, []

        def frame(self: Stage, *args: object, **options: object) -> object:
            calls.append(1)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return real(self, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Stage, "frame", frame)
        before = set(tmp_path.rglob("*"))
        done = keywarp("render", student, clip, "-o", tmp_path / "v.mp4", "--size", "64x64")
        assert done.status == 130
        assert "interrupted" in done.err
        assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("60", Fraction(60)),
    ],
)
def test_rates(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


class TestFiles:
    def test_new_makes_a_character_that_renders(self, keywarp: Runner, student: Path, tmp_path: Path) -> None:
        draw_figure(1024).save(tmp_path / "big.png")
        draw_figure(700).save(tmp_path / "art.png")
        out = tmp_path / "sub" / "c.yaml"
        given = ["--model", student, "--head", "266,116,180,160", "--hd", tmp_path / "big.png", "-o", out]
        done = keywarp("new", tmp_path / "art.png", *given)
        assert done.status == 0, done.err
        content = yaml.safe_load(out.read_text(encoding="utf-8"))
        assert content["picture"] == "../art.png"
        assert content["hd_picture"] == "../big.png"
        assert content["head"] == [266.0, 116.0, 180.0, 160.0]
        assert keywarp("pose", out, "-o", tmp_path / "p.png").status == 0
        assert pixels(tmp_path / "p.png").shape == (1024, 1024, 4)
        assert "exists already" in keywarp("new", tmp_path / "art.png", "-o", out).sentence

    def test_new_measures_by_the_model_that_is_named(
        self, keywarp: Runner, student: Path, tmp_path: Path
    ) -> None:
        """A head that is too small for one model may do for another, and where larger artwork is named."""
        art, model = tmp_path / "art.png", str(student)
        draw_figure(300).save(art)
        draw_figure(900).save(tmp_path / "big.png")
        big = tmp_path / "big.png"
        for picture, given, remedy in (
            (art, ["--model", model], f"--model {shlex.quote(model)} --hd PICTURE -o"),
            (art, ["--model", model, "--hd", big], None),
            (big, [], None),  # large enough for the animator that ships
        ):
            out = tmp_path / "c.yaml"
            done = keywarp("new", picture, "-o", out, *given)
            assert done.status == 0
            assert ("pixels high" in done.err) == (remedy is not None)
            assert remedy is None or remedy in done.err
            out.unlink()

    def test_one_checkpoint_of_a_character_knows_its_picture(
        self, keywarp: Runner, student: Path, tmp_path: Path
    ) -> None:
        Image.new("RGBA", (600, 600), (10, 120, 60, 255)).save(tmp_path / "other.png")
        given = ["--model", student / "face_morpher.pt", "--size", "32x32", "-o", tmp_path / "p_##.png"]
        done = keywarp("pose", tmp_path / "other.png", *given)
        assert "made for another picture, character.png" in done.err
        assert done.out.strip() == str(tmp_path / "p_00.png") and (tmp_path / "p_00.png").is_file()

    def test_new_without_a_model(
        self, keywarp: Runner, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The line that ``check`` prints works as it stands; the model is named later."""
        monkeypatch.setattr(registry, "SHIPPED", tmp_path / "nothing ships")
        draw_figure(600).save(tmp_path / "art.png")
        out = tmp_path / "c.yaml"
        assert keywarp("new", tmp_path / "art.png", "-o", out).status == 0
        assert "--model" in keywarp("pose", out, "-o", tmp_path / "p.png").sentence
        given = ["--model", student, "--size", "64x64"]
        assert keywarp("pose", out, *given, "-o", tmp_path / "p.png").status == 0

    def test_check_names_faults_and_remedies(self, keywarp: Runner, tmp_path: Path) -> None:
        opaque = Image.new("RGBA", (600, 600), (10, 120, 60, 255))
        opaque.alpha_composite(draw_figure(600))
        opaque.convert("RGB").save(tmp_path / "opaque.png")
        done = keywarp("check", tmp_path / "opaque.png")
        assert done.status == 0
        assert "no transparency" in done.out
        draw_figure(200).save(tmp_path / "small.png")
        assert "keywarp new" in keywarp("check", tmp_path / "small.png").out

    def test_check_of_what_is_in_order(self, keywarp: Runner, student: Path, clip: Path) -> None:
        assert "in order, a THA4 student" in keywarp("check", student / "face_morpher.pt").out
        assert "2 of 45 channels move" in keywarp("check", clip).out
        assert keywarp("check", student).status == 0

    def test_info(self, keywarp: Runner, student: Path, clip: Path, tmp_path: Path) -> None:
        of_character = keywarp("info", student).out
        for words in ("512x512", "THA4 student", "tha45", "eye_wink_left", "licence"):
            assert words in of_character
        assert "45 channels" in keywarp("info", student / "body_morpher.pt").out
        of_clip = keywarp("info", clip).out
        assert "24 frames a second" in of_clip
        assert "3 keys" in of_clip
        of_picture = keywarp("info", student / "character.png").out
        assert "PNG, 512x512 pixels, 8 bit, with transparency" in of_picture
        (tmp_path / "m.vmd").write_bytes(vmd_bytes())
        assert "blink" in keywarp("info", tmp_path / "m.vmd").out

    def test_convert(self, keywarp: Runner, tmp_path: Path) -> None:
        (tmp_path / "m.vmd").write_bytes(vmd_bytes())
        assert keywarp("convert", tmp_path / "m.vmd", tmp_path / "plain.json").status == 0
        assert keywarp("convert", tmp_path / "m.vmd", tmp_path / "tha.json", "--space", "tha45").status == 0
        assert Clip.load(tmp_path / "plain.json").space == "mmd"
        made = Clip.load(tmp_path / "tha.json")
        assert made.space == "tha45"
        pose = made.sample([20.0])[0]
        assert pose[made.pose_space.index("eye_wink_left")] == pytest.approx(1)
        assert pose[made.pose_space.index("eye_wink_right")] == pytest.approx(1)

    def test_plot(self, keywarp: Runner, clip: Path, tmp_path: Path) -> None:
        assert keywarp("plot", clip, "-o", tmp_path / "p.png").status == 0
        drawn = pixels(tmp_path / "p.png")
        assert drawn.shape[1] == 1900
        # Both curves are there, in the first ink of their panels.
        ink = (drawn[..., :3] == (0, 114, 178)).all(-1)
        assert ink[: len(drawn) // 2].sum() > 500
        assert ink[len(drawn) // 2 :].sum() > 500

    def test_what_foreign_files_say_does_not_steer_the_terminal(
        self, keywarp: Runner, tmp_path: Path
    ) -> None:
        title = "\x1b]0;pwned\x07 two\nlines \u202eback " + "long" * 300_000
        path = tmp_path / "clip.json"
        path.write_text(clip_text(title=title), encoding="utf-8")
        done = keywarp("info", path)
        assert done.status == 0
        line = next(line for line in done.out.splitlines() if line.startswith("title"))
        assert line.split(maxsplit=1)[1].startswith("]0;pwned two lines back longlong")
        assert len(line) < 400
        assert not set(done.out) & {"\x1b", "\x07", "\u202e"}
        assert keywarp("plot", path, "-o", tmp_path / "plot.png").status == 0

    def test_models(
        self, keywarp: Runner, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "broken.pt").write_bytes(b"PK\3\4nothing")
        (tmp_path / "notes.txt").write_text("no model")
        (tmp_path / "mine").symlink_to(student, target_is_directory=True)
        (tmp_path / "lost").symlink_to(tmp_path / "gone")
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / "pipe")
        monkeypatch.setenv("KEYWARP_MODELS", str(tmp_path))
        done = keywarp("models")
        assert done.status == 0
        assert "unusable: lost: " in done.out
        assert "unusable: pipe: " in done.out or not hasattr(os, "mkfifo")
        assert "mine" in done.out
        assert "THA4 student" in done.out
        assert "unusable: broken.pt: " in done.out
        assert "notes.txt" not in done.out
        assert "THA4 student" in keywarp("info", "mine").out
        given = ["--model", "mine", "-o", tmp_path / "p.png", "--size", "64x64"]
        assert keywarp("pose", student / "character.png", *given).status == 0

    def test_cache(self, keywarp: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KEYWARP_CACHE", str(tmp_path / "kept"))
        (tmp_path / "kept" / "keywarp" / "thing").mkdir(parents=True)
        (tmp_path / "kept" / "keywarp" / "thing" / "a.bin").write_bytes(bytes(2_500_000))
        (tmp_path / "kept" / "mine.txt").write_text("not a cache's")
        assert "thing  2.5 MB" in keywarp("cache").out
        assert "2.5 MB freed" in keywarp("cache", "--clear").out
        assert [path.name for path in (tmp_path / "kept").iterdir()] == ["mine.txt"]
        assert keywarp("cache").status == 0


@pytest.mark.shared
@pytest.mark.slow
def test_contact_sheet_of_a_real_character(keywarp: Runner, shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    done = keywarp("sheet", shared / "reference" / "lambda_00", "-o", out)
    assert done.status == 0, done.err
    drawn = pixels(out)
    assert 1600 <= drawn.shape[1] <= 2400
    assert drawn.shape[0] > 2000
