# SPDX-License-Identifier: GPL-3.0-or-later
"""MikuMikuDance's customary face morphs, and the rotations of the bones that move a head.

A model's author names morphs as he likes, but nearly all follow the names that MMD's own models set; a
row lists those that mean the same, the customary one first. A trio is a morph that many models have
for both sides together and for each by itself (``左`` and ``右``, the character's own); they add. Bones
follow in degrees with tha45's signs, one set a bone, each relative to its parent: those are the signs of
the angles about MMD's own axes (left-handed, x to the character's left, y up, z out of its back).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from keywarp.keyframes.channels import Channel, PoseSpace
from keywarp.keyframes.spaces.rows import (
    BODY,
    BROWS,
    EYES,
    GAZE,
    HEAD,
    MOUTH,
    aside,
    look,
    one,
    pair,
    rotation,
    updown,
)

_Names = tuple[str, ...]


class _Morph(NamedTuple):
    channel: Channel
    names: _Names


def _morph(name: str, group: str, description: str, *names: str) -> tuple[_Morph, ...]:
    return (_Morph(one(name, group, f"{names[0]}: {description}"), names),)


def _sides(
    stem: str, group: str, description: str, left: tuple[str, ...], right: tuple[str, ...]
) -> tuple[_Morph, ...]:
    channels = pair(stem, group, f"{left[0]}, {right[0]}: {description}")
    return (_Morph(channels[0], left), _Morph(channels[1], right))


def _trio(stem: str, group: str, description: str, *names: str) -> tuple[_Morph, ...]:
    left, right = (tuple(name + side for name in names) for side in "左右")
    return _morph(stem, group, description, *names) + _sides(stem, group, description, left, right)


_MORPHS = (
    *_trio("brow_serious", BROWS, "serious, straight", "真面目"),
    *_trio("brow_troubled", BROWS, "troubled, inner end up", "困る", "困り", "悲しい", "悲しむ"),
    *_trio("brow_happy", BROWS, "cheerful, arched", "にこり"),
    *_trio("brow_angry", BROWS, "angry, inner end down", "怒り"),
    *_trio("brow_up", BROWS, "raised", "上", "眉上"),
    *_trio("brow_down", BROWS, "lowered", "下", "眉下"),
    *_morph("blink", EYES, "both eyes closed, lids curved downwards", "まばたき"),
    *_sides(
        "wink",
        EYES,
        "eye closed, lid curved downwards",
        ("ウィンク２", "まばたき左", "まば左"),
        ("ウィンク２右", "まばたき右", "まば右"),
    ),
    *_morph("smile", EYES, "both eyes closed with a smile, lids curved upwards", "笑い"),
    *_sides(
        "smile_wink",
        EYES,
        "eye closed with a smile",
        ("ウィンク", "ウィンク左", "笑い左"),
        ("ウィンク右", "笑い右"),
    ),
    *_trio("calm", EYES, "eyes closed at ease, lids level", "なごみ"),
    *_morph("squeezed", EYES, "eyes squeezed shut, like > <", "はぅ"),
    *_trio("surprised", EYES, "wide open", "びっくり", "見開き", "驚き"),
    *_trio("unimpressed", EYES, "half shut, lids level", "じと目", "ジト目", "じと"),
    *_trio("sharp", EYES, "gaze sharpened", "キリッ"),
    *_trio("lower_lid_up", EYES, "lower lid raised", "下瞼上げ", "下まぶた上げ"),
    *_trio("pupil_small", GAZE, "pupil shrunk", "瞳小"),
    *_morph("pupil_large", GAZE, "pupil enlarged", "瞳大"),
    *_morph("star_eyes", EYES, "stars in the eyes", "星目", "キラキラ目", "しいたけ"),
    *_morph("heart_eyes", EYES, "hearts in the eyes", "はぁと", "ハート目"),
    *_morph("highlight_off", EYES, "no highlight in the eyes", "ハイライト消し", "ハイライト消", "HLなし"),
    *_morph("a", MOUTH, "open as in 'ah'", "あ"),
    *_morph("i", MOUTH, "wide as in 'ee'", "い"),
    *_morph("u", MOUTH, "rounded and small as in 'oo'", "う"),
    *_morph("e", MOUTH, "half open as in 'eh'", "え"),
    *_morph("o", MOUTH, "rounded as in 'oh'", "お"),
    *_morph("a_large", MOUTH, "wide open", "あ２", "ああ"),
    *_morph("triangle", MOUTH, "open as a triangle", "▲"),
    *_morph("wa", MOUTH, "open with a smile", "ワ", "わ"),
    *_morph("lambda", MOUTH, "closed, corners down", "∧", "Λ", "へ"),
    *_morph("omega", MOUTH, "closed like a cat's", "ω"),
    *_morph("omega_open", MOUTH, "open like a cat's", "ω□"),
    *_morph("square", MOUTH, "open as a square", "□"),
    *_morph("pressed", MOUTH, "lips pressed together", "ん", "む", "口締め", "結び"),
    *_morph("smirk", MOUTH, "smirk", "にやり", "にやり２", "にたり"),
    *_morph("mouth_smile", MOUTH, "closed, corners up", "にっこり"),
    *_trio("corner_up", MOUTH, "corner up", "口角上げ"),
    *_trio("corner_down", MOUTH, "corner down", "口角下げ"),
    *_morph("wide", MOUTH, "widened", "口横広げ"),
    *_morph("narrow", MOUTH, "narrowed", "口横狭め", "口横縮げ"),
    *_morph("tongue_out", MOUTH, "tongue out", "ぺろっ", "べー", "てへぺろ"),
    *_morph("teeth_up_off", MOUTH, "no upper teeth", "歯無し上"),
    *_morph("teeth_down_off", MOUTH, "no lower teeth", "歯無し下"),
    *_morph("blush", EYES, "cheeks blush", "照れ", "赤面", "頬染め"),
    *_morph("pale", EYES, "face goes pale", "青ざめ", "青ざめる"),
    *_morph("tears", EYES, "tears", "涙"),
)

SPACE = PoseSpace(
    "mmd",
    "MikuMikuDance: customary face morphs, and the bones of eyes, head, neck and upper body in degrees",
    (
        *(morph.channel for morph in _MORPHS),
        *rotation("head", HEAD, "head (頭)", 90.0),
        *rotation("neck", HEAD, "neck (首)", 90.0),
        *rotation("upper_body", BODY, "upper body (上半身)", 90.0),
        *rotation("upper_body_2", BODY, "second bone of the upper body (上半身2)", 90.0),
        updown("eyes_pitch", GAZE, "both eyes look up, in degrees (両目; sign of iris_rotation_x)", 45.0),
        aside("eyes_yaw", GAZE, "both eyes look towards the picture's left, in degrees (両目)", 45.0),
        *look("eye", 45.0),
    ),
)

#: Japanese morph name to channel.
ALIASES: Mapping[str, str] = {name: morph.channel.name for morph in _MORPHS for name in morph.names}

#: Japanese bone name to the stem of the channels that hold the bone's rotation.
BONES: Mapping[str, str] = {
    "頭": "head",
    "首": "neck",
    "上半身": "upper_body",
    "上半身2": "upper_body_2",
    "両目": "eyes",
    "左目": "eye_left",
    "右目": "eye_right",
}
