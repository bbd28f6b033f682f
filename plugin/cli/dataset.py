# SPDX-License-Identifier: GPL-3.0-or-later
"""``keywarp dataset``: photographs of 3D characters with their true motion, for training and for scores."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from keywarp.keyframes.errors import KeywarpError
from keywarp.plugin.cli.terminal import columns, note, notes, progress, say

if TYPE_CHECKING:
    from keywarp.core.studio.dataset import Character, Order

dataset = typer.Typer(
    rich_markup_mode=None,
    help="Photograph 3D characters with their true motion, for training and for scores.",
)


class SchemeName(str, Enum):
    animeceleb = "animeceleb"
    animeceleb_gaze = "animeceleb-gaze"
    anitalk = "anitalk"
    tha45 = "tha45"


class StyleName(str, Enum):
    flat = "flat"
    cel = "cel"
    soft = "soft"
    outline = "outline"


class Framing(str, Enum):
    head = "head"
    bust = "bust"
    tha = "tha"


Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="CHARACTER...", help=".pmx, .pmd, .vrm, .glb or .blend files, or folders that hold some."
    ),
]
Characters = Annotated[
    list[str],
    typer.Argument(
        metavar="CHARACTER...",
        help="Files or folders as for annotate; or generated:17, generated:0-199: characters by their seeds.",
    ),
]
Blender = Annotated[
    Optional[Path],
    typer.Option(
        "--blender",
        metavar="PATH",
        help="Blender, or a Python that has bpy; default: KEYWARP_BLENDER_PYTHONS, then blender on the path.",
    ),
]
Annotations = Annotated[
    Optional[Path],
    typer.Option(
        "--annotations", metavar="FOLDER", help="Where annotations lie, if not beside the characters."
    ),
]
SchemeOption = Annotated[SchemeName, typer.Option("--scheme", help="Which poses.")]
Count = Annotated[
    Optional[int],
    typer.Option("--count", min=1, help="Pictures of a character in each style; default: the scheme's own."),
]
Seed = Annotated[int, typer.Option("--seed", help="Other seeds draw other poses.")]
_KINDS = (".pmx", ".pmd", ".npz", ".vrm", ".glb", ".gltf", ".blend")
_SHOWN = 6
"""Channels that a line of a pose names."""


@dataset.command()
def annotate(
    characters: Files,
    out: Annotated[
        Optional[Path],
        typer.Option("-o", "--out", metavar="FOLDER", help="Where to write; default: beside the characters."),
    ] = None,
    blender: Blender = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Match the names anew, where there is an annotation already.")
    ] = False,
) -> None:
    """Match morphs to pose channels by their names; write sheets and pages on which to correct that."""
    from keywarp.core.studio.dataset import annotation_file, open_character

    done = 0
    for path in _files(characters):
        try:
            file = annotation_file(path, out)
            file.parent.mkdir(parents=True, exist_ok=True)
            if overwrite:
                file.unlink(missing_ok=True)
            character = open_character(path, exporter(path, blender), out)
            notes(character.figure.notes)
            _write_annotation(character, file)
        except (KeywarpError, OSError) as error:
            note(f"left out: {error}")
            continue
        say(
            f"{file}: {len(character.annotation)} channels, {character.targets} of AnimeCeleb's 23 target morphs"
        )
        done += 1
    _some(done)


def _write_annotation(character: Character, file: Path) -> None:
    import cv2
    import yaml

    from keywarp.core.studio.annotate import to_yaml
    from keywarp.core.studio.inspection import contact_sheet, looks, page

    said = to_yaml(character.annotation, character.licence, character.credit)
    stem = file.name.removesuffix(".yaml")
    with progress("morphs") as advance:
        neutral, found = looks(character.figure, character.annotation, advance)
    sheet = contact_sheet(character.identity, neutral, found)
    _, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    web = page(
        character.figure.name,
        file.name,
        character.annotation,
        neutral,
        found,
        character.licence,
        character.credit,
    )
    _replace(file.with_name(f"{stem}.png"), data.tobytes())
    _replace(file.with_name(f"{stem}.html"), web.encode())
    if not file.exists():
        text = yaml.safe_dump(said, allow_unicode=True, sort_keys=False)
        _replace(file, text.encode())


def _replace(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_bytes(data)
    unfinished.replace(path)


@dataset.command()
def generate(
    characters: Annotated[
        list[str], typer.Argument(metavar="WORD...", help="generated:17, or generated:0-199.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where to write.")],
    size: Annotated[
        int, typer.Option("--size", min=128, max=4096, help="For what size of pictures it is painted.")
    ] = 1024,
    blend: Annotated[
        bool, typer.Option("--blend", help="Build it in Blender, too: armature, shape keys, materials.")
    ] = False,
    blender: Blender = None,
) -> None:
    """Write generated characters as figures, .npz, which dataset reads, or as scenes of Blender's."""
    from keywarp.core.studio.figure_file import write_figure
    from keywarp.core.studio.generator.source import generated_character, seeds
    from keywarp.core.studio.load import run_blender

    builder = _blender("build", blender) if blend else None
    if blend and builder is None:
        raise KeywarpError("there is no Blender that could build scenes; name one with --blender")
    out.mkdir(parents=True, exist_ok=True)
    for seed in [seed for word in characters for seed in seeds(word)]:
        character = generated_character(seed, size)
        path = out / f"{character.identity}.npz"
        write_figure(path, character.figure)
        say(str(path))
        if builder is not None:
            scene = path.with_suffix(".blend")
            run_blender([*map(str, builder), str(path.resolve()), str(scene.resolve())], path)
            say(str(scene))


@dataset.command()
def sample(
    characters: Characters,
    scheme: SchemeOption = SchemeName.animeceleb_gaze,
    count: Count = None,
    seed: Seed = 0,
    blender: Blender = None,
    annotations: Annotations = None,
) -> None:
    """Show the poses that a scheme draws for characters, a line each."""
    from keywarp.core.studio.dataset import plan
    from keywarp.keyframes.spaces import space

    order = _order(scheme, [StyleName.flat], 256, Framing.head, count, seed)
    done = 0
    for source in _sources(characters, blender, annotations, order.side):
        try:
            character = source.open()
        except (KeywarpError, OSError) as error:
            note(f"left out: {error}")
            continue
        names, rest = space(order.scheme.space).names, order.scheme.rest()
        for task in plan(character, order):
            moved = [
                f"{name} {value:.2f}"
                for name, value, at_rest in zip(names, task.draw.pose, rest, strict=True)
                if value != at_rest
            ]
            more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
            say(f"{task.key} {task.draw.group}: {', '.join(moved[:_SHOWN]) or 'at rest'}{more}")
        done += 1
    _some(done)


@dataset.command()
def render(
    characters: Characters,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FOLDER", help="The data set; it is continued.")
    ],
    scheme: SchemeOption = SchemeName.animeceleb_gaze,
    style: Annotated[
        Optional[list[StyleName]],
        typer.Option("--style", help="May be given several times; default: all four."),
    ] = None,
    size: Annotated[int, typer.Option("--size", min=128, max=4096, help="Pixels to a side.")] = 256,
    framing: Annotated[
        Framing, typer.Option("--framing", help="What is seen of the character.")
    ] = Framing.head,
    stages: Annotated[
        bool,
        typer.Option(
            "--stages",
            help="Photograph the steps between rest and pose, too, for `train tha`: --scheme tha45, --framing tha.",
        ),
    ] = False,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers", help="Keep depth, bones and shapes of the rest picture, too, for `train ldi`."
        ),
    ] = False,
    count: Count = None,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Pictures at a time.")] = 2,
    per_shard: Annotated[
        int, typer.Option("--per-shard", min=1, help="Pictures in a shard, which is what a crash may lose.")
    ] = 200,
    blender: Blender = None,
    annotations: Annotations = None,
) -> None:
    """Photograph characters into the shards that networks are trained on. A broken-off run is continued."""
    from keywarp.core.studio.dataset import photograph
    from keywarp.core.training.shards import ShardWriter

    if out.exists() and not out.is_dir():
        raise KeywarpError(f"{out} is a file; the data set is a folder")
    order = _order(scheme, style or list(StyleName), size, framing, count, seed, stages, layers)
    left_out: dict[str, str] = {}
    owners: dict[str, str] = {}
    added = 0
    with ShardWriter(out, "photographs", per_shard) as writer:
        for source in _sources(characters, blender, annotations, size):
            try:
                character = source.open()
                if owners.setdefault(character.identity, source.path) != source.path:
                    raise KeywarpError(
                        f"{source.path}: {owners[character.identity]} has the same name; rename one"
                    )
                with progress(character.identity) as advance:
                    added += photograph(character, order, writer, workers, advance)
            except (KeywarpError, OSError) as error:
                note(f"left out: {error}")
                left_out[source.name] = str(error)
    if not writer.written:
        raise KeywarpError("none of the characters could be photographed")
    _write_card(out, left_out)
    say(f"{out}: {added} photographs added, {len(writer.written)} in all")


def _write_card(folder: Path, left_out: dict[str, str]) -> None:
    import cv2

    from keywarp.core.studio.card import CARD, PICTURE, card, contents, picture

    found = contents([folder])
    _, data = cv2.imencode(".png", cv2.cvtColor(picture(found), cv2.COLOR_RGB2BGR))
    _replace(folder / PICTURE, data.tobytes())
    command = shlex.join(["keywarp", *sys.argv[1:]])
    _replace(folder / CARD, card(found, left_out, command).encode())


@dataset.command()
def show(
    shards: Annotated[list[Path], typer.Argument(metavar="SHARDS...", help="Folders of shards, or shards.")],
    out: Annotated[
        Optional[Path],
        typer.Option("-o", "--out", metavar="OUT", help="Draw some of it into this .png file."),
    ] = None,
) -> None:
    """Count what a data set holds, and draw some of it."""
    from keywarp.core.studio.card import contents, picture

    if out is not None and out.suffix.lower() != ".png":
        raise KeywarpError(f"{out}: the picture is written as .png")
    found = contents(shards)
    say(f"{found.samples} samples of {len(found.identities)} characters")
    rows = [(f"{side} x {side} pixels", str(count)) for side, count in sorted(found.sides.items())]
    rows += [(f"pose space {name}", str(count)) for name, count in sorted(found.spaces.items())]
    for kind, counter in found.by.items():
        rows += [(f"{kind} {name}", str(count)) for name, count in sorted(counter.items())]
    rows += [
        (who, f"{counter.total()} ({found.rights[who][0] or 'licence not stated'})")
        for who, counter in sorted(found.identities.items())
    ]
    columns(rows, indent="  ")
    if out is not None:
        import cv2

        _, data = cv2.imencode(".png", cv2.cvtColor(picture(found), cv2.COLOR_RGB2BGR))
        _replace(out, data.tobytes())
        say(str(out))


def _order(
    scheme: SchemeName,
    styles: Sequence[StyleName],
    size: int,
    framing: Framing,
    count: int | None,
    seed: int,
    stages: bool = False,
    layers: bool = False,
) -> Order:
    from keywarp.core.studio.dataset import Order
    from keywarp.core.studio.sampling import scheme as named

    chosen = tuple(dict.fromkeys(style.value for style in styles))
    return Order(named(scheme.value), chosen, size, framing.value, count, seed, stages, layers)


@dataclass(frozen=True)
class _Source:
    """Where a character comes from."""

    path: str
    name: str
    open: Callable[[], Character]


def _sources(
    words: Sequence[str], blender: Path | None, annotations: Path | None, side: int
) -> Iterator[_Source]:
    """The characters that are meant: generated ones by their seeds, files, and what folders hold."""
    from keywarp.core.studio.dataset import open_character
    from keywarp.core.studio.generator.source import WORD, generated_character, seeds

    def from_file(path: Path) -> Character:
        return open_character(path, exporter(path, blender), annotations)

    named = [(word, seeds(word) if word.startswith(WORD) else None) for word in words]
    for word, several in named:
        if several is None:
            for path in _files([Path(word)]):
                yield _Source(str(path), path.name, partial(from_file, path))
        for seed in several or ():
            yield _Source(f"{WORD}{seed}", f"{WORD}{seed}", partial(generated_character, seed, side))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The characters that are meant: files, and what folders hold."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in _KINDS)
        if not found:
            note(f"{path}: there is no 3D character in it ({', '.join(_KINDS)})")
        yield from found


def _some(done: int) -> None:
    if not done:
        raise KeywarpError("none of the characters could be used")


def exporter(path: Path, blender: Path | None) -> list[str | Path] | None:
    """The command that opens a file with Blender; ``None`` where there is no Blender, or none is needed."""
    from keywarp.core.studio.load import BY_BLENDER

    return _blender("export", blender) if path.suffix.lower() in BY_BLENDER else None


def _blender(script_name: str, blender: Path | None) -> list[str | Path] | None:
    """The command that runs one of the scripts for Blender; ``None`` where there is no Blender."""
    told = [each for each in os.environ.get("KEYWARP_BLENDER_PYTHONS", "").split(os.pathsep) if each]
    program = blender or (Path(told[0]) if told else None) or _on_path("blender")
    if program is None:
        return None
    found = importlib.util.find_spec("keywarp.plugin.blender.studio")
    if found is None or found.origin is None:
        raise KeywarpError("this installation of keywarp lacks its part for Blender; install it anew")
    script = Path(found.origin).with_name(f"{script_name}.py")
    if program.name.lower().startswith(("python", "pypy")):
        return [program, "-s", script]
    return [program, "--background", "--factory-startup", "--python-exit-code", "1", "--python", script, "--"]


def _on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return None if found is None else Path(found)
