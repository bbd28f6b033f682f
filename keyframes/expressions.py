# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready-made expressions in ``tha45``: feelings, vowels, lids and breath.

The feelings have the 28 labels of GoEmotions (Demszky et al., "GoEmotions: A Dataset of Fine-Grained
Emotions", ACL 2020, table 1), by which chat programs ask for the faces of a character, and some that
animation is fond of. They speak of the face only; head and body stay as they are. An expression sets
every channel that it covers, those that it does not name to the character's own rest, so that one
takes the place of another without a remainder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Optional

from keywarp.keyframes.errors import KeywarpError
from keywarp.keyframes.spaces import tha45

SPACE = tha45.SPACE
#: The groups of channels that a feeling covers.
FACE = ("Brows", "Eyes", "Gaze", "Mouth")

Pose = Mapping[str, float]


@dataclass(frozen=True)
class Expression:
    """A face, or a part of one, that has a name."""

    name: str
    """Identifier: lower-case words joined by underscores."""
    title: str
    """As menus show it."""
    group: str
    """The part of the menu, and the catalog of the pose library."""
    values: Pose
    """By channel of ``tha45``; of the channels that it covers, those that leave the rest."""
    covers: tuple[str, ...]
    """The channels that it sets, in the order of the space."""

    def pose(self, rest: Optional[Pose] = None) -> dict[str, float]:
        """The value of every channel that it covers. ``rest``: the character's own, where it has any."""
        return {name: self.values.get(name, resting(name, rest)) for name in self.covers}

    def blended(self, pose: Pose, strength: float, rest: Optional[Pose] = None) -> dict[str, float]:
        """The covered channels, taken from ``pose`` towards the expression by ``strength``: 1 is all the
        way, more exaggerates. Held to the channels' ranges."""
        blended = {}
        for name, goal in self.pose(rest).items():
            channel = SPACE[name]
            start = pose.get(name, channel.default)
            value = start + (goal - start) * strength
            blended[name] = min(max(value, channel.minimum), channel.maximum)
        return blended


def resting(name: str, rest: Optional[Pose] = None) -> float:
    """The channel's value at rest: the character's, else the space's."""
    own = None if rest is None else rest.get(name)
    return SPACE[name].default if own is None else own


def channels_of(groups: Iterable[str]) -> tuple[str, ...]:
    """The channels of ``tha45`` in these groups, in the order of the space."""
    chosen = set(groups)
    return tuple(channel.name for channel in SPACE.channels if channel.group in chosen)


def covered(names: Iterable[str]) -> tuple[str, ...]:
    """The named channels, in the order of the space."""
    chosen = set(names)
    return tuple(name for name in SPACE.names if name in chosen)


def _both_sides(values: Pose) -> dict[str, float]:
    """``values`` with a name that has no side standing for the left and the right channel."""
    spread = {}
    for name, value in values.items():
        names = [name] if name in SPACE else [f"{name}_left", f"{name}_right"]
        spread.update(dict.fromkeys(names, value))
    return spread


def _expression(name: str, title: str, group: str, covers: Iterable[str], values: Pose) -> Expression:
    spread = _both_sides(values)
    return Expression(name, title, group, MappingProxyType(spread), covered({*covers, *spread}))


def _feelings(group: str, **faces: Pose) -> tuple[Expression, ...]:
    face = channels_of(FACE)
    return tuple(
        _expression(name, name.replace("_", " ").capitalize(), group, face, values)
        for name, values in faces.items()
    )


def _mouth(name: str, title: str, **shape: float) -> Expression:
    return _expression(name, title, "Vowels", channels_of(["Mouth"]), {"mouth_aaa": 0.0, **shape})


def _part(name: str, title: str, group: str, **values: float) -> Expression:
    return _expression(name, title, group, (), values)


FEELINGS = (
    *_feelings(
        "Happy",
        joy={"eyebrow_happy": 0.8, "eyebrow_raised": 0.3, "eye_happy_wink": 1, "mouth_aaa": 1},
        amusement={
            **{"eyebrow_happy": 0.7, "eye_happy_wink": 0.4, "eye_raised_lower_eyelid": 0.7},
            **{"mouth_aaa": 0.3, "mouth_iii": 0.5, "mouth_raised_corner": 0.7},
        },
        laughing={
            **{"eyebrow_troubled": 0.5, "eyebrow_happy": 0.6, "eye_happy_wink": 1},
            **{"mouth_aaa": 0.6, "mouth_delta": 0.5, "mouth_raised_corner": 0.6},
        },
        excitement={
            **{"eyebrow_raised": 1, "eyebrow_happy": 0.6, "eye_surprised": 0.8, "iris_rotation_x": 0.1},
            **{"mouth_aaa": 1, "mouth_raised_corner": 0.4},
        },
        optimism={
            **{"eyebrow_happy": 0.5, "eyebrow_raised": 0.7, "iris_rotation_x": 0.7},
            **{"mouth_aaa": 0, "mouth_raised_corner": 1},
        },
        pride={
            **{"eyebrow_happy": 0.4, "eyebrow_raised": 0.8, "eye_wink": 1},
            **{"mouth_aaa": 0, "mouth_smirk": 1},
        },
        approval={
            **{"eyebrow_happy": 0.6, "eye_relaxed": 0.3, "eye_raised_lower_eyelid": 0.6},
            **{"mouth_aaa": 0, "mouth_raised_corner": 0.8},
        },
        gratitude={
            **{"eyebrow_happy": 0.6, "eyebrow_troubled": 0.3, "eye_happy_wink": 1},
            **{"mouth_aaa": 0, "mouth_raised_corner": 1},
        },
        relief={
            **{"eyebrow_troubled": 0.7, "eyebrow_raised": 0.4, "eye_wink": 1},
            **{"mouth_aaa": 0, "mouth_uuu": 0.4, "mouth_raised_corner": 0.3},
        },
        smug={
            **{"eyebrow_raised_left": 0.9, "eyebrow_lowered_right": 0.6, "eye_unimpressed": 0.5},
            **{"iris_rotation_y": 0.3, "mouth_aaa": 0, "mouth_smirk": 1, "mouth_raised_corner_left": 0.8},
        },
        playful={
            **{"eyebrow_happy": 0.7, "eyebrow_raised_right": 0.6, "eye_happy_wink_left": 1},
            **{"mouth_aaa": 0.8, "mouth_raised_corner": 0.8},
        },
    ),
    *_feelings(
        "Loving",
        love={
            **{"eyebrow_happy": 0.7, "eyebrow_troubled": 0.5, "eye_happy_wink": 0.5},
            **{"eye_raised_lower_eyelid": 0.8, "mouth_aaa": 0.4, "mouth_raised_corner": 1},
        },
        admiration={
            **{"eyebrow_raised": 0.9, "eyebrow_troubled": 0.4, "eye_surprised": 0.4},
            **{"iris_rotation_x": 0.7, "mouth_aaa": 0.2, "mouth_delta": 0.5},
        },
        caring={
            **{"eyebrow_troubled": 0.7, "eye_relaxed": 0.35, "eye_raised_lower_eyelid": 0.3},
            **{"mouth_aaa": 0, "mouth_raised_corner": 0.9},
        },
        desire={
            **{"eyebrow_troubled": 0.8, "eye_relaxed": 0.5, "eye_raised_lower_eyelid": 0.7},
            **{"mouth_aaa": 0.25, "mouth_uuu": 0.3},
        },
    ),
    *_feelings(
        "Sad",
        sadness={
            **{"eyebrow_troubled": 1, "eye_relaxed": 0.4, "iris_rotation_x": -0.6},
            **{"mouth_aaa": 0, "mouth_lowered_corner": 1},
        },
        disappointment={
            **{"eyebrow_troubled": 0.7, "eyebrow_lowered": 0.3, "eye_unimpressed": 0.6},
            **{"iris_rotation_x": -0.4, "iris_rotation_y": 0.35, "mouth_aaa": 0, "mouth_lowered_corner": 0.8},
        },
        grief={
            **{"eyebrow_troubled": 1, "eyebrow_lowered": 0.4, "eye_wink": 1},
            **{"mouth_aaa": 0.1, "mouth_eee": 0.5, "mouth_lowered_corner": 1},
        },
        remorse={
            **{"eyebrow_troubled": 1, "eye_relaxed": 0.6, "iris_rotation_x": -0.8},
            **{"iris_rotation_y": -0.4, "mouth_aaa": 0, "mouth_iii": 0.3, "mouth_lowered_corner": 0.7},
        },
        crying={
            **{"eyebrow_troubled": 1, "eyebrow_raised": 0.3, "eye_happy_wink": 0.9},
            **{"eye_raised_lower_eyelid": 1, "mouth_aaa": 1, "mouth_lowered_corner": 1},
        },
    ),
    *_feelings(
        "Angry",
        anger={
            **{"eyebrow_angry": 1, "eyebrow_lowered": 0.5, "iris_small": 0.15},
            **{"mouth_aaa": 0, "mouth_eee": 0.7, "mouth_lowered_corner": 1},
        },
        rage={
            **{"eyebrow_angry": 1, "eyebrow_lowered": 0.8, "eye_surprised": 0.5, "iris_small": 0.4},
            **{"mouth_aaa": 1, "mouth_lowered_corner": 0.6},
        },
        annoyance={
            **{"eyebrow_angry": 0.7, "eyebrow_lowered": 0.5, "eye_unimpressed": 0.8},
            **{"mouth_aaa": 0, "mouth_lowered_corner": 0.8},
        },
        disapproval={
            **{"eyebrow_serious": 0.5, "eyebrow_lowered": 0.7, "eye_unimpressed": 0.7},
            **{"iris_rotation_y": 0.9, "mouth_aaa": 0, "mouth_lowered_corner": 0.6},
        },
        disgust={
            **{"eyebrow_angry": 0.6, "eyebrow_lowered_right": 0.8, "eyebrow_troubled_left": 0.5},
            **{"eye_unimpressed": 0.7, "eye_raised_lower_eyelid": 1, "mouth_aaa": 0.1},
            **{"mouth_eee": 0.6, "mouth_lowered_corner": 1},
        },
        pouting={
            **{"eyebrow_angry": 0.6, "eye_unimpressed": 0.4, "iris_rotation_y": -0.9},
            **{"mouth_aaa": 0, "mouth_uuu": 0.7, "mouth_lowered_corner": 0.6},
        },
    ),
    *_feelings(
        "Surprised",
        surprise={"eyebrow_raised": 1, "eye_surprised": 1, "iris_small": 0.2, "mouth_aaa": 0, "mouth_ooo": 1},
        realization={
            **{"eyebrow_raised": 0.9, "eye_surprised": 0.6, "iris_rotation_x": 0.2},
            **{"mouth_aaa": 0.6, "mouth_ooo": 0.3},
        },
        shocked={
            **{"eyebrow_raised": 0.9, "eyebrow_troubled": 0.5, "eye_surprised": 1, "iris_small": 0.55},
            **{"mouth_aaa": 1, "mouth_delta": 0.3},
        },
        fear={
            **{"eyebrow_troubled": 1, "eyebrow_raised": 0.4, "eye_surprised": 0.9, "iris_small": 0.45},
            **{"mouth_aaa": 0.1, "mouth_eee": 0.7, "mouth_lowered_corner": 0.8},
        },
    ),
    *_feelings(
        "Shy",
        shy={
            **{"eyebrow_troubled": 0.8, "eye_relaxed": 0.25, "iris_rotation_x": -0.6},
            **{"iris_rotation_y": 0.9, "mouth_aaa": 0, "mouth_uuu": 0.25, "mouth_raised_corner": 0.4},
        },
        embarrassment={
            **{
                "eyebrow_troubled": 1,
                "eyebrow_raised": 0.3,
                "eye_happy_wink": 0.9,
                "eye_raised_lower_eyelid": 1,
            },
            **{"mouth_aaa": 0, "mouth_iii": 0.4, "mouth_eee": 0.5, "mouth_lowered_corner": 0.3},
        },
        nervousness={
            **{"eyebrow_troubled": 0.9, "eye_surprised": 0.35, "iris_small": 0.25, "iris_rotation_y": -0.9},
            **{"mouth_aaa": 0, "mouth_iii": 0.4, "mouth_eee": 0.4},
        },
    ),
    *_feelings(
        "Thinking",
        thinking={
            **{"eyebrow_serious": 0.6, "eyebrow_lowered_right": 0.5, "iris_rotation_x": 0.9},
            **{"iris_rotation_y": 0.9, "mouth_aaa": 0, "mouth_lowered_corner": 0.3},
        },
        confusion={
            **{"eyebrow_troubled": 0.8, "eyebrow_raised_left": 0.8, "eyebrow_lowered_right": 0.6},
            **{"eye_surprised": 0.2, "mouth_aaa": 0, "mouth_delta": 0.4},
        },
        curiosity={
            **{"eyebrow_raised": 0.8, "eye_surprised": 0.45, "iris_rotation_y": -0.3},
            **{"mouth_aaa": 0, "mouth_uuu": 0.5},
        },
        suspicion={
            **{"eyebrow_angry": 0.4, "eyebrow_raised_left": 0.6, "eyebrow_lowered_right": 0.8},
            **{"eye_unimpressed": 0.8, "eye_raised_lower_eyelid": 0.6, "iris_rotation_y": -0.9},
            **{"mouth_aaa": 0, "mouth_lowered_corner": 0.4},
        },
        determination={
            **{"eyebrow_angry": 0.8, "eyebrow_serious": 0.4, "eye_raised_lower_eyelid": 0.3},
            **{"mouth_aaa": 0, "mouth_raised_corner": 0.4},
        },
    ),
    *_feelings(
        "Calm",
        neutral={"mouth_aaa": 0},
        serious={"eyebrow_serious": 1, "eyebrow_lowered": 0.3, "mouth_aaa": 0},
        bored={
            **{"eyebrow_serious": 0.5, "eye_unimpressed": 1, "iris_rotation_y": 0.8},
            **{"iris_rotation_x": -0.1, "mouth_aaa": 0, "mouth_lowered_corner": 0.2},
        },
        sleepy={
            **{"eyebrow_raised": 0.5, "eyebrow_troubled": 0.4, "eye_relaxed": 0.75, "iris_rotation_x": -0.2},
            **{"mouth_aaa": 0, "mouth_uuu": 0.4},
        },
        asleep={"eyebrow_happy": 0.3, "eye_wink": 1, "mouth_aaa": 0.15, "mouth_ooo": 0.2},
    ),
)

VOWELS = (
    _mouth("vowel_a", "A", mouth_aaa=1),
    _mouth("vowel_i", "I", mouth_iii=1),
    _mouth("vowel_u", "U", mouth_uuu=1),
    _mouth("vowel_e", "E", mouth_eee=1),
    _mouth("vowel_o", "O", mouth_ooo=1),
    _mouth("mouth_closed", "Closed"),
)

PARTS = (
    _part("blink", "Blink", "Lids", eye_wink=1),
    _part("wink_left", "Wink Left", "Lids", eye_wink_left=1, eye_wink_right=0),
    _part("wink_right", "Wink Right", "Lids", eye_wink_left=0, eye_wink_right=1),
    _part("smiling_blink", "Smiling Blink", "Lids", eye_happy_wink=1),
    _part("breath", "Breath", "Body", breathing=1),
)

EXPRESSIONS = (*FEELINGS, *VOWELS, *PARTS)
#: In the order of menus.
GROUPS = tuple(dict.fromkeys(expression.group for expression in EXPRESSIONS))
_BY_NAME = {expression.name: expression for expression in EXPRESSIONS}


def expression(name: str) -> Expression:
    """The expression of this name; raises ``KeywarpError`` where there is none."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise KeywarpError(f"there is no expression named {name!r}") from None
