# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seed says: every choice of a character, as numbers and names, before anything is built."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from keywarp.core.studio.generator.chance import Chance
from keywarp.core.studio.generator.form import HeadForm
from keywarp.core.studio.generator.tones import Tones, tones

MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class EyeChoice:
    """Eyes; lengths in heads."""

    x: float
    """Of the middle of an eye from the face's middle."""
    y: float
    half_width: float
    rise: float
    """From the corners' line to the upper lid."""
    drop: float
    """To the lower lid."""
    peak: float
    """Where the upper lid is highest: -1 inner corner, 1 outer."""
    box: float
    """Exponent of the upper lid's arch: small is boxy."""
    tilt: float
    """Outer corner above the inner one."""
    lash: float
    """Thickness of the upper lash line."""
    wing: float
    """How far it runs out beyond the corner."""
    spikes: int
    fold: bool
    lower_lash: float
    iris_wide: float
    iris_tall: float
    pupil: float
    highlights: int
    """Which of the arrangements of lights."""
    glow: float
    """How bright the lower part of the iris is."""
    heavy: float = 0.0
    """How far the upper lid hangs: 0 not, 1 half shut."""
    odd_iris: bool = False
    """Eyes of two colours."""


@dataclass(frozen=True)
class BrowChoice:
    """Brows."""

    y: float
    """Above the eyes' middle."""
    length: float
    thick: float
    arch: float
    tilt: float
    shape: str


@dataclass(frozen=True)
class MouthChoice:
    """Mouth."""

    y: float
    half_width: float
    curve: float
    """Corners above (or below) the middle."""
    cat: float
    """How much of a cat's mouth it is."""
    line: float
    fang: bool
    lip_mark: bool


@dataclass(frozen=True)
class HairChoice:
    """Hair."""

    fringe: str
    sides: str
    back: str
    tails: str
    volume: float
    fringe_y: float
    """Where the fringe ends."""
    parting: float
    """x from which the fringe falls."""
    locks: int
    side_length: float
    """y at which the locks beside the face end."""
    back_length: float
    wave: float
    flip: float
    """How far ends turn outward."""
    ahoge: int
    strands: int
    sharpness: float
    tail_height: float
    tufts: int
    """Locks that stick out at each side."""
    shine: str
    """How the ring of light is painted."""


@dataclass(frozen=True)
class OutfitChoice:
    """Clothes and what is worn."""

    garment: str
    neckwear: str
    shoulders: float
    bust: float
    glasses: str
    ears: str
    """Of an animal, or none."""
    ornament: str
    earrings: bool
    choker: bool


@dataclass(frozen=True)
class FaceChoice:
    """What is drawn on the face."""

    nose: str
    blush: float
    freckles: bool
    mole: str
    ears: str


@dataclass(frozen=True)
class Recipe:
    """A character's choices."""

    seed: int
    boyish: bool
    form: HeadForm
    eyes: EyeChoice
    brows: BrowChoice
    mouth: MouthChoice
    face: FaceChoice
    hair: HairChoice
    outfit: OutfitChoice
    tones: Tones
    neck: float
    weight: float = field(default=1.0)
    """Of drawn lines."""

    def plain(self) -> dict[str, Any]:
        """All choices, as JSON has them."""
        return asdict(self)


def recipe(seed: int) -> Recipe:
    """The character of a seed, 0 .. ``MAX_SEED``."""
    who = Chance(seed, "who")
    boyish = who.happens(0.24)
    age = who.unit()
    """0: a child, 1: grown up."""
    eyes = _eyes(Chance(seed, "eyes"), boyish, age)
    return Recipe(
        seed=seed,
        boyish=boyish,
        form=_form(Chance(seed, "form"), boyish, age),
        eyes=eyes,
        brows=_brows(Chance(seed, "brows"), boyish, eyes),
        mouth=_mouth(Chance(seed, "mouth"), boyish),
        face=_face(Chance(seed, "face"), boyish),
        hair=_hair(Chance(seed, "hair"), boyish, eyes),
        outfit=_outfit(Chance(seed, "outfit"), boyish),
        tones=tones(Chance(seed, "tones")),
        neck=who.within(0.080, 0.090) + 0.014 * boyish,
        weight=who.within(0.85, 1.2),
    )


def _form(chance: Chance, boyish: bool, age: float) -> HeadForm:
    return HeadForm(
        width=chance.within(0.272, 0.296) - 0.008 * age,
        cheek_at=chance.within(0.39, 0.44) - 0.03 * (1 - age) + 0.02 * boyish,
        fullness=chance.within(1.85, 2.35) + 0.15 * (1 - age),
        roundness=chance.within(0.66, 0.80) + 0.05 * age,
        nose=chance.within(0.022, 0.030) + 0.005 * boyish,
        nose_y=chance.within(0.255, 0.272),
    )


def _eyes(chance: Chance, boyish: bool, age: float) -> EyeChoice:
    size = chance.within(0.86, 1.14) - 0.10 * age - 0.12 * boyish
    rise = 0.077 * size * chance.within(0.84, 1.12)
    drop = 0.055 * size * chance.within(0.82, 1.12)
    half = 0.084 * size**0.5 * chance.within(0.94, 1.06)
    tall = (rise + drop) * chance.within(0.50, 0.58)
    return EyeChoice(
        x=chance.within(0.132, 0.146),
        y=chance.within(0.375, 0.405),
        half_width=half,
        rise=rise,
        drop=drop,
        peak=chance.within(-0.25, 0.32),
        box=chance.within(0.34, 0.70),
        tilt=chance.within(-0.020, 0.032),
        lash=chance.within(0.020, 0.029) - 0.005 * boyish,
        wing=chance.within(0.10, 0.26) * (0.6 if boyish else 1.0),
        spikes=0 if boyish and chance.happens(0.7) else chance.whole(4),
        fold=chance.happens(0.8),
        lower_lash=chance.within(0.004, 0.009),
        iris_wide=half * chance.within(0.66, 0.78),
        iris_tall=tall,
        pupil=chance.within(0.36, 0.52),
        highlights=chance.whole(5),
        glow=chance.within(0.35, 0.85),
        odd_iris=chance.happens(0.03),
        heavy=chance.within(0.15, 0.55) if chance.happens(0.28 + 0.2 * boyish) else 0.0,
    )


def _brows(chance: Chance, boyish: bool, eyes: EyeChoice) -> BrowChoice:
    return BrowChoice(
        y=eyes.rise + chance.within(0.040, 0.064) - 0.012 * boyish,
        length=chance.within(0.066, 0.086),
        thick=chance.within(0.009, 0.016) + 0.006 * boyish,
        arch=chance.within(0.008, 0.024),
        tilt=chance.within(-0.012, 0.016) + 0.010 * boyish,
        shape=chance.pick(("tapered", "even", "short", "tapered")),
    )


def _mouth(chance: Chance, boyish: bool) -> MouthChoice:
    return MouthChoice(
        y=chance.within(0.196, 0.210),
        half_width=chance.within(0.036, 0.054) + 0.006 * boyish,
        curve=chance.within(-0.004, 0.012),
        cat=chance.within(0.5, 1.0) if chance.happens(0.12) else 0.0,
        line=chance.within(0.0065, 0.0095),
        fang=chance.happens(0.10),
        lip_mark=chance.happens(0.5),
    )


def _face(chance: Chance, boyish: bool) -> FaceChoice:
    return FaceChoice(
        nose=chance.pick(("dot", "line", "wedge", "shadow", "tip")),
        blush=chance.within(0.1, 0.7) * (0.3 if boyish else 1.0),
        freckles=chance.happens(0.05),
        mole=chance.weighed((("none", 12.0), ("eye left", 1.0), ("eye right", 1.0), ("mouth", 1.0))),
        ears=chance.weighed((("round", 10.0), ("pointed", 1.2))),
    )


def _hair(chance: Chance, boyish: bool, eyes: EyeChoice) -> HairChoice:
    if boyish:
        fringe = chance.weighed(
            (("spiky", 3.0), ("swept", 2.0), ("parted", 1.5), ("curtain", 1.0), ("soft", 1.5))
        )
        fringe = "up" if chance.happens(0.06) else fringe
        back = chance.weighed((("short", 5.0), ("bob", 1.0), ("long", 0.5)))
        tails = chance.weighed((("none", 9.0), ("pony", 0.8), ("low", 0.7)))
        sides = chance.weighed((("short", 4.0), ("tapered", 2.0), ("none", 1.0)))
    else:
        fringe = chance.weighed(
            (("soft", 3.0), ("blunt", 2.0), ("swept", 2.5), ("parted", 2.0), ("curtain", 1.5), ("spiky", 1.0))
        )
        fringe = "up" if chance.happens(0.03) else fringe
        back = chance.weighed((("long", 4.0), ("bob", 3.0), ("medium", 2.5), ("short", 1.0)))
        tails = chance.weighed(
            (
                ("none", 8.0),
                ("twin", 3.0),
                ("pony", 1.6),
                ("side", 1.2),
                ("buns", 1.2),
                ("low", 1.3),
                ("drills", 0.8),
                ("braids", 1.4),
            )
        )
        sides = chance.weighed((("tapered", 3.0), ("hime", 1.5), ("long", 2.5), ("short", 1.0)))
    if tails in ("twin", "pony", "side", "buns", "drills") and back == "long" and chance.happens(0.7):
        back = "short"
    lengths = {"short": (0.02, 0.14), "bob": (-0.08, 0.06), "medium": (-0.40, -0.15), "long": (-1.25, -0.60)}
    side_ends = {
        "none": (0.5, 0.55),
        "short": (0.24, 0.36),
        "tapered": (0.02, 0.22),
        "hime": (0.10, 0.20),
        "long": (-0.55, -0.10),
    }
    return HairChoice(
        fringe=fringe,
        sides=sides,
        back=back,
        tails=tails,
        volume=chance.within(0.048, 0.075) + 0.006 * boyish,
        fringe_y=eyes.y + eyes.rise + chance.within(-0.015, 0.055),
        parting=chance.about(0.0, 0.12) if chance.happens(0.7) else 0.0,
        locks=7 + chance.whole(5),
        side_length=chance.within(*side_ends[sides]),
        back_length=chance.within(*lengths[back]),
        wave=chance.within(0.3, 1.0) if chance.happens(0.35) else 0.0,
        flip=chance.about(0.02, 0.10),
        ahoge=chance.weighed(((0, 6.0), (1, 3.0), (2, 1.0))),
        strands=chance.whole(7),
        sharpness=chance.within(0.55, 1.0),
        tail_height=chance.within(0.45, 0.85),
        tufts=chance.whole(6) if back in ("short", "bob") else chance.whole(2),
        shine=chance.pick(("teeth", "band", "soft", "teeth", "streaks")),
    )


def _outfit(chance: Chance, boyish: bool) -> OutfitChoice:
    garments = (
        *(
            ("sailor", 0.4 if boyish else 2.5),
            ("shirt", 2.0),
            ("blazer", 2.0),
            ("hoodie", 1.5),
            ("sweater", 1.5),
        ),
        *(
            ("track", 1.0),
            ("tee", 1.2),
            ("kimono", 0.8),
            ("cardigan", 1.3),
            ("gakuran", 1.5 if boyish else 0.1),
        ),
        ("dress", 0.0 if boyish else 2.0),
    )
    garment = chance.weighed(garments)
    worn = {
        "sailor": (("bow", 2.0), ("scarf", 2.0), ("none", 0.3)),
        "shirt": (("tie", 2.0), ("bow", 1.0), ("none", 2.0), ("ribbon", 1.0)),
        "blazer": (("tie", 2.0), ("bow", 1.5), ("ribbon", 1.5), ("none", 0.5)),
        "dress": (("none", 2.0), ("ribbon", 1.0), ("bow", 1.0)),
        "cardigan": (("none", 1.0), ("ribbon", 1.0), ("bow", 1.0)),
    }
    neckwear = chance.weighed(worn.get(garment, (("none", 1.0),)))
    return OutfitChoice(
        garment=garment,
        neckwear="tie" if boyish and neckwear in ("bow", "ribbon") and garment != "sailor" else neckwear,
        shoulders=chance.within(0.40, 0.46) + 0.06 * boyish,
        bust=0.0 if boyish else chance.within(0.01, 0.06),
        glasses=chance.weighed(
            (("none", 8.0), ("round", 0.7), ("oval", 0.8), ("half", 0.5), ("square", 0.6))
        ),
        ears=chance.weighed(
            (("none", 10.0), ("cat", 0.9), ("fox", 0.7), ("bunny", 0.0 if boyish else 0.5), ("bear", 0.4))
        ),
        ornament="none"
        if boyish and chance.happens(0.75)
        else chance.weighed(
            (
                ("none", 4.0),
                ("clip", 2.0),
                ("band", 1.3),
                ("bow", 1.3),
                ("flower", 1.0),
                ("side bow", 1.0),
                ("pins", 1.2),
            )
        ),
        earrings=chance.happens(0.14),
        choker=chance.happens(0.08 if boyish else 0.12),
    )
