# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers to what hosts ask about characters, models and the engine itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from keywarp.core.engine import requests
from keywarp.core.engine.wire import Message
from keywarp.keyframes.errors import KeywarpError

if TYPE_CHECKING:
    from keywarp.core.character import Character
    from keywarp.core.engine.server import Server
    from keywarp.core.engine.session import Session
    from keywarp.core.models.base import ModelInfo

log = logging.getLogger(__name__)
Answer = dict[str, Any]


class Answers:
    """Answers questions in threads of their own, because some read pictures and weights."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="keywarp-answer")
        self._kinds: dict[str, Callable[[Message], Answer]] = {
            "ping": self._ping,
            "info": _info,
            "check": _check,
            "provenance": _provenance,
            "models": _models,
            "cache": _cache,
            "stages": self._stages,
            "stop": self._stop,
        }

    def begin(self, session: Session, identity: int, message: Message) -> None:
        """Answer as soon as there is a thread; raises ``KeywarpError`` for what is not known."""
        kind = self._kinds.get(str(message.get("what")))
        if kind is None:
            raise KeywarpError(
                f"the engine does not know the question {str(message.get('what'))[:40]!r}; it answers "
                f"{', '.join(self._kinds)}"
            )
        self._pool.submit(self._answer, session, identity, kind, message)

    def _answer(
        self, session: Session, identity: int, kind: Callable[[Message], Answer], message: Message
    ) -> None:
        try:
            session.send({"id": identity, "done": kind(message)})
        except KeywarpError as error:
            session.send({"id": identity, "error": str(error), "kind": "input"})
        except Exception as error:
            log.exception("a question could not be answered")
            sentence = (
                f"the engine has a defect, please report it with its log ({type(error).__name__}: {error})"
            )
            session.send({"id": identity, "error": sentence, "kind": "defect"})

    def _ping(self, message: Message) -> Answer:
        return {**self._server.welcome(), "clients": self._server.clients}

    def _stages(self, message: Message) -> Answer:
        return {"stages": self._server.workers.company.listing()}

    def _stop(self, message: Message) -> Answer:
        self._server.end("a host asked for it", 0.2)
        return {}


def _info(message: Message) -> Answer:
    """What a host shows about a character before it draws anything."""
    from keywarp.core.picture import read_picture
    from keywarp.keyframes.spaces import space

    who, model = _known(message)
    canvas = read_picture(who.hd_picture or who.picture)
    poses = space(model.space)
    return {
        "name": who.name,
        "space": poses.name,
        "channels": [
            {**asdict(channel), "default": who.resting.get(channel.name, channel.default)}
            for channel in poses.channels
        ],
        "size": [canvas.width, canvas.height],
        "has_alpha": canvas.has_alpha,
        "picture": str(who.picture),
        "driving": _driving(who),
        "licence": who.licence,
        "credit": who.credit,
        "detail": f"the picture has {canvas.width}x{canvas.height} pixels; larger frames show no more",
        "model": _model(model),
        "notes": list(canvas.warnings),
    }


def _driving(who: Character) -> Answer | None:
    """How long the driving video is that the character follows."""
    if who.driving is None:
        return None
    from keywarp.core.driving_video import video_length

    frames, rate = video_length(who.driving.video)
    return {"video": str(who.driving.video), "frames": frames, "fps": float(rate)}


def _known(message: Message) -> tuple[Character, ModelInfo]:
    from keywarp.core.engine.casting import check_defaults, read_character
    from keywarp.core.models.base import DrivenSource

    who = read_character(requests.text(message, "character"), requests.optional_text(message, "model"))
    source = who.find_model()
    video = requests.optional_text(message, "driving")
    if video is not None and isinstance(
        source, DrivenSource
    ):  # a host need not know beforehand what a model is
        who = read_character(str(message["character"]), message.get("model"), video)
        source = who.find_model()
    model = source.info
    check_defaults(who, model)
    return who, model


def _model(model: ModelInfo) -> Answer:
    return {
        "family": model.family,
        "form": model.form,
        "space": model.space,
        "side": model.side,
        "parameters": model.parameters,
        "licence": model.licence,
        "credit": model.credit,
        "source": model.source,
        "content": model.content,
        "own_picture": None if model.picture is None else str(model.picture),
    }


def _check(message: Message) -> Answer:
    """What is wrong with a character's picture, as ``keywarp check`` says it."""
    from keywarp.core.check import check_picture
    from keywarp.core.head import HeadBox
    from keywarp.core.picture import read_picture
    from keywarp.core.render.performer import load_artwork

    who, model = _known(message)
    picture = read_picture(who.picture)
    art = load_artwork(who, model)
    head = None if who.head is None else HeadBox(*who.head)
    findings = check_picture(
        picture, head, art.framing, model.head, model.side, who.model_named, who.hd_picture
    )
    return {"warnings": list(picture.warnings), "findings": [asdict(finding) for finding in findings]}


def _provenance(message: Message) -> Answer:
    """What a character's frames say about where they came from, by keyword, as all files of keywarp have it."""
    from keywarp.core.render.provenance import provenance_of

    return {"fields": provenance_of(*_known(message)).fields()}


def _models(message: Message) -> Answer:
    from keywarp.core.models.registry import installed_models, model_folders

    found: list[Answer] = []
    for name, path, model in installed_models():
        if isinstance(model, KeywarpError):
            found.append({"name": name, "path": str(path), "error": str(model)})
        else:
            found.append({"name": name, "path": str(path), **_model(model.info)})
    return {"models": found, "folders": [str(folder) for folder in model_folders()]}


def _cache(message: Message) -> Answer:
    """Folder and bytes of what is kept between runs; ``clear``: remove it, and say how much that freed."""
    from keywarp.core.runtime.cache import cache_entries, cache_folder, clear_cache

    freed = clear_cache() if message.get("clear") is True else 0
    return {"folder": str(cache_folder()), "bytes": sum(size for _, size in cache_entries()), "freed": freed}
