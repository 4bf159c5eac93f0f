"""The login page: plain HTML that signs in through ``/api/v1/session`` as any program does.

It needs no websocket, so it is there at once and while nobody is signed in no page is kept open. The session's cookie is
set by the answer of the API, out of reach of scripts.
"""

from __future__ import annotations

from html import escape
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from aggregator.commands.refusal import RefusalCode
from aggregator.pages.texts import Language, Texts, chosen, script_json, texts

REASONS: Final = frozenset({"not_signed_in", "signed_out", "unconfirmed"})
NEXT_LENGTH_MAX: Final = 1000
_PAGE: Final = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – {product}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/static/login.css"></head>
<body><main><h1>{product}</h1><p class="reason" role="status">{reason}</p>
<noscript><p class="fault">{no_script}</p></noscript>
<form id="form" method="post" action="{action}" data-next="{next}"><label>{name}<input name="name" autocomplete="username" autofocus required maxlength="64"></label>
<label>{password}<input name="password" type="password" autocomplete="current-password" required maxlength="256"></label>
<p id="fault" role="alert"></p><button>{submit}</button></form>
<button id="language" data-language="{other}" lang="{other_tag}">{other_language}</button></main>
<footer>{supplement}</footer><script type="application/json" id="texts">{texts}</script>
<script src="/static/login.js"></script></body></html>
"""


def router() -> APIRouter:
    """``GET /login``; and POST, which a browser sends whose script is not there yet: the password is not read."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/login", response_class=HTMLResponse)
    def login(request: Request, reason: str = "", next_: Annotated[str, Query(alias="next")] = "/") -> HTMLResponse:
        page = render(texts(chosen(request.cookies)), reason, next_)
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})

    @routes.post("/login")
    def sent_without_script(next_: Annotated[str, Query(alias="next")] = "/") -> RedirectResponse:
        return RedirectResponse(own_address(next_), 303)

    return routes


def own_address(next_: str) -> str:
    """Of the login page that leads on to ``next_``."""
    return "/login?" + urlencode({"next": safe_address(next_)})


def render(text: Texts, reason: str, next_: str) -> str:
    """The page; every word from the address is checked or escaped."""
    said = {code.value: text.table[f"refusal.{code}"] for code in RefusalCode} | {
        "unreachable": text("login.unreachable")
    }
    other = text.language.other
    return _PAGE.format(
        language=text.language.tag,
        title=escape(text("login.title")),
        product=escape(text("shell.product")),
        reason=escape(text(f"login.{reason}")) if reason in REASONS else "",
        no_script="<br>".join(
            f'<span lang="{each.tag}">{escape(texts(each)("login.no_script"))}</span>' for each in Language
        ),
        action=escape(own_address(next_)),
        next=escape(safe_address(next_)),
        name=escape(text("login.name")),
        password=escape(text("login.password")),
        submit=escape(text("login.submit")),
        other=other,
        other_tag=other.tag,
        other_language=escape(text("shell.other_language")),
        supplement=escape(text("shell.supplement")),
        texts=script_json(said),
    )


def safe_address(address: str) -> str:
    """A path of this site; anything else leads to the first page, never elsewhere."""
    own = (
        address.startswith("/") and not address.startswith(("//", "/\\", "/login")) and len(address) <= NEXT_LENGTH_MAX
    )
    return address if own and address.isprintable() else "/"
