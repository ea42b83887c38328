"""Options of `mien run` from a file and from the environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
import typer
from mien import config
from mien.commands.run import run
from mien.config import configured, parameters, read_settings
from mien.errors import UserError
from running import BOTH, CLIP
from typer.testing import CliRunner

Mien = Callable[..., tuple[int, str, str]]


def sample(
    source: Annotated[str, typer.Argument()] = "auto",
    count: Annotated[int, typer.Option(min=1, max=9)] = 1,
    rate: Annotated[float | None, typer.Option()] = None,
    folder: Annotated[Path | None, typer.Option()] = None,
    window: Annotated[bool, typer.Option("--window")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    on: Annotated[list[str] | None, typer.Option("--on")] = None,
    max_frames: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Print what came."""
    print(json.dumps([source, count, rate, folder and str(folder), window, as_json, on]))
    if max_frames is not None:
        raise UserError("--max-frames is wrong; leave it out.")


@pytest.fixture(autouse=True)
def no_system_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "CONFIG", tmp_path / "etc.toml")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def to_file(text: str) -> str:
        file = tmp_path / "mien.toml"
        file.write_text(text)
        return str(file)

    return to_file


def called(*words: str, env: dict[str, str] | None = None) -> list[object]:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(configured(sample))
    done = CliRunner().invoke(app, words, env=env, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_each_place_goes_before_the_next(write: Callable[[str], str]) -> None:
    file = write("count = 2\nrate = 2\nwindow = true\n")
    assert called()[1:3] == [1, None]  # the defaults
    assert called("--config", file) == ["auto", 2, 2.0, None, True, False, None]
    env = {"MIEN_COUNT": "3", "MIEN_WINDOW": "no"}
    assert called("--config", file, env=env) == ["auto", 3, 2.0, None, False, False, None]
    assert called("--count", "4", "--config", file, env=env)[1] == 4


def test_every_kind_of_value_comes_through(write: Callable[[str], str]) -> None:
    file = write(
        'source = "usb:1"\nfolder = "/tmp/x"\njson = true\non = ["a b", "c"]\nrate = 0.5\n'
    )
    assert called("--config", file) == [
        "usb:1",
        1,
        0.5,
        "/tmp/x",
        False,
        True,
        ["a b", "c"],
    ]
    env = {"MIEN_SOURCE": "x.mp4", "MIEN_FOLDER": "y", "MIEN_JSON": "1", "MIEN_ON": "a b\nc\n"}
    assert called(env=env) == ["x.mp4", 1, None, "y", False, True, ["a b", "c"]]


def test_the_command_line_names_the_source(write: Callable[[str], str]) -> None:
    file = write('source = "usb:1"\n')
    assert called("clip.mp4", "--config", file, env={"MIEN_SOURCE": "x.mp4"})[0] == "clip.mp4"


def test_the_systems_file_is_read_unless_told_not_to(
    write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CONFIG", Path(write("count = 5\n")))
    assert called()[1] == 5
    assert called("--config", "none")[1] == 1
    assert called(env={"MIEN_CONFIG": "none"})[1] == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("count = 2\n\ncuont = 3\n", 3, "did you mean count"),
        ("# a\ncount = 0\n", 2, "count is 0, and takes a whole number from 1 up to 9"),
        ("count = 2.5\n", 1, "a whole number"),
        ("rate = nan\n", 1, "a number"),
        (f"source = 'a'\nrate = {'9' * 400}\n", 2, "a number"),
        (f"source = 'a'\nrate = {'9' * 5000}\n", 2, "too many digits"),
        (f"source = 'a'\n\non = {'[' * 3000}{']' * 3000}\n", 3, "nested too deeply"),
        ("max-frames = 99999999999\n", 1, "a whole number up to 2147483647"),
        (f'window = "{"x" * 9000}\u0085"\n', 1, "true or false"),
        ("count = true\n", 1, "a whole number"),
        ('rate = "fast"\n', 1, "a number"),
        ("window = 1\n", 1, "true or false"),
        ("source = 0\n", 1, "a text in quotes"),
        ('on = "sad"\n', 1, "a list"),
        ("on = [1]\n", 1, "a list"),
        ("count = 2\n[run]\nrate = 3\n", 2, "there is no option run"),
        ("count = 2\nrate = \n", 2, "Invalid value"),
        ("count = 2\ncount = 3\n", 2, "overwrite"),
        ('source = """\ncount = 1\n"""\ncount = 44\n', 4, "count is 44"),
        ('on = [\n  "a",\n]\n"window" = 3\n', 4, "window is 3"),
        ('source = "a\n', 1, ""),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    write: Callable[[str], str], text: str, line: int, words: str
) -> None:
    file = write(text)
    with pytest.raises(UserError) as refusal:
        read_settings(sample, file, {})
    assert str(refusal.value).startswith(f"{file}, line {line}: ")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"), [("MIEN_COUNT", "x"), ("MIEN_COUNT", "10"), ("MIEN_WINDOW", "perhaps")]
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(UserError, match=f"environment variable {name} is '{value}'"):
        read_settings(sample, None, {name: value})


def test_a_refusal_says_where_the_option_was_set(write: Callable[[str], str]) -> None:
    file = write("# nothing\nmax-frames = 3\n")
    for words, env, place in (
        (["--config", file], {}, f"(max-frames is set in {file}, line 2)"),
        ([], {"MIEN_MAX_FRAMES": "3"}, "(max-frames is set in the environment variable MIEN_MAX_"),
        (["--max-frames", "3", "--config", file], {}, None),
    ):
        with pytest.raises(UserError) as refusal:
            called(*words, env=env)
        if place is None:
            assert str(refusal.value) == "--max-frames is wrong; leave it out."
        else:
            assert place in str(refusal.value)


def test_every_option_of_run_is_known_with_its_type() -> None:
    known = parameters(run)
    shown = CliRunner().invoke(_app(), ["--help"], env={"COLUMNS": "200"}).stdout
    options = set(re.findall("^  --([a-z-]+)", shown, re.MULTILINE))
    assert "max-frames" in options
    for name in options - {"help", "config"}:
        assert name in known, name
    assert known["max-frames"].kind is int
    assert known["csv"].kind is Path
    assert known["window"].kind is bool
    assert known["source"].variable == "MIEN_SOURCE"
    # A kind that is not understood would let everything through.
    vague = [k for k, one in known.items() if not isinstance(one.kind, type)]
    assert vague == []


def test_a_file_that_this_user_may_not_read_is_said_and_not_used(
    mien: Mien, write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(write("max-frames = 3\n"))
    monkeypatch.setattr(config, "CONFIG", file)
    access = os.access
    monkeypatch.setattr(  # root may read everything
        os, "access", lambda path, mode: path != file and access(path, mode)
    )
    code, out, err = mien("run", CLIP, "--max-frames", 2)
    assert (code, "frames                   2" in out) == (0, True)
    assert err.count(f"{file} cannot be read by this user") == 1
    assert "with the options of" not in err
    assert mien("run", CLIP, "--max-frames", 2, "--config", "none")[2] == ""


def _app() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command()(configured(run))
    return app


def test_mien_run_takes_its_options_from_a_file(
    mien: Mien, write: Callable[[str], str], tmp_path: Path
) -> None:
    out = tmp_path / "faces.jsonl"
    file = write(f'source = "{CLIP}"\nmax-frames = 3\njsonl = "{out}"\n')
    code, _, err = mien("run", "--config", file)
    assert (code, err) == (0, "")
    assert len(out.read_text().splitlines()) == 3
    for text, words in (("thread = 2\n", "line 1: there is no option thread"), ("", "")):
        code, _, err = mien("run", "--config", write(text) if text else str(tmp_path / "no.toml"))
        assert code == 2
        assert err.startswith("mien: ")
        assert words in err
        assert len(err.splitlines()) == 1


def test_a_variable_that_no_option_has_is_named(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, model_path: Path
) -> None:
    monkeypatch.setenv("MIEN_MAX_FRAME", "3")
    monkeypatch.setenv("MIEN_DEBUG", "0")
    code, _, err = mien("run", BOTH, "--config", "none", "--model", model_path)
    assert code == 0
    assert "MIEN_MAX_FRAME is not used; did you mean MIEN_MAX_FRAMES." in err
    assert "MIEN_DEBUG" not in err
