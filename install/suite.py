# SPDX-License-Identifier: GPL-3.0-or-later
"""The test run: its environments, its steps, and the count at its end."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Callable, Optional, TextIO, Union

from install import environments, system_programs
from install.console import REPOSITORY, SetupError, capture, run, say, section
from install.environments import Recipe
from install.interpreters import HOST, Interpreter, find

BLENDERS = {"4.5.15": (3, 11), "5.0.1": (3, 11), "5.2.3": (3, 13)}
"""The Blenders whose answers ours are held against, as Python packages, with their Pythons."""
FULL_ONLY = ("5.0.1",)
BLENDER_MACHINES = (("linux", "x86_64"), ("win32", "AMD64"), ("darwin", "arm64"))
OLD_WORLD = ("numpy==1.26.*", "opencv-python-headless<5")
"""Blender's numpy until 5.0, and the OpenCV of its time."""
OLD_WORLD_PYTHONS = ((3, 12), (3, 11))
NEWEST_PYTHON = "3.14"
LANES = 2
"""Parts of the tests that run at the same time: each waits for other programs now and then."""
PARTS: dict[str, tuple[str, ...]] = {
    "Blender": ("tests/plugin/blender",),
    "core": ("tests/core", "--ignore", "tests/core/models", "--ignore", "tests/core/training"),
    "models and training": ("tests/core/models", "tests/core/training"),
    "command line and OBS": ("tests/plugin", "--ignore", "tests/plugin/blender"),
    "the rest": ("tests", "--ignore", "tests/core", "--ignore", "tests/plugin"),
}
"""Parts of the tests in the main environment: everything once, the longest first."""
MOST_AGAIN = 5
"""Failed tests of a part that are asked again, alone."""
HOST_PARTS = {"keyframes": ("live",)}
"""What hosts copy into their own Python, each with the sub-folders that stay out."""

Command = Union[Callable[[], int], Sequence[object]]
"""A step's part: a program with its arguments, or a function that gives an exit status."""

_DEPENDENCIES = """
import json, pathlib, sys, tomllib
print(json.dumps(tomllib.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]["dependencies"]))
"""


@dataclass(frozen=True)
class Counts:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_counts(report: Path, status: int) -> Counts:
    """The counts of a JUnit report; a run that failed without a failed test counts as one."""
    counts = Counts()
    try:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        for each in suites:
            failed = int(each.get("failures", 0)) + int(each.get("errors", 0))
            skipped = int(each.get("skipped", 0))
            counts += Counts(max(0, int(each.get("tests", 0)) - failed - skipped), failed, skipped)
    except (OSError, ElementTree.ParseError):
        pass
    if status != 0 and counts.failed == 0:
        return replace(counts, failed=1)
    return counts


def copy_host_parts(repository: Path, site_packages: Path) -> None:
    """Put the parts that hosts copy where an environment imports them from, in place of older copies."""
    for part, without in HOST_PARTS.items():
        target = site_packages / "keywarp" / part
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(repository / part, target, ignore=shutil.ignore_patterns("__pycache__", *without))


def blenders_to_try(full: bool) -> list[str]:
    return [version for version in BLENDERS if full or version not in FULL_ONLY]


@dataclass(frozen=True)
class Part:
    """Some of the tests, and the Python that runs them."""

    name: str
    python: Path
    arguments: tuple[str, ...]

    @property
    def cache(self) -> str:
        """The name of the folder in which pytest keeps what failed."""
        return f"pytest-{self.name.replace(' ', '-').replace('/', '-')}"


@dataclass
class Suite:
    """One run of the suite; its methods are its steps."""

    interpreter: Interpreter
    full: bool
    torch: str
    """"cpu" or "cuda"."""
    torch_index: str = ""
    counts: dict[str, Counts] = field(default_factory=dict)
    """Of each part of the tests."""
    steps: list[tuple[str, bool, float]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    python: Path = Path()
    blender_pythons: list[Path] = field(default_factory=list)
    host_python: Optional[Path] = None
    cache: str = ""
    """The folder of what keywarp prepares once, for all runs in the main environment."""
    again: list[str] = field(default_factory=list)
    """Tests that failed beside others and passed alone."""
    others: list[Part] = field(default_factory=list)
    """What runs in other environments than the main one."""

    def everything(self) -> None:
        """All steps; one that fails does not keep the next from running."""
        self.main_environment()
        with ThreadPoolExecutor() as pool:
            others = pool.submit(self.other_environments)
            self.linters()
            self.step(f"the dependencies' wheels for Python {NEWEST_PYTHON}", self.newest_wheels)
            others.result()
        self.obs()
        self.cache = tempfile.mkdtemp()
        try:
            self.tests()
        finally:
            shutil.rmtree(self.cache, ignore_errors=True)

    def other_environments(self) -> None:
        self.blenders()
        self.old_world()
        self.host_parts()

    def leave_out(self, what: str, why: str) -> None:
        say(f"left out: {what}: {why}")
        self.left_out.append(f"{what}: {why}")

    def step(self, name: str, *commands: Command, log: Optional[TextIO] = None) -> bool:
        """Run commands, or functions that give an exit status, in order until one fails."""
        section(name, log)
        start = time.monotonic()
        good = True
        for command in commands:
            try:
                status = command() if callable(command) else run(command, cwd=REPOSITORY)
            except SetupError as error:
                say(str(error))
                status = 1
            good = good and status == 0
        self.steps.append((name, good, time.monotonic() - start))
        return good

    def environment(self, name: str, recipe: Recipe) -> Optional[Path]:
        """Make an environment as a step of its own; its Python, None where that failed."""
        made: list[Path] = []

        def make() -> int:
            made.append(environments.ensure(recipe))
            return 0

        return made[0] if self.step(name, make) else None

    def main_environment(self) -> None:
        """The environment of everyday use, with the test tools, and torch where it can be had."""
        section("main environment")
        start = time.monotonic()
        extras = ("test", "cuda") if self.torch == "cuda" else ("test",)
        recipe = Recipe("", self.interpreter, keywarp=True, extras=extras, torch_index=self.torch_index)
        self.python = environments.ensure(recipe)
        self.with_torch(recipe)
        self.steps.append(
            (f"main environment, Python {_dotted(self.interpreter.minor)}", True, time.monotonic() - start)
        )

    def with_torch(self, recipe: Recipe) -> None:
        try:
            environments.ensure(replace(recipe, torch=self.torch))
        except SetupError as error:
            self.leave_out("tests that need torch", str(error))

    def linters(self) -> None:
        ruff, mypy = [self.python, "-m", "ruff"], [self.python, "-m", "mypy", "--strict"]
        self.step("ruff", [*ruff, "check", "."], [*ruff, "format", "--check", "."])
        packages = ("keywarp.keyframes", "keywarp.core", "install")
        self.step("mypy", [*mypy, *(part for package in packages for part in ("-p", package))])

    def newest_wheels(self) -> int:
        """Whether pip finds a whole set of wheels for the newest Python, without taking any."""
        names = json.loads(capture([self.python, "-c", _DEPENDENCIES, REPOSITORY / "pyproject.toml"]).stdout)
        with tempfile.TemporaryDirectory() as folder:
            options = ["--quiet", "--dry-run", "--only-binary=:all:", "--target", folder]
            return run(
                [self.python, "-m", "pip", "install", *options, "--python-version", NEWEST_PYTHON, *names]
            )

    def host_parts(self) -> None:
        """What hosts load, in the oldest Python among them."""
        dotted = _dotted(HOST)
        interpreter = find(HOST)
        if interpreter is None:
            self.leave_out(f"the hosts' parts on Python {dotted}", "there is no such Python here")
            return
        recipe = Recipe(f"python-{dotted}", interpreter, ("numpy", "hypothesis", "pytest", "scipy"))
        python = self.environment(f"environment with Python {dotted}", recipe)
        if python is not None:
            answer = capture([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
            copy_host_parts(REPOSITORY, Path(answer.stdout.strip()))
            self.host_python = python  # for the tests of what hosts copy as plain files
            arguments = ("tests/keyframes", "-m", "not slow", "--ignore", "tests/keyframes/live")
            self.others.append(Part(f"the hosts' parts on Python {dotted}", python, arguments))

    def old_world(self) -> None:
        """The suite with the oldest numpy and OpenCV that we promise; the quick part of it, unless full."""
        name = "numpy 1.26 and OpenCV 4"
        choices = (
            [self.interpreter]
            if self.interpreter.minor in OLD_WORLD_PYTHONS
            else map(find, OLD_WORLD_PYTHONS)
        )
        interpreter = next((found for found in choices if found is not None), None)
        if interpreter is None:
            self.leave_out(name, "numpy 1.26 needs Python 3.11 or 3.12, and neither is here")
            return
        recipe = Recipe("numpy-1.26", interpreter, OLD_WORLD, True, ("test",), torch_index=self.torch_index)
        python = self.environment(f"environment with {name}", recipe)
        if python is None:
            return
        if self.full:
            self.with_torch(recipe)
        quick = ("tests/core", "tests/keyframes", "tests/plugin/cli", "-m", "not slow")
        self.others.append(Part(f"tests with {name}", python, ("tests",) if self.full else quick))

    def blenders(self) -> None:
        """An environment per Blender, for the tests that ask it."""
        machine = (sys.platform, platform.machine())
        for version in blenders_to_try(self.full):
            name = f"Blender {version}"
            interpreter = find(BLENDERS[version]) if machine in BLENDER_MACHINES else None
            if machine not in BLENDER_MACHINES:
                self.leave_out(name, f"it has no package for {' '.join(machine)}")
            elif interpreter is None:
                self.leave_out(name, f"it needs Python {_dotted(BLENDERS[version])}, which is not here")
            else:
                recipe = Recipe(f"blender-{version}", interpreter, (f"bpy=={version}",))
                python = self.environment(name, recipe)
                self.blender_pythons += [python] if python is not None else []
        for version in FULL_ONLY if not self.full else ():
            self.leave_out(f"Blender {version}", "only `test --full` asks it")

    def tests(self) -> None:
        """The whole suite in the main environment, and what runs in the others: some parts at a time, but one by
        one in a full run, which measures time. What failed beside others is asked again, alone."""
        main = [Part(f"tests: {name}", self.python, arguments) for name, arguments in PARTS.items()]
        parts = [*main, *self.others]
        if self.full:
            for part in parts:
                self.run_part(part)
            return
        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(self.run_part_quietly, parts))
        for part in parts:
            self.ask_again(part)

    def run_part(self, part: Part, log: Optional[TextIO] = None) -> bool:
        return self.step(part.name, partial(self.pytest, part, log), log=log)

    def run_part_quietly(self, part: Part) -> None:
        """What it prints follows when it has ended, since others run at the same time."""
        say(f"started: {part.name}")
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            self.run_part(part, log)
            log.seek(0)
            say(log.read())

    def ask_again(self, part: Part) -> None:
        """Run the few tests of a part that failed beside others once more, alone. What is broken fails again; what
        was only starved of its turn passes, and the summary says so."""
        failed, before = self.failed_tests(part), self.counts[part.name]
        if not 0 < len(failed) <= MOST_AGAIN or before.failed != len(failed):
            return
        place = next(i for i, (name, _, _) in enumerate(self.steps) if name == part.name)
        again = replace(part, arguments=(*part.arguments, "--last-failed"))
        if self.step(f"once more, alone: {part.name}", partial(self.pytest, again)):
            name, _, seconds = self.steps[place]
            self.steps[place] = (name, True, seconds)
            self.again += failed
            self.counts[part.name] = Counts(before.passed + len(failed), 0, before.skipped)
        else:
            self.counts[part.name] = before

    def failed_tests(self, part: Part) -> list[str]:
        """As pytest has kept them."""
        try:
            kept = (Path(self.cache) / part.cache / "v/cache/lastfailed").read_text(encoding="utf-8")
        except OSError:
            return []
        return list(json.loads(kept))

    def obs(self) -> None:
        """OBS and a virtual screen, for the tests that start it."""
        absent = system_programs.missing(system_programs.OBS)
        if not absent:
            return
        name, needed = "the tests in OBS", " and ".join(absent)
        if not system_programs.may_install():
            packages = " ".join(system_programs.OBS.values())
            self.leave_out(name, f"{needed} not found (Debian, Ubuntu: apt-get install {packages}, as root)")
            return
        section("OBS and Xvfb")
        if system_programs.install(system_programs.OBS) != 0:
            self.leave_out(name, f"{needed} could not be installed")

    def pytest(self, part: Part, log: Optional[TextIO] = None) -> int:
        """Run pytest, and add to the counts; its exit status."""
        extra = {
            "KEYWARP_BLENDER_PYTHONS": os.pathsep.join(map(str, self.blender_pythons)),
            "OMP_WAIT_POLICY": "PASSIVE",  # torch's threads would spin while they wait, on cores that others need
        }
        if self.host_python is not None:
            extra["KEYWARP_HOST_PYTHON"] = str(self.host_python)
        if part.python == self.python and self.cache:
            extra["KEYWARP_TEST_CACHE"] = self.cache
        if self.full:
            extra["KEYWARP_TEST_FULL"] = "1"
        elif part.python != self.python:
            extra["KEYWARP_TEST_BRIEF"] = "1"
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [part.python, "-m", "pytest", "-q", "--durations=10", f"--junitxml={report}"]
            if self.cache:
                command += ["-o", f"cache_dir={Path(self.cache) / part.cache}"]
            status = run([*command, *part.arguments], extra, REPOSITORY, log)
            self.counts[part.name] = read_counts(report, status)
            return status

    def pytest_with(self, arguments: Sequence[str]) -> None:
        """Run pytest alone, with the Blenders whose environments are there already."""
        for version in BLENDERS:
            python = environments.python_of(REPOSITORY / f".venv-blender-{version}")
            if python.is_file():
                self.blender_pythons.append(python)
            else:
                self.left_out.append(f"Blender {version}: a run without arguments makes its environment")
        self.left_out.append("all but pytest in the main environment: pytest was given arguments")
        self.run_part(Part("tests", self.python, tuple(arguments)))

    @property
    def total(self) -> Counts:
        return sum(self.counts.values(), Counts())

    def status(self) -> int:
        """0 where every step was good and tests have run, else 1."""
        return 0 if all(good for _, good, _ in self.steps) and self.total.passed else 1

    def summary(self) -> str:
        lines = ["\n== summary"]
        lines += [
            f"{'good  ' if good else 'FAILED'} {seconds:6.0f} s  {name}" for name, good, seconds in self.steps
        ]
        lines += [f"failed beside other tests, passed alone: {test}" for test in self.again]
        lines += [f"left out: {text}" for text in self.left_out]
        return "\n".join([*lines, "", str(self.total)])


def _dotted(minor: tuple[int, int]) -> str:
    return f"{minor[0]}.{minor[1]}"
