# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces through every protocol to tha45, against the published mapping worked out another way."""

from __future__ import annotations

import json
import math
import struct

import cv2
import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from keywarp.keyframes.live import openseeface, vtubestudio
from keywarp.keyframes.live.protocols import PROTOCOLS, connect
from keywarp.keyframes.spaces import space

THA = space("tha45")
HERE = "127.0.0.1"

#: (coefficients, ARKit's rx, ry, rz in degrees); percent, so that iFacialMocap's whole numbers hold them.
FACES = {
    "at rest": ({}, (0, 0, 0)),
    "blink": ({"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.4}, (0, 0, 0)),
    "smile": (
        {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.6, "eyeBlinkLeft": 0.4, "browDownLeft": 0.2},
        (0, 0, 0),
    ),
    "half a smile": ({"mouthSmileLeft": 0.5, "mouthSmileRight": 0.52, "browDownRight": 0.3}, (0, 0, 0)),
    "brows up": ({"browInnerUp": 0.3, "browOuterUpLeft": 0.5, "eyeWideRight": 0.25}, (0, 0, 0)),
    "jaw": ({"jawOpen": 0.25}, (0, 0, 0)),
    "ah": ({"jawOpen": 0.6, "mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.4}, (0, 0, 0)),
    "ee": ({"jawOpen": 0.12, "mouthLowerDownLeft": 0.6, "mouthLowerDownRight": 0.6}, (0, 0, 0)),
    "oo": ({"jawOpen": 0.2, "mouthFunnel": 0.22, "mouthPucker": 0.7, "mouthLowerDownLeft": 0.3}, (0, 0, 0)),
    "oh": ({"jawOpen": 0.45, "mouthFunnel": 0.45, "mouthPucker": 0.35, "mouthLowerDownLeft": 0.5}, (0, 0, 0)),
    "frown": ({"mouthFrownLeft": 0.2, "mouthFrownRight": 0.25, "cheekSquintLeft": 0.4}, (0, 0, 0)),
    "looking aside": ({"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.4, "eyeLookUpLeft": 0.3}, (0, 0, 0)),
    "turned one way": ({}, (0, 6, 0)),
    "turned the other way": ({}, (0, -14, 0)),
    "looking up": ({}, (-9, 0, 0)),
    "looking down": ({}, (12, 0, 0)),
    "tilted": ({}, (0, 0, 7.5)),
}


def ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)


def clamp(value: float, low: float = 0.0) -> float:
    return min(max(value, low), 1.0)


def published(given: dict[str, float], head: tuple[float, float, float]) -> dict[str, float]:
    """The rules of THA's "converter 25", one face at a time, with a general solver for the mouth."""
    c = {name: given.get(name, 0.0) for name in space("arkit52").names}
    smile = (c["mouthSmileLeft"] + c["mouthSmileRight"]) / 2 + c["mouthShrugUpper"]
    happy = ramp(smile, 0.4, 0.6)
    pose = {}
    for big, small in (("Left", "left"), ("Right", "right")):
        pose[f"eyebrow_raised_{small}"] = clamp(c["browInnerUp"] + c[f"browOuterUp{big}"])
        pose[f"eyebrow_angry_{small}"] = (1 - happy) * clamp(c[f"browDown{big}"] / 0.4)
        pose[f"eyebrow_happy_{small}"] = clamp(smile) * happy
        pose[f"eye_surprised_{small}"] = clamp(c[f"eyeWide{big}"] / 0.5)
        shut = clamp(c[f"eyeBlink{big}"] / 0.8)
        pose[f"eye_wink_{small}"], pose[f"eye_happy_wink_{small}"] = (1 - happy) * shut, happy * shut
        pose[f"eye_raised_lower_eyelid_{small}"] = ramp(c[f"cheekSquint{big}"], 0.1, 0.7)
        pose[f"mouth_raised_corner_{small}"] = clamp(smile)
    aside = c["eyeLookInLeft"] - c["eyeLookOutLeft"] - c["eyeLookInRight"] + c["eyeLookOutRight"]
    up = c["eyeLookUpLeft"] + c["eyeLookUpRight"] - c["eyeLookDownLeft"] - c["eyeLookDownRight"]
    pose["iris_rotation_y"], pose["iris_rotation_x"] = clamp(aside / 1.5, -1), clamp(up / 1.5, -1)
    pose["head_x"], pose["head_y"] = clamp(-head[0] / 15, -1), clamp(-head[1] / 10, -1)
    pose["neck_z"] = clamp(head[2] / 15, -1)
    pose["body_y"], pose["body_z"] = pose["head_y"], pose["neck_z"]
    openness = ramp(c["jawOpen"], 0.1, 0.4)
    pose["mouth_aaa"] = 0.0
    if openness == 0.0:
        for side in ("left", "right"):
            pose[f"mouth_lowered_corner_{side}"] = clamp((c["mouthFrownLeft"] + c["mouthFrownRight"]) / 0.6)
        return pose
    prototypes = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0.5, 0.3, 0.25, 0.75], [1, 0.5, 0.5, 0.4]])
    lower = clamp(c["mouthLowerDownLeft"] + c["mouthLowerDownRight"])
    point = np.array([openness, lower, c["mouthFunnel"], c["mouthPucker"]])
    shifted = np.linalg.solve(prototypes, prototypes @ point - 0.01 / 2)
    a, i, u, o = lsq_linear(prototypes.T, shifted, bounds=(0, 1), tol=1e-14, method="bvls").x
    rounded, share = clamp(u + o), ramp(c["mouthFunnel"], 0.25, 0.5)
    return {
        **pose,
        "mouth_aaa": a,
        "mouth_iii": i,
        "mouth_uuu": rounded * (1 - share),
        "mouth_ooo": rounded * share,
    }


def sent(packets, name: str, given: dict[str, float], head: tuple[float, float, float]) -> list[bytes]:
    if name != "vmc":
        return [getattr(packets, name)(given, head)]
    # Unity's axes: x to the character's right, where ARKit's x points left, and left-handed
    turns = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
    axis, angle = max(zip("xyz", (head[0], -head[1], -head[2])), key=lambda pair: abs(pair[1]))
    bones = [packets.bone("Head", turns[axis], angle), packets.bone("Spine", turns[axis], angle)]
    return packets.vmc({name[0].upper() + name[1:]: v for name, v in packets.face(given).items()}, bones)


def tracker(name: str):
    phone = PROTOCOLS[name].hello is not None
    return connect(f"{name}:{HERE}" if phone else name)


def posed(name: str, data: list[bytes]) -> np.ndarray:
    source = tracker(name)
    source._reader.sender = HERE
    for packet in data:
        source.take(packet, HERE, 10.0)
    pose = source.pose(10.0)
    assert pose is not None
    return pose


@pytest.mark.parametrize("name", ["vmc", "ifacialmocap", "facemotion3d", "vtubestudio"])
@pytest.mark.parametrize("face", FACES)
def test_faces_of_arkit_give_the_published_pose(packets, name: str, face: str) -> None:
    given, head = FACES[face]
    expected = THA.rest() * 0.0
    for channel, value in published(given, head).items():
        expected[THA.index(channel)] = value
    pose = posed(name, sent(packets, name, given, head))
    if name == "vmc":  # a spine's 10 and 15 degrees are 1, as the head's are
        assert pose[THA.index("body_y")] == pytest.approx(expected[THA.index("head_y")], abs=1e-3)
    np.testing.assert_allclose(pose, expected, atol=1e-3)


def test_the_two_spellings_of_ifacialmocap_say_the_same(packets) -> None:
    given = {"jawOpen": 0.12, "eyeBlinkLeft": 0.29, "jawLeft": 0.04}
    for version in (packets.ifacialmocap(given), packets.ifacialmocap(given, mark="&")):
        values = PROTOCOLS["ifacialmocap"].decoder().feed(version).values
        assert {name: values[name] for name in given} == pytest.approx(given)
        assert len(values) == 52 + 3


@pytest.mark.parametrize("mark", ["-", "&"])
def test_ifacialmocap_as_newer_phones_send_it(mark: str) -> None:
    """The head after a lone ``=``, a value below zero, and whether the phone sees a face."""
    frame = f"mouthSmile_R{mark}32|jawOpen{mark}-3|trackingStatus{mark}1|=|head#28.98,-2.57,-6.64,0,0,0|"
    seen = PROTOCOLS["ifacialmocap"].decoder().feed(frame.encode())
    assert seen.found and seen.values == pytest.approx(
        {
            "mouthSmileRight": 0.32,
            "jawOpen": -0.03,
            "head_pitch": -28.98,
            "head_yaw": 2.57,
            "head_roll": -6.64,
        }
    )
    lost = (
        PROTOCOLS["ifacialmocap"].decoder().feed(frame.replace(f"Status{mark}1", f"Status{mark}0").encode())
    )
    assert not lost.found


def test_facemotion3ds_own_example() -> None:
    """Some of the frame on its developer page: eyes that look down, at a phone that is held low."""
    example = (
        b"eyeLookOutLeft&3|eyeBlinkLeft&29|eyeLookDownLeft&36|eyeLookDownRight&36|jawOpen&4|FM_browUpLeft&0|"
        b"=head#-22.167973,0.45402408,-4.8798294,-0.039975993,-0.048437987,-0.45562273|"
        b"rightEye#12.759762,5.527712,1.2244859|leftEye#12.862795,1.264116,0.28145725|"
    )
    values = PROTOCOLS["facemotion3d"].decoder().feed(example).values
    assert values == pytest.approx(
        {
            **{
                "eyeLookOutLeft": 0.03,
                "eyeBlinkLeft": 0.29,
                "eyeLookDownLeft": 0.36,
                "eyeLookDownRight": 0.36,
            },
            **{"jawOpen": 0.04, "head_pitch": 22.167973, "head_yaw": -0.45402408, "head_roll": -4.8798294},
        }
    )


def test_vtube_studio_is_asked_in_its_words() -> None:
    request = json.loads(vtubestudio.hello(21412))
    assert request["messageType"] == "iOSTrackingDataRequest"
    assert 0.5 <= request["time"] <= 10 and 1 <= len(request["sentBy"]) <= 32 and request["ports"] == [21412]
    assert vtubestudio.PROTOCOL.hello_seconds < request["time"] / 2


def test_vtube_studio_on_android_has_an_inner_brow_a_side() -> None:
    shapes = [
        {"k": "browInnerUpLeft", "v": 0.2},
        {"k": "browInnerUpRight", "v": 0.4},
        {"k": "eyeBlink_L", "v": 1},
    ]
    frame = json.dumps({"FaceFound": True, "BlendShapes": shapes}).encode()
    assert vtubestudio.Decoder().feed(frame).values == pytest.approx(
        {"browInnerUp": 0.3, "eyeBlinkLeft": 1.0}
    )


def test_a_face_that_is_lost_has_no_pose(packets) -> None:
    source = connect(f"vtubestudio:{HERE}")
    source._reader.sender = HERE
    source.take(packets.vtubestudio({"jawOpen": 1.0}), HERE, 1.0)
    assert source.pose(1.5) is not None and source.pose(2.5) is None
    source.take(packets.vtubestudio({}, found=False), HERE, 2.6)
    assert source.pose(2.6) is None


def test_a_phone_that_repeats_the_last_face_has_lost_it(packets) -> None:
    source = connect(f"ifacialmocap:{HERE}")
    source._reader.sender = HERE
    face = packets.ifacialmocap({"jawOpen": 1.0})
    source.take(b"trackingStatus-1|" + face, HERE, 1.0)
    assert source.pose(1.1) is not None
    source.take(b"trackingStatus-0|" + face, HERE, 1.2)
    assert source.pose(1.2) is None and source.taken == 2
    source.take(b"trackingStatus-1|" + face, HERE, 1.3)
    assert source.pose(1.3) is not None


# --- VMC ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("A", "mouth_aaa"),
        ("aa", "mouth_aaa"),
        ("ou", "mouth_uuu"),
        ("O", "mouth_ooo"),
        ("BLINK_L", "eye_wink_left"),
    ],
)
def test_names_of_vrm_0_and_1(packets, name: str, channel: str) -> None:
    pose = posed("vmc", packets.vmc({name: 0.75}))
    assert pose[THA.index(channel)] == pytest.approx(0.75)


def test_shapes_wait_for_apply(packets) -> None:
    source = connect("vmc")
    source.take(packets.bundle(packets.shapes({"A": 1.0})), HERE, 1.0)
    assert source.pose(1.0) is None
    source.take(packets.message("/VMC/Ext/Blend/Apply"), HERE, 1.01)
    assert source.pose(1.01)[THA.index("mouth_aaa")] == 1.0


def test_bones_alone_speak_of_the_head_alone(packets) -> None:
    source = connect("vmc")
    source.take(
        packets.bundle([packets.bone("Head", (0, 1, 0), 5.0), packets.bone("Hips", (1, 0, 0), 9)]), HERE, 1.0
    )
    assert source.channels == {"head_x", "head_y", "neck_z"}
    assert source.pose(1.0)[THA.index("head_y")] == pytest.approx(0.5)
    source.take(packets.bundle([packets.bone("Neck", (0, 1, 0), 2.0)]), HERE, 1.0)
    assert source.pose(1.0)[THA.index("head_y")] == pytest.approx(0.7)


def test_both_eyes_bones_turn_the_gaze(packets) -> None:
    bones = [packets.bone(f"{side}Eye", (0, 1, 0), 7.5) for side in ("Left", "Right")]
    assert posed("vmc", packets.vmc({}, bones))[THA.index("iris_rotation_y")] == pytest.approx(0.5)


def test_wrong_types_and_extra_arguments_do_not_matter(packets) -> None:
    source = connect("vmc")
    strange = [
        packets.message("/VMC/Ext/Blend/Val", 1, 2),
        packets.message("/VMC/Ext/Blend/Val", "A", "loud"),
        packets.message("/VMC/Ext/Blend/Val", "I", math.nan),
        packets.message("/VMC/Ext/Blend/Val", "U", 0.5, 7, "more"),
        packets.message("/VMC/Ext/Bone/Pos", "Head", 0.0, 0.0),
        packets.message("/VMC/Ext/Bone/Pos", "Head", *[0.0] * 7),
        packets.message("/VMC/Ext/Unknown", 3),
        packets.message("/VMC/Ext/Blend/Apply", "all"),
    ]
    source.take(packets.bundle(strange), HERE, 1.0)
    assert source.values == {"ou": 0.5}


def test_a_model_that_is_not_loaded_has_no_pose(packets) -> None:
    source = connect("vmc")
    source.take(packets.vmc({"A": 1.0})[0], HERE, 1.0)
    assert source.pose(1.0) is not None
    source.take(packets.message("/VMC/Ext/OK", 0), HERE, 1.1)
    assert source.pose(1.1) is None


# --- OpenSeeFace --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "offset", "place"),
    [
        ("camera", 12, 0),
        ("open", 20, 0),
        ("quaternion", 33, 0),
        ("euler", 49, 0),
        ("translation", 61, 0),
        ("confidence", 73, 0),
        ("landmarks", 345, 0),
        ("landmarks", 345 + 4 * 135, 135),
        ("points", 889, 0),
        ("points", 889 + 4 * 207, 207),
    ],
)
def test_fields_lie_where_they_are_published_to(packets, field: str, offset: int, place: int) -> None:
    data = bytearray(packets.openseeface())
    assert len(data) == openseeface.RECORD_BYTES == 1785
    struct.pack_into("<f", data, offset, 41.5)
    (face,) = openseeface.faces(bytes(data))
    assert getattr(face, field).ravel()[place] == 41.5


def test_features_lie_in_their_order(packets) -> None:
    data = bytearray(packets.openseeface())
    struct.pack_into("<14f", data, 1729, *range(14))
    (face,) = openseeface.faces(bytes(data))
    assert (face.features["eye_l"], face.features["brow_updown_l"], face.features["mouth_wide"]) == (0, 3, 13)


def test_every_field_arrives(packets) -> None:
    (face,) = openseeface.faces(packets.openseeface(time=5.5, identity=3, open_eyes=(0.25, 0.75)))
    assert (face.time, face.id, face.success, face.error) == (5.5, 3, True, 0.5)
    assert face.camera.tolist() == [640, 480] and face.open.tolist() == [0.25, 0.75]
    assert face.euler.tolist() == [178, 1, 91]
    assert face.landmarks[1].tolist() == [2, 3] and face.confidence.shape == (68,)
    np.testing.assert_allclose(face.points[68], (0.25, 0.27, -0.3), atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 1784, 1786, 1785 * 3 - 1])
def test_packets_that_are_no_whole_records_say_nothing(packets, length: int) -> None:
    data = (packets.openseeface() * 3)[:length]
    assert openseeface.Decoder().feed(data) is None


def test_of_several_faces_the_first_is_followed(packets) -> None:
    lost = packets.openseeface(identity=0, success=0)
    data = packets.openseeface(identity=2, time=2.0) + packets.openseeface(identity=1, time=1.0) + lost
    assert openseeface.Decoder().feed(data).time == 1.0
    assert not openseeface.Decoder().feed(lost).found


def test_easyvtubers_proportions(packets) -> None:
    features = [0.0] * 14
    features[3], features[6], features[8], features[12] = 0.6, -0.5, -0.8, 0.3
    pose = posed("openseeface", [packets.openseeface(open_eyes=(0.4, 1.0), features=features)])
    at = {name: pose[THA.index(name)] for name in THA.names}
    assert at["mouth_aaa"] == pytest.approx(2 * 0.3, abs=0.01)
    assert at["eyebrow_raised_left"] == pytest.approx(0.6) and at["eyebrow_raised_right"] == 0.0
    assert at["eyebrow_angry_right"] > 0.2 and at["eyebrow_angry_left"] == 0.0
    assert at["eye_wink_right"] == pytest.approx(0.6 / 0.8 * (1 - 0.0), abs=1e-3)
    assert at["mouth_raised_corner_left"] == pytest.approx(0.4)


def test_the_eye_that_is_shut_has_no_say_in_the_gaze(packets) -> None:
    away, ahead = (-1.0, -0.5, 0.3), (math.sin(math.radians(15)), 0.0, math.cos(math.radians(15)))
    winking = packets.openseeface(open_eyes=(0.1, 1.0), looks=(away, ahead))
    both = packets.openseeface(looks=(ahead, ahead))
    gazes = [openseeface.faces(data)[0].gaze for data in (winking, both)]
    np.testing.assert_allclose(gazes, [[0.0, 15.0]] * 2, atol=1e-4)


#: The tracker's face model: jaw and nose (OpenSeeFace, tracker.py); x to the character's right, y up, z out.
MODEL = np.array(
    [
        *([x, y, z] for x, y, z in ((0.50194, 0.2803, -0.49561), (0.46233, 0.01987, -0.49781))),
        *([x, y, z] for x, y, z in ((0.3813, -0.25112, -0.46491), (0.159, -0.51157, -0.22588))),
        *([x, y, z] for x, y, z in ((0.0, -0.5549, -0.16009), (-0.159, -0.51157, -0.22588))),
        *([x, y, z] for x, y, z in ((-0.3813, -0.25112, -0.46491), (-0.46233, 0.01987, -0.49781))),
        *([x, y, z] for x, y, z in ((-0.50194, 0.2803, -0.49561), (0.0, 0.25503, -0.08553))),
        *([x, y, z] for x, y, z in ((0.0, 0.07218, -0.01535), (0.0, 0.0, 0.0))),
    ]
) * [1.0, 1.0, 1.3]


def tracked_quaternion(pitch: float, yaw: float, roll: float) -> list[float]:
    """What the tracker makes of a head: its points in a picture, with rows first, solved by OpenCV.

    The head is turned in the viewer's axes: x to the picture's right, y up, z to the viewer.
    """
    turned = Rotation.from_euler("YXZ", [-yaw, -pitch, roll], degrees=True).as_matrix()
    seen = MODEL * [-1.0, 1.0, 1.0] @ turned.T + [0.0, 0.0, -8.0]
    columns_, rows = 320 + 640 * seen[:, 0] / -seen[:, 2], 240 - 640 * seen[:, 1] / -seen[:, 2]
    camera = np.array([[640, 0, 240], [0, 640, 320], [0, 0, 1]], np.float32)
    _, vector, _ = cv2.solvePnP(
        MODEL,
        np.stack([rows, columns_], 1).astype(np.float32),
        camera,
        np.zeros((4, 1)),
        rvec=np.zeros(3, np.float32),
        tvec=np.zeros(3, np.float32),
        useExtrinsicGuess=True,
        flags=cv2.SOLVEPNP_ITERATIVE,
    )
    # its matrix_to_quaternion takes rows for columns: the rotation back
    return Rotation.from_rotvec(vector.ravel()).inv().as_quat().tolist()


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (12, 0, 0), (-12, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 15), (5, -9, 4)]
)
def test_heads_turn_as_the_person_does(packets, angles: tuple[float, float, float]) -> None:
    data = [packets.openseeface(quaternion=tracked_quaternion(*each)) for each in ((0, 0, 0), angles)]
    neutral, turned = (openseeface.faces(each)[0].angles for each in data)
    # The tracker sees from behind, with the wrong perspective: a few degrees.
    np.testing.assert_allclose(turned - neutral, angles, atol=4.0)
    np.testing.assert_allclose(neutral, 0.0, atol=6.0)
