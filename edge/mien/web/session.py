"""Downloads of the page: the run's JSONL recording, and a report made of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from mien.child import code_command, environment_without_secrets
from mien.outputs.recording import newest_file

REPORT_TIMEOUT_S = 300.0  # s that a report may take
NICENESS = 10  # of the report's process: frames go before


def session_routes(recording: str | None) -> list[Route]:
    """Return the routes of a run that records to `recording`, a value of --jsonl."""
    reporting = asyncio.Lock()

    async def jsonl(request: Request) -> Response:
        file = None if recording is None else newest_file(recording)
        if file is None:
            return _nothing(recording)
        return FileResponse(file, media_type="application/x-ndjson", filename=file.name)

    async def report(request: Request) -> Response:
        file = None if recording is None else newest_file(recording)
        if file is None:
            return _nothing(recording)
        if reporting.locked():
            return PlainTextResponse("A report is being made; try again in a minute.\n", 503)
        async with reporting:
            with tempfile.TemporaryDirectory(prefix="mien-report-") as folder:
                html = await _make_report(file, Path(folder))
                page = None if html is None else html.read_bytes()
        if html is None or page is None:
            return PlainTextResponse("No report could be made of the recording.\n", 500)
        headers = {"Content-Disposition": f'attachment; filename="{_plain(file.stem)}.report.html"'}
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)

    return [Route("/session.jsonl", jsonl), Route("/session.html", report)]


def _nothing(recording: str | None) -> Response:
    if recording is None:
        words = "This run records nothing; start it with --jsonl FILE."
    else:
        words = "Nothing is recorded yet."
    return PlainTextResponse(f"{words}\n", 404)


async def _make_report(file: Path, folder: Path) -> Path | None:
    """Make a report in a process of its own, which holds no frame up; None where it fails."""
    program = f"import os; os.nice({NICENESS}); from mien.__main__ import main; main()"
    process = await asyncio.create_subprocess_exec(
        *code_command(program, "report", os.fspath(file), "--out", os.fspath(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment_without_secrets(),
    )
    try:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), REPORT_TIMEOUT_S)
    finally:  # also where the visitor has gone
        if process.returncode is None:
            process.kill()
            await process.wait()
    return next(folder.glob("*.html"), None)


def _plain(name: str) -> str:
    """Return a name without what a header or another system's file names cannot hold."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)
