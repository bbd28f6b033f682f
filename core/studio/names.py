# SPDX-License-Identifier: GPL-3.0-or-later
"""By what names characters' authors call the morphs of a face: the group annotation of papers/animeceleb, 2.1.

For each feature of ``tha45`` the names that mean it, the customary ones first: MikuMikuDance's, VRM's and VRChat's
presets, Apple's ARKit, VRoid Studio's, and plain English. ``{}`` stands for a side, in every spelling of it. A
feature that no single morph shows may be put together from several.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple, Union

#: Names and how far each is taken.
Recipe = tuple[tuple[str, float], ...]


#: A morph's name; with ``{}`` in it a pair, one a side; or a pair whose names follow no rule: left, right.
Name = Union[str, tuple[str, str]]


class Feature(NamedTuple):
    """What several names mean."""

    names: tuple[Name, ...]
    """The customary ones first."""
    mixed: tuple[Recipe, ...] = ()
    """Recipes where no name is found; in them, too, ``{}`` stands for a side."""


def _mix(*parts: tuple[str, float]) -> Recipe:
    return parts


SIDED: Mapping[str, Feature] = {
    "eyebrow_troubled": Feature(
        (
            *(
                "困る{}",
                "困り{}",
                "困り眉{}",
                "悲しい{}",
                "困る",
                "困り",
                "困り眉",
                "困る眉",
                "悲しい",
                "悲しむ",
            ),
            *("browtroubled{}", "browsad{}", "browsorrow{}", "browworried{}"),
            *("browtroubled", "browsad", "fclbrwsorrow", "browworried"),
        ),
        (_mix(("browinnerup", 1.0)), _mix(("browinnerup{}", 1.0))),
    ),
    "eyebrow_angry": Feature(
        (
            *("怒り{}", "怒り眉{}", "怒り", "怒り眉", "怒る", "browangry{}", "angryeyebrow{}", "browdown{}"),
            *("browangry", "angryeyebrows", "angledeyebrows", "fclbrwangry", "browdown"),
        )
    ),
    "eyebrow_lowered": Feature(
        ("下{}", "眉下{}", "下", "眉下", "眉下げ", "browlower{}", "browlowered", "browlower")
    ),
    "eyebrow_raised": Feature(
        (
            *("上{}", "眉上{}", "上", "眉上", "眉上げ", "browup{}", "browraise{}", "browraised{}"),
            *("browup", "browraised", "browraise", "browsup", "fclbrwsurprised"),
        ),
        (
            _mix(("browinnerup", 0.7), ("browouterup{}", 1.0)),
            _mix(("browinnerup{}", 0.7), ("browouterup{}", 1.0)),
        ),
    ),
    "eyebrow_happy": Feature(
        (
            *("にこり{}", "にこり", "にこり眉", "browhappy{}", "browjoy{}", "browsmile{}", "browlaugh{}"),
            *("browhappy", "browjoy", "browsmile", "browlaugh", "fclbrwjoy", "fclbrwfun"),
        )
    ),
    "eyebrow_serious": Feature(
        ("真面目{}", "真面目", "真面目眉", "キリッ眉", "browserious{}", "browserious")
    ),
    "eye_wink": Feature(
        (
            *("まばたき{}", "まば{}", ("ウィンク2", "ウィンク2右"), "ウィンク2{}", "まばたき", "瞬き"),
            *("blink{}", "eyeblink{}", "fcleyeclose{}", "eyeclosed{}", "eyeclose{}", "{}eyeclosed"),
            *("{}eyeclose", "wink{}", "blink", "eyeblink", "blinkboth", "fcleyeclose", "eyesclosed"),
            *("eyesclose", "closeeyes", "eyeclosed", "eyeclose", "vrcblink", "とじ目"),
        )
    ),
    "eye_happy_wink": Feature(
        (
            *(("ウィンク", "ウィンク右"), "ウィンク{}", "笑い{}", "笑い", "笑い目", "fcleyejoy{}"),
            *("eyesmile{}", "eyejoy{}", "eyehappy{}", "eyewink{}", "fcleyejoy", "eyesmile", "eyejoy"),
            *("eyehappy", "smileeyes"),
        )
    ),
    "eye_surprised": Feature(
        (
            *("びっくり{}", "見開き{}", "びっくり", "見開き", "見開き目", "驚き", "驚き目", "eyewide{}"),
            *("eyesurprised{}", "eyesurprise{}", "eyewide", "eyeswide", "eyesurprised", "eyesurprise"),
            "fcleyesurprised",
        )
    ),
    "eye_relaxed": Feature(
        (
            *("なごみ{}", "なごみ", "和み", "eyerelaxed{}", "eyedowncast{}", "eyerelaxed", "eyedowncast"),
            "fcleyefun",
        )
    ),
    "eye_unimpressed": Feature(
        (
            *("じと目{}", "ジト目{}", "じと目", "ジト目", "じと", "じと目元", "eyeunimpressed{}"),
            *("eyeunimpressed", "eyehalf"),
        )
    ),
    "eye_raised_lower_eyelid": Feature(
        (
            *("下瞼上げ{}", "下まぶた上げ{}", "下瞼上げ", "下まぶた上げ", "下瞼", "lowerlidup{}"),
            *("lowerlidup", "cheeksquint{}", "eyesquint{}", "eyesquint"),
        )
    ),
    "iris_small": Feature(
        (
            *("瞳小{}", "瞳小", "瞳縮小", "irissmall{}", "pupilsmall{}", "irissmall", "pupilsmall"),
            "pupildecrease",
        )
    ),
    "mouth_lowered_corner": Feature(
        ("口角下げ{}", "口角下げ", "mouthfrown{}", "∧", "∧口", "へ", "mouthfrown", "mouthsad", "fclmthdown")
    ),
    "mouth_raised_corner": Feature(
        (
            *("口角上げ{}", "口角上げ", "mouthsmile{}", "にっこり", "にっこり口", "mouthsmile", "smile"),
            *("fclmthup", "mouthlaugh"),
        )
    ),
}
"""Features with a left and a right channel."""

WHOLE: Mapping[str, Feature] = {
    "mouth_aaa": Feature(
        ("あ", "aa", "a", "ah", "ああ", "mouthaa", "moutha", "fclmtha", "vaa", "vrcvaa", "あ2"),
        (_mix(("jawopen", 0.9), ("mouthlowerdown{}", 0.3)), _mix(("jawopen", 0.9))),
    ),
    "mouth_iii": Feature(
        ("い", "ih", "i", "いい", "mouthih", "mouthi", "fclmthi", "vih", "vrcvih"),
        (_mix(("jawopen", 0.15), ("mouthstretch{}", 0.7), ("mouthsmile{}", 0.2)),),
    ),
    "mouth_uuu": Feature(
        ("う", "ou", "u", "uu", "mouthou", "mouthu", "fclmthu", "vou", "vrcvou"),
        (_mix(("jawopen", 0.15), ("mouthpucker", 0.9)),),
    ),
    "mouth_eee": Feature(
        ("え", "ee", "e", "eh", "mouthee", "mouthe", "fclmthe", "ve", "vrcve"),
        (_mix(("jawopen", 0.4), ("mouthstretch{}", 0.5)),),
    ),
    "mouth_ooo": Feature(
        ("お", "oh", "o", "mouthoh", "moutho", "fclmtho", "voh", "vrcvoh"),
        (_mix(("jawopen", 0.4), ("mouthfunnel", 0.9)),),
    ),
    "mouth_delta": Feature(("▲", "△", "mouthdelta", "mouthtriangle")),
    "mouth_smirk": Feature(("にやり", "にやり2", "にたり", "smirk", "mouthsmirk")),
    "gaze_up": Feature(("lookup", "eyelookup", "eyesup"), (_mix(("eyelookup{}", 1.0)),)),
    "gaze_down": Feature(("lookdown", "eyelookdown", "eyesdown"), (_mix(("eyelookdown{}", 1.0)),)),
    "gaze_left": Feature(
        ("lookright", "eyesright"),
        (_mix(("eyelookinleft", 1.0), ("eyelookoutright", 1.0)),),
    ),
    "gaze_right": Feature(
        ("lookleft", "eyesleft"),
        (_mix(("eyelookoutleft", 1.0), ("eyelookinright", 1.0)),),
    ),
}
"""Features without sides; gaze, to the picture's sides, is only asked of morphs where no bones turn the eyes."""

SIDES: Mapping[str, tuple[str, ...]] = {"left": ("left", "l", "左"), "right": ("right", "r", "右")}
_AROUND = re.compile(r"[\s_\-./:()~〜]+|geo")
_PROGRAM = re.compile(r"^.*\b(?=fcl_|vrc\.)", re.I)


def folded(name: str) -> str:
    """A morph's name without what programs and habits put around it: letter case, widths, signs between words."""
    plain = unicodedata.normalize("NFKC", name).strip()
    plain = _PROGRAM.sub("", plain.replace("Fcl_", " Fcl_"))
    plain = re.sub(r"(?i)_geo_?(c\b)?", "_", plain)
    return _AROUND.sub("", plain.casefold())
