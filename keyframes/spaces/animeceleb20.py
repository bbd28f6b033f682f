# SPDX-License-Identifier: GPL-3.0-or-later
"""AnimeCeleb's pose vector: 17 expressions of three parts, then the head's three angles in degrees.

Papers/animeceleb, section 2.2: three target morphs for the eyes, three for the eyebrows, each with a
value a side, and five for the mouth; the head's angles were sampled from -20 to 20 degrees. The paper
does not list the morphs. Their order was read off the authors' own 17 x 64 mapping to a 3D morphable
model (section 3.1), by which rows oppose (wide and closed eyes; angry and sad brows, exactly) and which
resemble each other (O: both A and U). The data calls the angles roll, pitch and yaw, about Blender's axes
x, y and z: x lies across the face, so that its roll is a nod. That mapping takes them in this sense, as pitch, roll
and yaw, which are the names here, and only changes their unit: ``pitch`` looks down, ``yaw`` turns towards the
picture's right, ``roll`` tilts towards the picture's left; against tha45's head_x, head_y and neck_z that is -, -, +.
"""

from __future__ import annotations

from keywarp.keyframes.channels import PoseSpace
from keywarp.keyframes.spaces.rows import BROWS, EYES, HEAD, MOUTH, aside, one, pair, updown

#: Sampling range of the head's angles, in degrees.
HEAD_DEGREES = 20.0

CHANNELS = (
    *pair("eye_closed", EYES, "closed"),
    *pair("eye_wide", EYES, "wide open"),
    *pair("eye_smile", EYES, "narrowed by a smile"),
    *pair("brow_angry", BROWS, "angry: inner end down"),
    *pair("brow_sad", BROWS, "sad: inner end up"),
    *pair("brow_raised", BROWS, "raised as a whole"),
    one("mouth_a", MOUTH, "open as in 'ah'"),
    one("mouth_e", MOUTH, "half open as in 'eh'"),
    one("mouth_i", MOUTH, "wide as in 'ee'"),
    one("mouth_o", MOUTH, "rounded as in 'oh'"),
    one("mouth_u", MOUTH, "rounded and small as in 'oo'"),
    updown("pitch", HEAD, "head looks down, in degrees (against head_x)", HEAD_DEGREES),
    aside("roll", HEAD, "head tilts towards the picture's left, in degrees (sign of neck_z)", HEAD_DEGREES),
    aside("yaw", HEAD, "head turns towards the picture's right, in degrees (against head_y)", HEAD_DEGREES),
)

SPACE = PoseSpace("animeceleb20", "AnimeCeleb: 17 expressions and the head's angles in degrees", CHANNELS)
