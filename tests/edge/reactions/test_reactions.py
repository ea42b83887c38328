"""Reactions: rules, how long and how often, real commands and a real server."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made import LABELS
from mien.classification.prediction import Prediction
from mien.errors import UserError
from mien.pipeline.results import Face, FrameResult
from mien.reactions.matcher import RuleMatcher
from mien.reactions.output import ReactionsOutput
from mien.reactions.rules import parse_rule
from mien.reactions.runner import ActionRunner
from mien.sources.base import Change
from running import PATIENCE
from visiting import face, seen


def sad(p: float, id: int | None = 1) -> Face:
    rest = (1 - p) / (len(LABELS) - 1)
    values = {label: p if label == "sad" else rest for label in LABELS}
    emotion = "sad" if p > 0.4 else "neutral" if p < 0.3 else "uncertain"
    return Face((10, 10, 50, 50), Prediction(emotion, max(p, rest), values), id)


def times(condition: str, frames: list[tuple[float, list[Face]]]) -> list[float]:
    """Return the times at which a rule acts."""
    matcher = RuleMatcher(parse_rule(f"{condition}: true", LABELS))
    acted = []
    for index, (at, faces) in enumerate(frames):
        result = FrameResult(index, at, tuple(faces), {})
        acted += [at for _ in matcher.update(result)]
    return acted


def course(p: Callable[[float], float], end: float, step: float = 0.1) -> list:
    return [(round(i * step, 3), [sad(p(i * step))]) for i in range(round(end / step))]


def test_it_acts_once_it_has_lasted_and_once_only() -> None:
    assert times("sad>0.7 for 5s", course(lambda t: 0.8, 20)) == [5.0]
    assert times("sad>0.7", course(lambda t: 0.8, 20)) == [0.0]
    assert times("sad>0.9 for 1s", course(lambda t: 0.8, 20)) == []
    assert times("sad > 70 % for 500ms", course(lambda t: 0.8, 20)) == [0.5]
    assert times("sad<0.3 for 2s", course(lambda t: 0.1, 20)) == [2.0]
    assert times("sad for 2s", course(lambda t: 0.5, 20)) == [2.0]
    assert times("uncertain for 2s", course(lambda t: 0.35, 20)) == [2.0]


def test_what_trembles_at_the_level_does_not_begin_anew() -> None:
    def trembling(t: float) -> float:
        return 0.65 if int(t) % 2 else 0.75  # a second each: longer than what is overlooked

    assert times("sad>0.7 for 3s rest 0s", course(trembling, 20)) == [3.0]
    assert times("sad<0.7 for 3s rest 0s", course(trembling, 20)) == [4.0]
    # 0.55 is beyond the slack: the condition is over, and its next stretch counts from its start.
    dipping = course(lambda t: 0.55 if 4 <= t < 5 else 0.75, 20)
    assert times("sad>0.7 for 3s rest 0s", dipping) == [3.0, 8.0]
    assert times("sad>0.7 for 4.5s rest 0s", dipping) == [9.5]


def test_a_frame_misread_is_no_end_and_a_slow_source_no_gap() -> None:
    assert times("sad>0.7 for 3s", course(lambda t: 0.1 if 1 <= t < 1.3 else 0.8, 9)) == [3.0]
    assert times("sad>0.7 for 3s", course(lambda t: 0.8, 9, step=1.0)) == [3.0]


def test_it_rests() -> None:
    def often(t: float) -> float:
        return 0.8 if t % 10 < 5 else 0.1

    assert times("sad>0.7 for 1s", course(often, 65)) == [1.0, 31.0, 61.0]
    assert times("sad>0.7 for 1s rest 15s", course(often, 45)) == [1.0, 20.9 + 0.1, 41.0]
    assert times("sad>0.7 for 1s rest 1min", course(often, 65)) == [1.0, 61.0]


def test_no_face_and_face() -> None:
    frames = [(t / 10, [] if t >= 30 else [sad(0.5)]) for t in range(200)]
    assert times("no face for 10s", frames) == [13.0]
    assert times("face for 2s", frames) == [2.0]


def test_any_each_and_all() -> None:
    frames = [(t / 10, [sad(0.9, 1), sad(0.9 if t > 40 else 0.1, 2)]) for t in range(100)]
    assert times("sad>0.7 for 1s", frames) == [1.0]
    assert times("any sad>0.7 for 1s", frames) == [1.0]
    assert times("each sad>0.7 for 1s", frames) == [1.0, 5.1]
    assert times("all sad>0.7 for 1s", frames) == [5.1]
    leaving = [(t / 10, [sad(0.9, 1)] if t % 30 < 20 else []) for t in range(100)]
    assert times("each sad>0.7 for 3s", leaving) == []  # it goes away each time


def test_a_lost_camera_is_not_no_face() -> None:
    matcher = RuleMatcher(parse_rule("no face for 2s: true", LABELS))
    assert matcher.update(FrameResult(0, 0.0, (), {})) == []
    matcher.reset()
    assert matcher.update(FrameResult(1, 5.0, (), {})) == []
    assert len(matcher.update(FrameResult(2, 7.0, (), {}))) == 1


def wait(true: Callable[[], object]) -> None:
    end = time.monotonic() + 40 * PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_command_gets_the_event_and_no_shell_reads_it(tmp_path: Path) -> None:
    program = tmp_path / "note.py"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(tmp_path / 'out')!r}, 'a').write("
        "json.dumps([sys.argv[1:], json.load(sys.stdin)]) + '\\n')\n"
        f"open({str(tmp_path / 'done')!r}, 'w')\n"
    )
    program.chmod(0o755)
    said: list[str] = []
    rule = parse_rule(f"happy>0.5: {program} 'a b' $HOME ; touch {tmp_path}/evil", LABELS)
    output = ReactionsOutput([rule], said.append)
    frame, result = seen(3, face("happy", id=4), face("sad", id=5))
    output.write(frame, result)
    output.changed(Change("lost", 1.0, "gone"))
    wait((tmp_path / "done").exists)
    output.close()
    arguments, event = json.loads((tmp_path / "out").read_text())
    assert arguments == ["a b", "$HOME", ";", "touch", f"{tmp_path}/evil"]
    assert not (tmp_path / "evil").exists()
    assert event["rule"] == "happy>0.5"
    assert (event["frame"], event["time"], event["faces"]) == (3, 0.1, 2)
    assert event["face"]["id"] == 4
    assert event["face"]["emotion"] == "happy"
    assert said == []


def test_a_command_inherits_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_TOKEN", "s3cret-token")
    monkeypatch.setenv("MIEN_MQTT_PASSWORD", "s3cret-password")
    monkeypatch.setenv("MIEN_OTHER", "handed on")
    rule = parse_rule(
        f"face: sh -c 'env >{tmp_path}/part; mv {tmp_path}/part {tmp_path}/env'", LABELS
    )
    output = ReactionsOutput([rule], lambda sentence: None)
    output.write(*seen(0, face()))
    wait((tmp_path / "env").exists)
    output.close()
    environment = (tmp_path / "env").read_text()
    assert "MIEN_OTHER=handed on" in environment
    assert "PATH=" in environment
    assert "s3cret" not in environment


@pytest.fixture
def posted() -> Iterator[tuple[str, list[bytes]]]:
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", "/elsewhere")
            else:
                self.send_response(500 if self.path.startswith("/broken") else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    server.server_close()


def test_a_url_is_posted_to(posted: tuple[str, list[bytes]]) -> None:
    address, bodies = posted
    said: list[str] = []
    rules = [
        parse_rule(f"face: {address}{path}", LABELS)
        for path in ("/hook", "/broken?key=s3cret", "/moved")
    ]
    output = ReactionsOutput(rules, said.append)
    output.write(*seen(0, face("fear")))
    output.close()
    assert [json.loads(body)["face"]["emotion"] for body in bodies] == ["fear"] * 3
    assert len(said) == 2
    assert "--on 'face': 127.0.0.1 answered 500." in said
    assert "--on 'face': 127.0.0.1 answered 302." in said
    assert "s3cret" not in "".join(said)


def test_a_slow_command_is_ended_and_never_holds_the_frames_up() -> None:
    said: list[str] = []
    rule = parse_rule("face: sleep 60", LABELS)
    runner = ActionRunner(rule, said.append, command_timeout_s=0.3)
    start = time.monotonic()
    for number in range(12):
        runner.put({"number": number})
    assert time.monotonic() - start < 1
    assert runner.dropped >= 7
    wait(lambda: any("longer than 0.3 s" in sentence for sentence in said))
    assert sum("dropped" in sentence for sentence in said) == 1
    runner.close()


def test_what_fails_is_said() -> None:
    said: list[str] = []
    output = ReactionsOutput([parse_rule("face: false", LABELS)], said.append)
    output.write(*seen(0, face()))
    output.close()
    assert said == ["--on 'face': false ended with exit code 1."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sad>0.7 for 5s", "has no action after the condition"),
        ("sad>0.7 for 5s:", "has no action after the condition"),
        (": true", "is not a condition"),
        ("sad>>0.7: true", "is not a condition"),
        ("sad>0.7 during 5s: true", "is not a condition"),
        ("bored>0.7: true", "Unknown label 'bored' in --on; this model has angry, disgust"),
        ("sad>1.7: true", "between 0 and 1"),
        ("sad>170%: true", "between 0 and 1"),
        ("uncertain>0.5: true", "no probability"),
        ("each no face: true", "cannot be combined with each"),
        ("sad for 5days: true", "is not a duration"),
        ("sad: no-such-program-here 1", "is not a program on this machine"),
        ("sad: /etc/passwd", "is not executable"),
        ("sad: 'unclosed", "quotation mark"),
        ("sad: http:///nowhere", "URL without a host"),
    ],
)
def test_a_rule_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_rule(text, LABELS)
    assert words in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
