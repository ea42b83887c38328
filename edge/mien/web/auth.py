"""Authentication middleware: Host header check, access token and security headers."""

from __future__ import annotations

import asyncio
import re
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.web.access_token import equal_secrets, session_cookie
from mien.web.binding import is_host_allowed
from mien.web.connections import CONNECTION

WRONG_TOKEN_DELAY_S = 0.5  # s that a wrong token costs
MAX_FORM_BYTES = 4096  # bytes of a log-in form
COOKIE_MAX_AGE_S = 30 * 24 * 3600  # s that a browser remembers
PUBLIC_PATHS = ("/healthz",)  # says "ok" or "no frames" and nothing else
SECURITY_HEADERS = {
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
TOKEN_HINT = (
    "It is the value of MIEN_TOKEN or <code>--token</code>. Where none was given, "
    "<code>mien run</code> prints it on its terminal, or names the file that holds it in its log."
)
EMBEDDABLE_POLICY = SECURITY_HEADERS["Content-Security-Policy"].replace(
    "frame-ancestors 'none'", "frame-ancestors 'self'"
)
LOGIN_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mien</title><link rel="stylesheet" href="{root}/page.css">
<main class="login"><h1>Mien</h1>
<p role="alert">{words}</p>
<p>{where}</p>
<form method="post" action="{root}/login">
<label>Token <input name="token" type="password" autocomplete="current-password" autofocus></label>
<button>Show the page</button></form></main></html>
"""


class AuthMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        names: frozenset[str],
        token: str | None,
        port: int,
        root: str = "",
        proxy: str | None = None,
    ) -> None:
        """Guard `app`; with `proxy`, an IP address, only that peer is answered, and trusted."""
        self._app = app
        self._names = names
        self._token = token
        self._root = root
        self._proxy = proxy
        self._headers = {**SECURITY_HEADERS}
        if proxy is not None:  # its own pages may embed this one
            self._headers["Content-Security-Policy"] = EMBEDDABLE_POLICY
            self._headers["X-Frame-Options"] = "SAMEORIGIN"
        # Cookies do not tell ports apart, and two cameras may share a machine.
        self._cookie = f"mien-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] != "http":
            return  # no websockets here, and the life of the server is another's matter

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        path = scope["path"]
        # A reverse proxy may pass the whole path on, or only what follows the root.
        if self._root and path.startswith(f"{self._root}/"):
            scope = {**scope, "path": path.removeprefix(self._root)}
        request = Request(scope, receive)
        if self._proxy is None:
            refusal = self._refuse_stranger(request.headers, request.method)
        else:
            refusal = self._refuse_peer(scope)
        if refusal is None and self._root and path == self._root:
            refusal = RedirectResponse(f"{self._root}/", 303)
        if refusal is None and self._token is not None:
            try:
                refusal = await self._ask(request, self._token)
            except ClientDisconnect:  # in the middle of the log-in form
                return
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        connection = scope.get(CONNECTION)
        if connection is not None:
            connection.authorized = True
        try:
            await self._app(scope, receive, send_guarded)
        finally:
            if connection is not None:
                connection.authorized = False

    def _refuse_peer(self, scope: Scope) -> Response | None:
        """Refuse whoever is not the trusted proxy, which checks its visitors itself."""
        peer = (scope.get("client") or ("",))[0]
        if peer == self._proxy or scope["path"] in PUBLIC_PATHS:
            return None
        return PlainTextResponse("Only the proxy of --trusted-proxy is answered.\n", 403)

    def _refuse_stranger(self, headers: Headers, method: str) -> Response | None:
        """Refuse what another page in the visitor's browser sends."""
        if not is_host_allowed(headers.get("host", ""), self._names):
            name = re.sub(r":[0-9]+$", "", headers.get("host", ""))
            known = re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name)
            return PlainTextResponse(
                f"The host name {name if known else 'of this request'} is unknown here. Use this "
                "machine's own name or IP address, or start `mien run` with --allow-host "
                f"{name if known else 'NAME'}.\n",
                400,
            )
        # Only the browser sets it. Following a link to the page is harmless, sending a form is not.
        if headers.get("sec-fetch-site") == "cross-site" and (
            headers.get("sec-fetch-mode") != "navigate" or method not in ("GET", "HEAD")
        ):
            return PlainTextResponse("Not for other pages.\n", 403)
        return None

    async def _ask(self, request: Request, token: str) -> Response | None:
        """Return None for a visitor with the token, else what to answer."""
        path = request.scope["path"]
        if path in PUBLIC_PATHS or path == "/page.css":
            return None
        if path == "/login" and request.method == "POST":
            return await self._log_in(request, token)
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and given:
            return None if equal_secrets(given.strip(), token) else await self._wrong(request)
        if "token" in request.query_params:
            if not equal_secrets(request.query_params["token"], token):
                return await self._wrong(request)
            rest = [(k, v) for k, v in parse_qsl(request.url.query) if k != "token"]
            query = f"?{urlencode(rest)}" if rest else ""
            return self._welcome(token, _local(path) + query)
        cookie = self._given(request.headers.get("cookie", ""))
        if cookie is None:
            return self._unknown(request, "Enter the access token.")
        return None if equal_secrets(cookie, session_cookie(token)) else await self._wrong(request)

    async def _log_in(self, request: Request, token: str) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                return PlainTextResponse("Too long for a token.\n", 413)
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
        return (
            self._welcome(token, "/") if equal_secrets(given, token) else await self._wrong(request)
        )

    def _welcome(self, token: str, path: str) -> Response:
        """Give the browser its cookie, and an address without the token."""
        answer = RedirectResponse(self._root + path, 303)
        answer.set_cookie(
            self._cookie,
            session_cookie(token),
            max_age=COOKIE_MAX_AGE_S,
            httponly=True,
            samesite="lax",
            path=self._root or "/",
        )
        return answer

    def _given(self, header: str) -> str | None:
        try:
            morsel = SimpleCookie(header).get(self._cookie)
        except CookieError:
            return None
        return morsel.value if morsel else None

    async def _wrong(self, request: Request) -> Response:
        await asyncio.sleep(WRONG_TOKEN_DELAY_S)  # guessing takes its time
        return self._unknown(request, "Wrong token.")

    def _unknown(self, request: Request, words: str) -> Response:
        challenge = {"WWW-Authenticate": 'Bearer realm="mien"'}
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(
                LOGIN_PAGE.format(words=words, where=TOKEN_HINT, root=self._root), 401, challenge
            )
        return PlainTextResponse(f"{words}\n", 401, challenge)


def _local(path: str) -> str:
    """Return a path that cannot lead to another host, as "//elsewhere" would."""
    return "/" + path.lstrip("/\\")
