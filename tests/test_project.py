"""The project itself: one version, few base dependencies, a Makefile and README that are true."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
README = (ROOT / "README.md").read_text()
PYPROJECT = (ROOT / "pyproject.toml").read_text()
APPS = {"mien": "mien.cli", "mien-train": "mien_train.cli", "mien-convert": "mien_convert.cli"}
ONLY_FOR_TRAINING = {"tensorflow", "keras", "matplotlib", "scikit-learn", "scipy", "pillow", "h5py"}


def tracked() -> list[Path]:
    """Every file that git tracks, relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def closure(extras: set[str]) -> set[str]:
    """Names of all distributions that `mien[extras]` needs, as installed here."""
    found: set[str] = set()
    waiting = [Requirement(f"mien[{','.join(sorted(extras))}]")]
    while waiting:
        wanted = waiting.pop()
        try:
            requires = importlib.metadata.requires(wanted.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, requires):
            marker = requirement.marker
            chosen = marker is None or any(
                marker.evaluate({"extra": extra}) for extra in wanted.extras or {""}
            )
            name = canonicalize_name(requirement.name)
            if chosen and name not in found:
                found.add(name)
                waiting.append(requirement)
    return found


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # MAKEFLAGS and its like are set where make runs these tests, and would reach this make.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, capture_output=True, text=True, env=environment
    )


def test_the_version_stands_in_one_place() -> None:
    (version,) = re.findall(r'^version = "(.+)"$', PYPROJECT, re.MULTILINE)
    assert importlib.metadata.version("mien") == version
    sources = [path for path in tracked() if path.suffix == ".py" or path.name == "Makefile"]
    repeated = [
        str(path)
        for path in sources
        if path.parts[0] != "tests"
        and re.search(rf'__version__ *=|"{re.escape(version)}"', (ROOT / path).read_text())
    ]
    assert repeated == []


def test_the_base_install_is_the_devices_and_nothing_more() -> None:
    direct = {
        canonicalize_name(Requirement(line).name)
        for line in importlib.metadata.requires("mien") or []
        if "extra ==" not in line
    }
    assert direct - {"tomli"} == {"numpy", "opencv-python", "typer", "ai-edge-litert"}
    base = closure(set())
    assert {"numpy", "protobuf"} <= base  # the walk walks
    assert not base & ONLY_FOR_TRAINING


def test_the_device_loads_nothing_that_only_training_needs() -> None:
    code = (
        "import importlib, pkgutil, sys, mien\n"
        "for module in pkgutil.walk_packages(mien.__path__, 'mien.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "cv2" in loaded
    assert not loaded & {
        "tensorflow",
        "keras",
        "matplotlib",
        "sklearn",
        "scipy",
        "PIL",
        "mien_train",
    }


def test_the_constraints_pin_all_that_is_installed_and_hold_no_address() -> None:
    pinned: dict[str, list[Marker | None]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        assert re.fullmatch(r'[\w.-]+==[\w.]+(; python_version (<|>=) "3\.\d+")?', line), line
        requirement = Requirement(line)
        pinned.setdefault(canonicalize_name(requirement.name), []).append(requirement.marker)
    missing = {
        name
        for name in closure({"train", "jax", "dev", "web", "mqtt"})
        if sum(marker is None or marker.evaluate() for marker in pinned.get(name, [])) != 1
    }
    assert missing == set()


def test_make_help_lists_every_target() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    targets = [name for name in phony.split() if not name.startswith("need-")]
    listed = make("help")
    assert listed.returncode == 0
    assert [line.split()[1] for line in listed.stdout.splitlines()] == targets
    assert make().stdout == listed.stdout


@pytest.mark.parametrize("target", ["train", "convert"])
def test_make_says_where_to_get_the_data(target: str, tmp_path: Path) -> None:
    for data, words in (("", "msambare/fer2013"), (str(tmp_path / "none.zip"), "none.zip")):
        refused = make(target, f"DATA={data}", f"VENV={tmp_path / 'venv'}")
        assert refused.returncode == 2
        sentence = refused.stderr.splitlines()[0]
        assert sentence.startswith("mien: ")
        assert words in sentence
    assert list(tmp_path.iterdir()) == []  # refused before anything is installed


def test_an_unfit_python_is_refused_in_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --version ] && echo Python 3.9.2 && exit\n'
        f'exec {shlex.quote(sys.executable)} -c "import sys; sys.version_info = (3, 9, 2); $2"\n'
    )
    old.chmod(0o755)
    for python, words in ((str(old), "Python 3.9.2"), ("no-such-python", "no-such-python")):
        refused = make("setup", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
        assert refused.returncode == 2
        assert refused.stderr.startswith("mien: ")
        assert words in refused.stderr.splitlines()[0]
        assert not (tmp_path / "venv").exists()


def readme_commands() -> list[str]:
    """Every line of README.md's shell blocks that is a command of ours."""
    blocks = re.split(r"^```", README, flags=re.MULTILINE)[1::2]
    lines = [line for block in blocks if block.startswith("sh\n") for line in block.splitlines()]
    return [line for line in lines if re.match(r"(make|mien|mien-train|mien-convert)( |$)", line)]


def test_the_readmes_commands_exist() -> None:
    commands = readme_commands()
    assert {line.split()[0] for line in commands} >= {"make", "mien"}
    helps: dict[tuple[str, ...], str] = {}
    wrong = []
    for line in commands:
        words = shlex.split(line, comments=True)
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        if words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word]
            wrong += [line for name in targets if not re.search(rf"^{name}:.*##", MAKEFILE, re.M)]
            variables = [word.split("=")[0] for word in words if "=" in word]
            wrong += [line for name in variables if not re.search(rf"^{name} *\?=", MAKEFILE, re.M)]
            continue
        command = (words[0], *[word for word in words[1:2] if not word.startswith("-")])
        if words[0] == "mien-convert":  # it has no sub-commands
            command = command[:1]
        if command not in helps:
            app = importlib.import_module(APPS[command[0]]).app
            shown = CliRunner().invoke(app, [*command[1:], "--help"], env={"COLUMNS": "200"})
            assert shown.exit_code == 0, f"{line}: {shown.output}"
            helps[command] = shown.output
        known = set(re.findall(r"--[a-z][a-z-]*", helps[command]))
        wrong += [f"{line}: no {option}" for option in sorted(options - known)]
    assert wrong == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    hosts = [a + b for a, b in (("pypi", ".org"), ("pythonhosted", ".org"), ("registry.", "npmjs"))]
    hosts += [a + b for a, b in (("deb.", "debian.org"), ("piwheels", ".org"), ("--index", "-url"))]
    folders = re.compile(r"(?<![\w.~/-])/(work|root|home|Users)/\w")
    found = []
    for path in tracked():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {host}" for host in hosts if host in text]
        found += [f"{path}: {match.group()}" for match in folders.finditer(text)]
    assert found == []


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.splitlines()) <= 150
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_wheel_holds_model_and_demo_and_runs_where_it_is_unpacked(tmp_path: Path) -> None:
    source, out, place = tmp_path / "source", tmp_path / "out", tmp_path / "place"
    for path in tracked():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, source / path)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    built = subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(out), str(source)],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = out.iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(place)
    assert {
        "mien/py.typed",
        "mien/models/mien.tflite",
        "mien/models/mien.md",
        "mien/demo/clip.mp4",
        "mien/demo/portraits/both.jpg",
        "mien/demo/PROVENANCE.md",
        "mien/web/page/page.html",
        "mien/web/page/calibration.js",
        "mien/web/page/chart.js",
        "mien/web/page/page.js",
        "mien/cli.py",
        "mien_train/cli.py",
        "mien_convert/cli.py",
    } <= names
    tops = {name.partition("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {
        "mien",
        "mien_train",
        "mien_convert",
    }
    shown = subprocess.run(
        [sys.executable, "-c", "import mien.cli; print(mien.__file__); mien.cli.main()", "info"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(place)},
    )
    assert shown.returncode == 0, shown.stderr
    assert str(place) in shown.stdout.splitlines()[0]
    assert "happy" in shown.stdout
