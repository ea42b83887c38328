"""Addresses of the page's calibration."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mien.errors import UserError
from mien.web.calibration import Calibrator
from mien.web.state import PageState

HELP = 'Send JSON, as {"take": "happy"}, {"finish": "anna"} or {"discard": true}.\n'


def calibration_routes(calibrator: Calibrator | None, state: PageState) -> list[Route]:
    """Return the routes; without a calibrator they answer 409."""

    async def calibration(request: Request) -> Response:
        if calibrator is None:
            return PlainTextResponse("This run cannot be calibrated.\n", 409)
        if request.method != "POST":
            return JSONResponse(calibrator.to_json())
        # A form of another site cannot send this type.
        if "application/json" not in request.headers.get("content-type", ""):
            return PlainTextResponse(HELP, 415)
        try:
            content = await request.json()
            ((action, value),) = content.items()
        except (ValueError, TypeError, AttributeError):
            return PlainTextResponse(HELP, 400)
        try:
            if action == "take" and isinstance(value, str):
                calibrator.start(value)
            elif action == "finish" and isinstance(value, str):
                result = await asyncio.to_thread(calibrator.finish, value)
                if result["file"]:
                    state.profile = value
                return JSONResponse(result)
            elif action == "discard":
                calibrator.discard()
            else:
                return PlainTextResponse(HELP, 400)
        except UserError as error:
            return PlainTextResponse(f"{error}\n", 409)
        return JSONResponse(calibrator.to_json())

    async def thumbnail(request: Request) -> Response:
        found = calibrator and calibrator.thumbnail(request.path_params["number"])
        if not found:
            return PlainTextResponse("There is no such picture.\n", 404)
        return Response(found, media_type="image/jpeg")

    return [
        Route("/api/calibration", calibration, methods=["GET", "POST"]),
        Route("/api/calibration/{number:int}.jpg", thumbnail),
    ]
