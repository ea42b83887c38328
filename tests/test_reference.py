"""The documentation: the reference is what --help says, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
import typer
from script_modules import load_script

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(ROOT / "scripts" / "write_reference.py")


def test_the_reference_is_what_help_says(script: ModuleType) -> None:
    """After a change of options: python scripts/write_reference.py."""
    (pinned,) = set(
        re.findall(r"^typer==([\d.]+).*>=", (ROOT / "constraints.txt").read_text(), re.M)
    )
    if typer.__version__ != pinned:
        pytest.skip(f"the page is written with typer {pinned}")
    written = script.FILE.read_text().split("\n## ")
    now = script.reference().split("\n## ")
    assert [part.splitlines()[0] for part in written] == [part.splitlines()[0] for part in now]
    stale = [new.splitlines()[0] for old, new in zip(written, now, strict=True) if old != new]
    assert stale == [], "run: python scripts/write_reference.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", text):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            titles = re.findall("^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor[1:] in [_anchor(title) for title in titles], target + anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_options_that_a_page_names_exist(page: Path, script: ModuleType) -> None:
    known = set(re.findall(r"--[a-z][a-z-]*", script.reference()))
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.lstrip("$ ").removeprefix("sudo ").startswith("mien "):
                command = re.split(" # | \\| ", line)[0]
                assert set(re.findall(r" (--[a-z][a-z-]*)", command)) <= known, line


def _anchor(title: str) -> str:
    """Return a title's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
