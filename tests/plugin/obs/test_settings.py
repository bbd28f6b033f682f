# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person chooses in OBS, and what the engine is asked for."""

from __future__ import annotations

import re

import pytest

from keywarp.core.picture import PICTURE_SUFFIXES
from keywarp.keyframes.live.settings import LiveSettings
from keywarp.keyframes.spaces import space
from keywarp.plugin.obs.properties import CLIPS, FILES, visible
from keywarp.plugin.obs.settings import (
    ASKING,
    DRIVERS,
    GROUPS,
    MOUTHS,
    Settings,
    SettingsError,
    Value,
    size_for,
)

FILE = "/characters/figure/character_model.yaml"


def settings(**values: Value) -> Settings:
    return Settings({"character": FILE, "clip": "/clips/nod.json", "address": "192.168.1.7", **values})


def sources(**values: Value) -> list[tuple[str, tuple[str, ...] | None]]:
    """What moves the character, as the engine reads it, the topmost first."""
    live = LiveSettings.of(settings(**values).live({}))
    return [(each.source, each.parts) for each in live.sources]


@pytest.mark.parametrize("mouth", MOUTHS)
@pytest.mark.parametrize("driver", DRIVERS)
def test_the_engine_takes_every_combination(driver: str, mouth: str) -> None:
    LiveSettings.of(settings(driver=driver, mouth=mouth).live({}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"driver": "idle"}, []),
        ({"driver": "vmc", "address": ""}, [("vmc", None)]),
        ({"driver": "vmc", "address": "39540"}, [("vmc:39540", None)]),
        ({"driver": "ifacialmocap"}, [("ifacialmocap:192.168.1.7", None)]),
        ({"driver": "mic"}, [("mic", None)]),
        ({"driver": "mic", "microphone": "USB"}, [("mic:USB", None)]),
        ({"driver": "mouse"}, [("mouse", None)]),
        ({"driver": "vmc", "address": "", "mouth": "mic"}, [("mic", ("Mouth",)), ("vmc", None)]),
        ({"driver": "mouse", "mouth": "clip"}, [("clip:/clips/nod.json", ("Mouth",)), ("mouse", None)]),
        ({"driver": "clip", "mouth": "clip"}, [("clip:/clips/nod.json", None)]),
        ({"driver": "clip", "mouth": "mic"}, [("mic", ("Mouth",)), ("clip:/clips/nod.json", None)]),
        ({"driver": "mic", "mouth": "clip"}, [("mic", None)]),  # the row for the mouth is hidden
        ({"driver": "vmc", "address": "vmc:192.168.1.7"}, [("vmc:192.168.1.7", None)]),
    ],
)
def test_the_sources_lie_in_their_order(
    values: dict[str, Value], expected: list[tuple[str, tuple[str, ...] | None]]
) -> None:
    assert sources(**values) == expected


def test_the_groups_are_those_of_the_channels() -> None:
    assert set(GROUPS) == {channel.group for channel in space("tha45").channels}
    live = settings(driver="mouse", sensitivity_head=2.0, limit_mouth=0.5).live({})
    assert live["sensitivity"] == {**dict.fromkeys(GROUPS, 1.0), "Head": 2.0}
    assert live["limits"] == {**dict.fromkeys(GROUPS, 1.0), "Mouth": 0.5}


@pytest.mark.parametrize("mouth", MOUTHS)
@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_hidden_does_not_act(driver: str, mouth: str) -> None:
    chosen: dict[str, Value] = {"driver": driver, "mouth": mouth, "address": ""}
    if driver in ASKING:
        chosen["address"] = "192.168.1.7"
    seen = visible(settings(**chosen))
    plain = settings(**chosen).live({})
    changed: dict[str, dict[str, Value]] = {
        "microphone": {"microphone": "USB"},
        "clip": {"clip": "/clips/other.json"},
        "mirror": {"mirror": True},
        "sensitivity": {"sensitivity_head": 2.0},
        "limits": {"limit_mouth": 0.5},
        "mouth": {"mouth": "clip" if mouth != "clip" else "mic"},
    }
    for row, values in changed.items():
        same = settings(**{**chosen, **values}).live({}) == plain
        acts = row != "mouth" or driver != values["mouth"]  # the mouth as the rest is no change
        assert seen[row] or same, row
        assert not seen[row] or not same or not acts or driver == mouth, row


def test_files_are_offered_that_can_be_read() -> None:
    offered = set(re.findall(r"\*(\.\w+)", FILES))
    assert offered == {*PICTURE_SUFFIXES, ".yaml", ".yml"}
    clips = set(re.findall(r"\*(\.\w+)", CLIPS))
    assert {".json", ".vmd", ".vrma", ".csv", ".wav"} <= clips


def test_idle_motion_can_be_switched_off_unless_it_is_all_there_is() -> None:
    assert settings(driver="vmc", idle=False).live({})["idle"] is None
    assert settings(driver="idle", idle=False, idle_blink=0.5).live({})["idle"]["blink"] == 0.5


def test_calibrated_faces_are_kept_and_rubbish_is_not() -> None:
    faces = {"vmc": {"JawOpen": 0.1}}
    assert settings(neutral='{"vmc": {"JawOpen": 0.1}}').neutral() == faces
    assert settings(neutral="{[").neutral() == settings(neutral="[1]").neutral() == {}
    assert settings().live(faces)["neutral"] == faces


def test_what_is_missing_for_a_stream_is_said() -> None:
    with pytest.raises(SettingsError, match="no character is chosen"):
        settings(character=" ").wanted(1080)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"driver": "vtubestudio", "address": ""}, "phone's address"),
        ({"driver": "clip", "clip": ""}, "no clip is chosen"),
        ({"driver": "vmc", "mouth": "clip", "clip": ""}, "no clip is chosen"),
    ],
)
def test_what_is_missing_for_a_driver_is_said(values: dict[str, Value], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(**values).live({})


def test_a_model_counts_only_with_a_picture() -> None:
    assert settings(model="/models/a").wanted(1080).model is None
    assert settings(character="/pictures/cat.PNG", model="/models/a").wanted(1080).model == "/models/a"
    # The engine then takes the one that comes with keywarp.
    assert settings(character="/pictures/cat.png").wanted(1080).model is None


@pytest.mark.parametrize(
    ("values", "canvas", "size"),
    [
        ({}, 720, 720),
        ({}, 0, 1080),
        ({"size": "2160"}, 720, 2160),
        ({"size": "picture"}, 720, None),
        ({"size": "own", "width": 300, "height": 9000}, 720, (300, 8192)),
    ],
)
def test_the_size(values: dict[str, Value], canvas: int, size: object) -> None:
    assert settings(**values).wanted(canvas).size == size


def test_a_height_keeps_the_proportions() -> None:
    assert size_for(1080, (1500, 2000)) == (810, 1080)
    assert size_for(1080, (100_000, 10)) == (8192, 1080)


def test_the_background_is_read_in_obs_order() -> None:
    assert settings(backed=True, background=0xFF112233).wanted(0).background == "#332211"
    assert settings(backed=False, background=0xFF112233).wanted(0).background is None


@pytest.mark.parametrize(
    ("chosen", "canvas", "rate"), [("0", 50.0, 50.0), ("0", 0.0, 60.0), ("24", 60.0, 24.0)]
)
def test_the_rate(chosen: str, canvas: float, rate: float) -> None:
    assert settings(rate=chosen).rate(canvas) == rate


def test_rows_are_seen_where_they_say_something() -> None:
    tracker = visible(settings(driver="vmc"))
    assert tracker["address"]
    assert tracker["calibrate"]
    assert not tracker["clip"]
    alone = visible(settings(driver="idle"))
    assert not any(alone[name] for name in ("address", "calibrate", "sensitivity", "model", "width"))
    assert alone["idle_blink"]
    assert visible(settings(driver="vmc", mouth="clip"))["clip"]
    assert visible(settings(character="/pictures/cat.png"))["model"]
