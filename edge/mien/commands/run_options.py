"""Command-line options of `mien run`, grouped as its help shows them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mien.commands.options import FACES, ModelOption

# An option in each group of the help.
_source = partial(typer.Option, rich_help_panel="Source")
_faces = partial(typer.Option, rich_help_panel=FACES)
_output = partial(typer.Option, rich_help_panel="Output")
_page = partial(typer.Option, rich_help_panel="Page")
_broker = partial(typer.Option, rich_help_panel="MQTT and reactions")
_privacy = partial(typer.Option, rich_help_panel="Privacy")

EXAMPLES = """\
Examples:

  mien run usb --window

  mien run picamera --web 0.0.0.0:8080 --blur

  mien run clip.mp4 --csv faces.csv --video out.mp4

  mien run rtsp://camera.local/stream --jsonl faces-{date}.jsonl --jsonl-keep "30 days"

  mien run usb --on "sad>0.7 for 5s: aplay alarm.wav"
"""

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="auto (a Pi camera, else the first USB camera), picamera[:N|:NAME], "
        "usb[:N|:NAME], /dev/videoN, a video file, an http://, https:// or rtsp:// address, "
        "or a folder of pictures.",
    ),
]
Size = Annotated[
    str | None,
    _source(metavar="WIDTHxHEIGHT", help="Picture size of a camera, pixels; 640x480 by default."),
]
Fps = Annotated[
    float | None,
    _source(metavar="N", help="Frames per second at most; cameras are set to it (default: 30)."),
]
Exposure = Annotated[
    int | None,
    _source(metavar="MICROSECONDS", min=1, help="Exposure of a Pi camera; automatic by default."),
]
Gain = Annotated[
    float | None,
    _source(metavar="FACTOR", min=1.0, help="Gain of a Pi camera, from 1; automatic by default."),
]
Focus = Annotated[
    float | None,
    _source(
        metavar="METERS",
        help="Focus distance of a Pi camera with a motor, or inf; autofocus by default.",
    ),
]
Stall = Annotated[
    float,
    _source(
        metavar="SECONDS",
        help="Time without a frame after which a camera or stream counts as lost.",
    ),
]
GiveUp = Annotated[
    float | None,
    _source(
        metavar="SECONDS",
        help="End with exit code 4 when a camera or stream has been lost for this long; by "
        "default it is retried without end.",
    ),
]
InputFps = Annotated[
    float | None,
    _source(metavar="N", help="Frames per second of a video file, instead of the times in it."),
]
Insecure = Annotated[
    bool,
    _source("--insecure", help="Accept any certificate of an https:// or rtsps:// address."),
]
MaxMegapixels = Annotated[
    float,
    _source(metavar="N", min=0.001, max=10_000, help="Refuse pictures with more pixels than this."),
]
Duration = Annotated[
    float | None,
    _source(metavar="SECONDS", help="Stop after this time of the source."),
]
MaxFrames = Annotated[
    int | None,
    _source(metavar="N", min=1, help="Stop after this number of frames."),
]
Model = ModelOption
ModelKey = Annotated[
    str | None,
    _faces(
        metavar="KEY",
        help="Public key of minisign: refuse a model that it did not sign, except bundled ones.",
    ),
]
Profile = Annotated[
    Path | None,
    _faces(metavar="FILE", help="Profile of `mien calibrate` that corrects the predictions."),
]
Alertness = Annotated[
    bool,
    typer.Option(
        "--alertness",
        help="Read eyes, yawns and head too: blinks, PERCLOS, microsleeps (docs/alertness.md).",
        rich_help_panel=FACES,
    ),
]
Threads = Annotated[
    int,
    _faces(metavar="N", min=1, help="Threads of OpenCV and the classifier."),
]
MaxFaces = Annotated[
    int,
    _faces(metavar="N", min=1, help="Faces tracked at once."),
]
Smooth = Annotated[
    float,
    _faces(metavar="SECONDS", min=0.0, help="Time constant of the predictions."),
]
Raw = Annotated[
    bool,
    _faces("--raw", help="Show predictions without smoothing."),
]
Budget = Annotated[
    str,
    _faces(
        metavar="auto|full|PERCENT",
        help="Load of a live source: detect less often before frames are dropped or the board "
        "overheats (auto), never (full), or to stay below a percentage of one core.",
    ),
]
Jsonl = Annotated[
    str | None,
    _output(
        metavar="FILE|-",
        help="Write one JSON object per frame; - is stdout. {date} in the name starts a file a "
        "day.",
    ),
]
JsonlSize = Annotated[
    str | None,
    _output(
        metavar="SIZE", help="Start another JSONL file before one exceeds this size, as '100 MB'."
    ),
]
JsonlKeep = Annotated[
    str | None,
    _output(
        metavar="BOUND",
        help="Delete the oldest JSONL files of this name beyond '30 days', '2 GB' or "
        "'30 days, 2 GB'.",
    ),
]
Csv = Annotated[
    Path | None,
    _output(metavar="FILE", help="Write one row per face and frame."),
]
Append = Annotated[
    bool,
    _output(
        "--append/--no-append",
        help="Continue existing JSONL and CSV files instead of replacing them.",
    ),
]
Every = Annotated[
    float | None,
    _output(
        metavar="SECONDS",
        help="Write to JSONL and CSV at this interval; every frame by default. Also the interval "
        "at which a snapshot address (http://camera/snap.jpg) is read; once by default.",
    ),
]
Video = Annotated[
    Path | None,
    _output(metavar="FILE", help="Write the frames with boxes and labels."),
]
Window = Annotated[
    bool,
    _output("--window", help="Show the frames; q, x or Esc closes the window."),
]
Web = Annotated[
    str | None,
    _page(
        metavar="[HOST:]PORT",
        help="Serve a page with the live picture and the predictions; for this machine alone "
        "unless HOST is given, as 0.0.0.0.",
    ),
]
Token = Annotated[
    str | None,
    _page(
        metavar="TEXT",
        help="Access token for the page; required beyond localhost, generated if omitted. "
        "MIEN_TOKEN keeps it off the command line.",
    ),
]
WebRoot = Annotated[
    str | None,
    _page(metavar="PATH", help="Path of the page behind a reverse proxy, as /mien; / by default."),
]
AllowHost = Annotated[
    list[str] | None,
    _page(metavar="NAME", help="Also answer to this host name, as of a reverse proxy; repeatable."),
]
TrustedProxy = Annotated[
    str | None,
    _page(
        metavar="IP",
        help="Answer only this address, without a token: a proxy that checks its visitors, as "
        "Home Assistant's.",
    ),
]
Mqtt = Annotated[
    str | None,
    _broker(
        metavar="mqtt[s]://[USER@]HOST[/TOPIC]",
        help="Publish to an MQTT broker and Home Assistant; the password comes from "
        "MIEN_MQTT_PASSWORD or a file.",
    ),
]
MqttPasswordFile = Annotated[
    Path | None,
    _broker(metavar="FILE", help="File with the broker's password."),
]
On = Annotated[
    list[str] | None,
    _broker(
        metavar="'CONDITION [for TIME]: COMMAND|URL'",
        help="Run a command, or post to a URL, when the condition has lasted; repeatable. "
        "As in 'sad>0.7 for 5s: aplay alarm.wav'.",
    ),
]
Blur = Annotated[
    bool,
    _privacy("--blur", help="Hide the faces in the video, the window and the page."),
]
