"""Lets in only who may look: the Host header, the token, and the headers that browsers obey."""

from __future__ import annotations

import asyncio
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.web.binding import host_allowed, pass_of, same

WRONG_S = 0.5  # s that a wrong token costs
LONGEST = 4096  # bytes of a log-in form
KEPT_S = 30 * 24 * 3600  # s that a browser remembers
OPEN = ("/healthz",)  # says "ok" or "no frames" and nothing else
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
LOGIN = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mien</title><link rel="stylesheet" href="/page.css">
<main class="login"><h1>Mien</h1>
<p>{words}</p>
<form method="post" action="/login">
<label>Token <input name="token" type="password" autocomplete="current-password" autofocus></label>
<button>Show the page</button></form></main></html>
"""


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, names: frozenset[str], token: str | None, port: int) -> None:
        self._app = app
        self._names = names
        self._token = token
        # Cookies do not tell ports apart, and two cameras may share a machine.
        self._cookie = f"mien-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http":
            return  # no websockets here, and the life of the server is another's matter

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        request = Request(scope, receive)
        refusal = self._refuse_stranger(request.headers)
        if refusal is None and self._token is not None:
            refusal = await self._ask(request, self._token)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _refuse_stranger(self, headers: Headers) -> Response | None:
        """Refuse what another page in the visitor's browser sends."""
        if not host_allowed(headers.get("host", ""), self._names):
            return PlainTextResponse(
                "This is Mien, and not the host that was asked for; use the machine's own name "
                "or its number.\n",
                400,
            )
        # Only the browser sets it; following a link to the page is no harm.
        if (
            headers.get("sec-fetch-site") == "cross-site"
            and headers.get("sec-fetch-mode") != "navigate"
        ):
            return PlainTextResponse("Not for other pages.\n", 403)
        return None

    async def _ask(self, request: Request, token: str) -> Response | None:
        """Return None for a visitor with the token, else what to answer."""
        path = request.url.path
        if path in OPEN or path == "/page.css":
            return None
        if path == "/login" and request.method == "POST":
            return await self._log_in(request, token)
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and given:
            return None if same(given.strip(), token) else await self._wrong(request)
        if "token" in request.query_params:
            if not same(request.query_params["token"], token):
                return await self._wrong(request)
            rest = [(k, v) for k, v in parse_qsl(request.url.query) if k != "token"]
            return self._welcome(token, _local(path) + (f"?{urlencode(rest)}" if rest else ""))
        cookie = self._given(request.headers.get("cookie", ""))
        if cookie is None:
            return self._unknown(request, "This page needs its token.")
        return None if same(cookie, pass_of(token)) else await self._wrong(request)

    async def _log_in(self, request: Request, token: str) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST:
                return PlainTextResponse("Too long for a token.\n", 413)
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        return self._welcome(token, "/") if same(given, token) else await self._wrong(request)

    def _welcome(self, token: str, path: str) -> Response:
        """Give the browser its cookie, and an address without the token."""
        answer = RedirectResponse(path, 303)
        answer.set_cookie(
            self._cookie, pass_of(token), max_age=KEPT_S, httponly=True, samesite="lax"
        )
        return answer

    def _given(self, header: str) -> str | None:
        try:
            morsel = SimpleCookie(header).get(self._cookie)
        except CookieError:
            return None
        return morsel.value if morsel else None

    async def _wrong(self, request: Request) -> Response:
        await asyncio.sleep(WRONG_S)  # guessing takes its time
        return self._unknown(request, "That token is wrong.")

    def _unknown(self, request: Request, words: str) -> Response:
        challenge = {"WWW-Authenticate": 'Bearer realm="mien"'}
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(LOGIN.format(words=words), 401, challenge)
        return PlainTextResponse(f"{words}\n", 401, challenge)


def _local(path: str) -> str:
    """Return a path that cannot lead to another host, as "//elsewhere" would."""
    return "/" + path.lstrip("/\\")
