"""Command-line options of `mien run`, grouped as its help shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.commands.options import FACES, ModelOption

SOURCE = "Source"
OUTPUT = "Output"
PAGE = "Page"
BROKER = "MQTT and reactions"
PRIVACY = "Privacy"

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
    typer.Option(
        metavar="WIDTHxHEIGHT",
        help="Picture size of a camera, pixels; 640x480 by default.",
        rich_help_panel=SOURCE,
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Frames per second at most; cameras are set to it (default: 30).",
        rich_help_panel=SOURCE,
    ),
]
Exposure = Annotated[
    int | None,
    typer.Option(
        metavar="MICROSECONDS",
        min=1,
        help="Exposure of a Pi camera; automatic by default.",
        rich_help_panel=SOURCE,
    ),
]
Gain = Annotated[
    float | None,
    typer.Option(
        metavar="FACTOR",
        min=1.0,
        help="Gain of a Pi camera, from 1; automatic by default.",
        rich_help_panel=SOURCE,
    ),
]
Focus = Annotated[
    float | None,
    typer.Option(
        metavar="METERS",
        help="Focus distance of a Pi camera with a motor, or inf; autofocus by default.",
        rich_help_panel=SOURCE,
    ),
]
Stall = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Time without a frame after which a camera or stream counts as lost.",
        rich_help_panel=SOURCE,
    ),
]
GiveUp = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="End with exit code 4 when a camera or stream has been lost for this long; by "
        "default it is retried without end.",
        rich_help_panel=SOURCE,
    ),
]
InputFps = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Frames per second of a video file, instead of the times in it.",
        rich_help_panel=SOURCE,
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Accept any certificate of an https:// or rtsps:// address.",
        rich_help_panel=SOURCE,
    ),
]
MaxMegapixels = Annotated[
    float,
    typer.Option(
        metavar="N",
        min=0.001,
        max=10_000,
        help="Refuse pictures with more pixels than this.",
        rich_help_panel=SOURCE,
    ),
]
Duration = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Stop after this time of the source.", rich_help_panel=SOURCE
    ),
]
MaxFrames = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Stop after this number of frames.", rich_help_panel=SOURCE
    ),
]
Model = ModelOption
Profile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Profile of `mien calibrate` that corrects the predictions.",
        rich_help_panel=FACES,
    ),
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
    typer.Option(
        metavar="N", min=1, help="Threads of OpenCV and the classifier.", rich_help_panel=FACES
    ),
]
MaxFaces = Annotated[
    int,
    typer.Option(metavar="N", min=1, help="Faces tracked at once.", rich_help_panel=FACES),
]
Smooth = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0.0,
        help="Time constant of the predictions.",
        rich_help_panel=FACES,
    ),
]
Raw = Annotated[
    bool,
    typer.Option("--raw", help="Show predictions without smoothing.", rich_help_panel=FACES),
]
Budget = Annotated[
    str,
    typer.Option(
        metavar="auto|full|PERCENT",
        help="Load of a live source: detect less often before frames are dropped or the board "
        "overheats (auto), never (full), or to stay below a percentage of one core.",
        rich_help_panel=FACES,
    ),
]
Jsonl = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-",
        help="Write one JSON object per frame; - is stdout. {date} in the name starts a file a "
        "day.",
        rich_help_panel=OUTPUT,
    ),
]
JsonlSize = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Start another JSONL file before one exceeds this size, as '100 MB'.",
        rich_help_panel=OUTPUT,
    ),
]
JsonlKeep = Annotated[
    str | None,
    typer.Option(
        metavar="BOUND",
        help="Delete the oldest JSONL files of this name beyond '30 days', '2 GB' or "
        "'30 days, 2 GB'.",
        rich_help_panel=OUTPUT,
    ),
]
Csv = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write one row per face and frame.", rich_help_panel=OUTPUT),
]
Append = Annotated[
    bool,
    typer.Option(
        "--append/--no-append",
        help="Continue existing JSONL and CSV files instead of replacing them.",
        rich_help_panel=OUTPUT,
    ),
]
Every = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Write to JSONL and CSV at this interval; every frame by default. Also the interval "
        "at which a snapshot address (http://camera/snap.jpg) is read; once by default.",
        rich_help_panel=OUTPUT,
    ),
]
Video = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write the frames with boxes and labels.", rich_help_panel=OUTPUT
    ),
]
Window = Annotated[
    bool,
    typer.Option(
        "--window", help="Show the frames; q, x or Esc closes the window.", rich_help_panel=OUTPUT
    ),
]
Web = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT",
        help="Serve a page with the live picture and the predictions; for this machine alone "
        "unless HOST is given, as 0.0.0.0.",
        rich_help_panel=PAGE,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Access token for the page; required beyond localhost, generated if omitted. "
        "MIEN_TOKEN keeps it off the command line.",
        rich_help_panel=PAGE,
    ),
]
WebRoot = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Path of the page behind a reverse proxy, as /mien; / by default.",
        rich_help_panel=PAGE,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Also answer to this host name, as of a reverse proxy; repeatable.",
        rich_help_panel=PAGE,
    ),
]
TrustedProxy = Annotated[
    str | None,
    typer.Option(
        metavar="IP",
        help="Answer only this address, without a token: a proxy that checks its visitors, as "
        "Home Assistant's.",
        rich_help_panel=PAGE,
    ),
]
Mqtt = Annotated[
    str | None,
    typer.Option(
        metavar="mqtt[s]://[USER@]HOST[/TOPIC]",
        help="Publish to an MQTT broker and Home Assistant; the password comes from "
        "MIEN_MQTT_PASSWORD or a file.",
        rich_help_panel=BROKER,
    ),
]
MqttPasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File with the broker's password.", rich_help_panel=BROKER),
]
On = Annotated[
    list[str] | None,
    typer.Option(
        metavar="'CONDITION [for TIME]: COMMAND|URL'",
        help="Run a command, or post to a URL, when the condition has lasted; repeatable. "
        "As in 'sad>0.7 for 5s: aplay alarm.wav'.",
        rich_help_panel=BROKER,
    ),
]
Blur = Annotated[
    bool,
    typer.Option(
        "--blur",
        help="Hide the faces in the video, the window and the page.",
        rich_help_panel=PRIVACY,
    ),
]
