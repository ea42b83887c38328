"""Integrations (page, MQTT, reactions): validated and opened before the first frame.

Each is imported only where it is asked for: servers, TLS and HTTP cost every start of `mien` 0.04 s
of CPU (0.25 to 0.21) and 5 MB.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import UserError
from mien.sources.base import Say
from mien.sources.pausable import PauseSwitch

if TYPE_CHECKING:
    from mien.mqtt.broker import Broker
    from mien.pipeline.video import VideoPipeline
    from mien.reactions.rules import Rule
    from mien.runtime.output_set import Output
    from mien.tflite.model_file import Model
    from mien.web.binding import PageOptions


@dataclass(frozen=True)
class IntegrationOptions:
    """The integrations of a run, checked as far as possible without opening anything."""

    page: PageOptions | None
    broker: Broker | None
    password: str | None = field(repr=False)
    rules: tuple[Rule, ...]
    alertness: bool = False  # eyes, mouth and head are read

    def pause_switch(self) -> PauseSwitch | None:
        """Return a new switch if an integration can pause the camera."""
        return PauseSwitch() if self.broker or self.page else None


def check_integrations(
    web: str | None,
    token: str | None,
    mqtt: str | None,
    password_file: Path | None,
    on: Sequence[str],
    blur: bool,
    labels: Sequence[str],
    web_root: str | None = None,
    allow_host: Sequence[str] = (),
    recording: str | None = None,
    trusted_proxy: str | None = None,
    alertness: bool = False,
) -> IntegrationOptions:
    """Return the checked options; raises UserError if one is invalid or lacks its packages."""
    page = broker = password = None
    if web is not None:
        from mien.web.binding import (
            PageOptions,
            parse_bind_address,
            parse_host,
            parse_proxy,
            parse_root,
        )
        from mien.web.server import check_installed as check_web

        address = parse_bind_address(web)
        check_web()
        from mien.web.access_token import choose_token

        choose_token(address, token)
        hosts = tuple(parse_host(name) for name in allow_host)
        proxy = None if trusted_proxy is None else parse_proxy(trusted_proxy)
        if proxy is not None and token is not None:
            raise UserError("--trusted-proxy takes the place of --token; leave one of them out.")
        page = PageOptions(
            *(address, token, parse_root(web_root or ""), hosts, blur, proxy, recording)
        )
    else:
        for option, given in (
            ("--token", token),
            ("--web-root", web_root),
            ("--allow-host", allow_host),
            ("--trusted-proxy", trusted_proxy),
        ):
            if given:
                raise UserError(f"{option} is for the page; give --web too, or leave it out.")
    if mqtt is not None:
        from mien.mqtt.broker import parse_broker, read_password
        from mien.mqtt.output import check_installed as check_mqtt

        broker = parse_broker(mqtt)
        check_mqtt()
        password = read_password(password_file)
    elif password_file is not None:
        raise UserError("--mqtt-password-file is for --mqtt; give that too, or leave it out.")
    rules: tuple[Rule, ...] = ()
    if on:
        from mien.reactions.rules import parse_rule

        rules = tuple(parse_rule(text, labels, alertness) for text in on)
    return IntegrationOptions(page, broker, password, rules, alertness)


def open_integrations(
    options: IntegrationOptions,
    name: str,
    labels: Sequence[str],
    pause: PauseSwitch | None,
    say: Say,
    engine: VideoPipeline | None = None,
    model: Model | None = None,
    profile: str | None = None,
) -> list[Output]:
    """Open the outputs; `name` is the source's, `profile` that of the profile in use.

    With `engine` and its `model` the page can calibrate. Raises UserError where the page has no
    place.
    """
    with contextlib.ExitStack() as undo:
        outputs: list[Output] = []
        if options.page is not None:
            from mien.web.server import WebOutput

            calibrator = None
            if engine is not None and model is not None:
                from mien.web.calibration import Calibrator

                calibrator = Calibrator(model, Path(), engine.use_profile, options.page.blur)
            page = WebOutput(
                options.page,
                name,
                labels,
                pause,
                say=say,
                calibrator=calibrator,
                profile=profile,
            )
            undo.callback(page.close)
            outputs.append(page)
            say(page.sentence)
        if options.broker is not None:
            from mien.mqtt.output import MqttOutput

            outputs.append(
                MqttOutput(
                    *(options.broker, options.password, labels, pause, say),
                    alertness=options.alertness,
                )
            )
        if options.rules:
            from mien.reactions.output import ReactionsOutput

            outputs.append(ReactionsOutput(options.rules, say))
        undo.pop_all()
        return outputs
