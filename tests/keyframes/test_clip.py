# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips and their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywarp.keyframes.clip import Clip, Marker
from keywarp.keyframes.curve import EXTRAPOLATIONS, SMOOTHINGS, Curve, Cycles, Key
from keywarp.keyframes.cycles import CYCLE_MODES
from keywarp.keyframes.easing import EASINGS
from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.handle_types import HANDLE_TYPES
from keywarp.keyframes.keys import INTERPOLATIONS
from keywarp.keyframes.spaces import space

CHANNELS = space("tha45").names

frames = st.floats(-1e6, 1e6)
numbers = st.floats(-1e9, 1e9)
points = st.tuples(frames, numbers)
text = st.text(max_size=12)
foreign = st.dictionaries(
    st.sampled_from(["x_note", "x_colour", "ünï"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | text,
        lambda v: st.lists(v, max_size=3),
        max_leaves=4,
    ),
    max_size=2,
)
keys = st.builds(
    Key,
    frames,
    numbers,
    st.sampled_from(INTERPOLATIONS),
    st.sampled_from(EASINGS),
    st.sampled_from(HANDLE_TYPES),
    st.sampled_from(HANDLE_TYPES),
    st.none() | points,
    st.none() | points,
    numbers,
    numbers,
    numbers,
    foreign,
)
counts = st.integers(0, 100)
cycles = st.builds(
    Cycles, *[st.sampled_from(CYCLE_MODES)] * 2, counts, counts, st.none() | frames, st.none() | frames
)
shape = {
    "extrapolation": st.sampled_from(EXTRAPOLATIONS),
    "auto_smoothing": st.sampled_from(SMOOTHINGS),
    "cycles": st.none() | cycles,
    "extra": foreign,
}
keyed = st.builds(Curve, st.lists(keys, min_size=1, max_size=5), **shape)
sampled = st.lists(points, min_size=1, max_size=8).flatmap(
    lambda row: st.builds(
        Curve.from_points,
        st.just([p[0] for p in row]),
        st.just([p[1] for p in row]),
        st.sampled_from(INTERPOLATIONS),
        **shape,
    )
)
clips = st.builds(
    lambda ends, **rest: Clip(start=min(ends), end=max(ends), **rest),
    ends=st.tuples(frames, frames),
    space=st.just("tha45"),
    curves=st.dictionaries(st.sampled_from(CHANNELS), keyed | sampled, max_size=4),
    fps=st.sampled_from([24.0, 30.0, 24000 / 1001, 30000 / 1001, 59.94]) | st.floats(0.1, 1000),
    markers=st.lists(st.builds(Marker, frames, text, foreign), max_size=3).map(tuple),
    title=text,
    author=text,
    licence=text,
    credit=text,
    source=text,
    extra=foreign,
)


@given(clip=clips)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_clip_reads_back_exactly(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    clip.save(path)
    again = Clip.load(path)
    assert again == clip
    written = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == written


def example(**changes: Any) -> Clip:
    curves = {
        "mouth_aaa": Curve(
            [Key(frame, frame / 10, "SINE", handle_left_type="VECTOR") for frame in range(10)]
        ),
        "head_y": Curve.from_points(range(10), np.linspace(0, 1, 10)),
    }
    fields = {"space": "tha45", "curves": curves, "fps": 24000 / 1001, "start": 0, "end": 9.5, **changes}
    return Clip(**fields)


def test_other_code_reads_the_file(tmp_path: Path) -> None:
    clip = example(title="Hello", markers=(Marker(2.5, "turn"),))
    clip.save(tmp_path / "clip.json")
    content = json.loads((tmp_path / "clip.json").read_text(encoding="utf-8"))
    assert content["keywarp_clip"] == 1
    assert (content["space"], content["fps"], content["start"], content["end"]) == (
        "tha45",
        24000 / 1001,
        0,
        9.5,
    )
    assert content["markers"] == [{"frame": 2.5, "name": "turn"}]
    assert content["curves"]["mouth_aaa"]["keys"][3] == {
        "frame": 3,
        "value": 0.3,
        "interpolation": "SINE",
        "handle_left_type": "VECTOR",
    }
    assert content["curves"]["head_y"]["points"][9] == [9, 1]


def test_one_changed_key_is_one_changed_line(tmp_path: Path) -> None:
    first = example()
    key_list = list(first.curves["mouth_aaa"].keys)
    key_list[4] = Key(4, 0.9, "SINE", handle_left_type="VECTOR")
    changed_points = np.linspace(0, 1, 10)
    changed_points[7] = 3
    for curves in (
        {**first.curves, "mouth_aaa": Curve(key_list)},
        {**first.curves, "head_y": Curve.from_points(range(10), changed_points)},
    ):
        texts = []
        for clip in (first, example(curves=curves)):
            clip.save(tmp_path / "clip.json")
            texts.append((tmp_path / "clip.json").read_text(encoding="utf-8").splitlines())
        assert sum(a != b for a, b in zip(*texts)) == 1


def test_a_frame_rate_may_be_a_fraction(tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(
        '{"keywarp_clip": 1, "space": "tha45", "fps": "24000/1001", "start": 0, "end": 1, "curves": {}}'
    )
    assert Clip.load(path).fps == 24000 / 1001


@pytest.mark.parametrize(
    "fps", ["1e99999999", "1e9999999", "9" * 40, "24/0", "24/1e9", "-24", "24/1001/2", "٢٤", ""]
)
def test_a_frame_rate_s_text_is_short_and_plain(fps: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    content = {"keywarp_clip": 1, "space": "tha45", "fps": fps, "start": 0, "end": 1, "curves": {}}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(KeywarpError, match='a frame rate is a number or a fraction as "24000/1001"'):
        Clip.load(path)


def test_sampling_is_in_the_order_of_the_space_and_rests_elsewhere() -> None:
    clip = example()
    poses = clip.sample([0, 4.5, 9])
    tha45 = space("tha45")
    assert poses.shape == (3, 45)
    np.testing.assert_allclose(poses[:, tha45.index("head_y")], [0, 0.5, 1])
    others = [i for i, name in enumerate(tha45.names) if name not in clip.curves]
    np.testing.assert_array_equal(poses[:, others], np.tile(tha45.rest()[others], (3, 1)))


def test_numpys_numbers_are_written_as_any(tmp_path: Path) -> None:
    ranged = Curve.from_points([0, 4], [0, 1], cycles=Cycles(frame_start=np.float32(1.5)))  # type: ignore[arg-type]
    numbers_of_numpy = {"fps": np.float32(24), "start": np.int64(1), "end": np.float32(8.5)}
    clip = example(curves={"head_y": ranged}, markers=(Marker(np.float32(2), "a"),), **numbers_of_numpy)
    clip.save(tmp_path / "clip.json")
    assert Clip.load(tmp_path / "clip.json") == clip


def test_the_range_is_inclusive() -> None:
    np.testing.assert_array_equal(example(start=0.5, end=3.5).frames(), [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(example(start=2, end=2).frames(), [2])
    assert example(fps=24.0, start=12, end=36).seconds == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "tha46"}, "tha45"),
        ({"curves": {"mouth_aa": Curve([Key(0, 0)])}}, "mouth_aa.*did you mean"),
        ({"fps": 0}, "0.001 at least"),
        ({"fps": 1e-6}, "0.001 at least"),
        ({"fps": float("nan")}, "finite"),
        ({"fps": "24"}, "number"),
        ({"start": 10}, "before it starts"),
        ({"end": float("inf")}, "finite"),
        ({"title": 3}, "title must be text"),
    ],
)
def test_a_clip_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(KeywarpError, match=message):
        example(**changes)


HEAD = '"keywarp_clip": 1, "space": "tha45", "fps": 30, "start": 0, "end": 9'


def with_curve(curve: str) -> str:
    return f'{{{HEAD}, "curves": {{"head_y": {curve}}}}}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no clip file"),
        ("[]", "no clip file"),
        ("[" * 100_000, "no clip file"),
        ("\x89PNG\r\n", "no clip file"),
        ('{"fps": 30}', "no clip file"),
        ('{"keywarp_clip": 2}', "version 2 .*only version 1"),
        ('{"keywarp_clip": true}', "version True"),
        ('{"keywarp_clip": 1}', '"space"'),
        (f"{{{HEAD}}}", '"curves"'),
        (f'{{{HEAD}, "curves": []}}', '"curves" must be an object'),
        (f'{{{HEAD}, "curves": {{}}, "markers": {{}}}}', '"markers" must be a list'),
        (f'{{{HEAD}, "curves": {{}}, "markers": [{{"frame": 1}}]}}', "marker: .*name"),
        (f'{{{HEAD}, "curves": {{}}, "title": []}}', "title must be text"),
        (f'{{{HEAD}, "curves": {{"nose": {{"points": [[0, 0]]}}}}}}', "nose"),
        (f'{{{HEAD}, "curves": {{}}}}'.replace("30", '"x/0"'), "fraction"),
        (f'{{{HEAD}, "curves": {{}}}}'.replace('"tha45"', "[]"), "name"),
        (with_curve("7"), "curve head_y: it must be an object"),
        (with_curve("{}"), 'either "keys" or "points"'),
        (with_curve('{"keys": [], "points": []}'), 'either "keys" or "points"'),
        (with_curve('{"keys": []}'), "from 1 to"),
        (with_curve('{"keys": [3]}'), "key must be an object"),
        (with_curve('{"keys": [{"frame": 1}]}'), '"frame" and a "value"'),
        (with_curve('{"keys": [{"frame": 1, "value": NaN}]}'), "finite, not NaN"),
        (with_curve('{"keys": [{"frame": 1, "value": 1e999}]}'), "finite, not '1e999'"),
        (with_curve('{"keys": [{"frame": 1, "value": ' + "9" * 5000 + "}]}"), "1000 digits"),
        (with_curve('{"keys": [{"frame": 1, "value": ' + "9" * 500 + "}]}"), "finite"),
        (with_curve('{"keys": [{"frame": 1, "value": "2"}]}'), "number"),
        (with_curve('{"keys": [{"frame": 1, "value": 2, "easing": "?"}]}'), "easing"),
        (with_curve('{"keys": [{"frame": 1, "value": 2}], "interpolation": "LINEAR"}'), "belongs to"),
        (with_curve('{"points": [[0, 1, 2]]}'), "two numbers"),
        (with_curve('{"points": [[0, true]]}'), "two numbers"),
        (with_curve('{"points": []}'), "from 1 to"),
        (with_curve('{"points": [[0, -Infinity]]}'), "finite"),
        (with_curve('{"points": [[0, 1]], "extrapolation": 3}'), "extrapolation"),
        (with_curve('{"points": [[0, 1]], "cycles": {"mode": "REPEAT"}}'), "no field 'mode'"),
        (with_curve('{"points": [[0, 1]], "cycles": {"cycles_after": 0.5}}'), "whole"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "walk.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(KeywarpError, match=message) as caught:
        Clip.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(KeywarpError, match="cannot be read"):
            Clip.load(path)


def test_an_enormous_file_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    sparse = tmp_path / "huge.json"
    with sparse.open("wb") as file:
        file.truncate(40 * 2**30)
    with pytest.raises(KeywarpError, match="MiB"):
        Clip.load(sparse)
    crowded = tmp_path / "crowded.json"
    crowded.write_bytes(b'{"keywarp_clip": 1, "curves": {"head_y": {"points": [' + b"[0,0]," * 10_000_000)
    with pytest.raises(KeywarpError, match="at most"):
        Clip.load(crowded)


def test_a_damaged_file_is_read_or_refused(tmp_path: Path) -> None:
    """300 files with bytes changed, cut out or doubled: never another exception."""
    clip = example(markers=(Marker(1, "a"),), extra={"x": [1, {"y": None}]})
    path = tmp_path / "clip.json"
    clip.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        a, b = sorted(rng.integers(0, len(whole), 2))
        kind = rng.integers(4)
        if kind == 0:
            data[a] = rng.integers(256)
        elif kind == 1:
            del data[a:]
        elif kind == 2:
            data[a : a + 1] = rng.choice([b"null", b"[]", b"{}", b'"x"', b"-1e400", b"true", b"99999999999"])
        else:
            data[a:a] = data[a:b]
        path.write_bytes(data)
        try:
            Clip.load(path)
        except KeywarpError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 150


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.json"
    example(title="old").save(path)
    with pytest.raises(KeywarpError, match="holds text"):
        example(extra={"thing": object()}).save(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(KeywarpError, match="No space left"):
        example(title="new").save(path)
    assert Clip.load(path).title == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["clip.json"]


def test_a_clip_that_could_not_be_read_back_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeywarpError, match="cannot be written"):
        example().save(tmp_path / "no such folder" / "clip.json")
    monkeypatch.setattr("keywarp.keyframes.clip_file.MAX_BYTES", 400)
    with pytest.raises(KeywarpError, match="MiB"):
        example().save(tmp_path / "clip.json")
    assert list(tmp_path.iterdir()) == []
    many = Curve.from_points(np.arange(2_000_000), np.zeros(2_000_000))
    with pytest.raises(KeywarpError, match="at most 5,000,000 keys"):
        example(curves=dict.fromkeys(("head_x", "head_y", "mouth_aaa"), many))


def test_what_is_kept_may_not_pose_as_the_clips_own(tmp_path: Path) -> None:
    for clip in (
        example(extra={"curves": 1}),
        example(curves={"head_y": Curve([Key(0, 0)], extra={"keys": []})}),
        example(curves={"head_y": Curve([Key(0, 0, extra={"value": 7})])}),
    ):
        with pytest.raises(KeywarpError, match="field of clip files"):
            clip.save(tmp_path / "clip.json")
