"""What is shown at an address that leads nowhere: plain HTML in the person's language, with the way back.

Nothing is asked of any service, so it says the same whether somebody is signed in or not.
"""

from __future__ import annotations

from html import escape
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from aggregator.pages.texts import Texts, chosen, texts

_PAGE: Final = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – {product}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/static/login.css"></head>
<body><main><h1>{title}</h1><p>{said}</p><p><a href="/">{back}</a></p></main><footer>{supplement}</footer></body></html>
"""


async def answer(request: Request, _error: Exception) -> Response:
    """The handler of 404 for everything below ``/`` that is not API."""
    return HTMLResponse(render(texts(chosen(request.cookies))), 404, {"Cache-Control": "no-store"})


def render(text: Texts) -> str:
    said = {name: escape(text(f"shell.{name}")) for name in ("product", "back", "supplement")}
    title, what = escape(text("shell.not_found")), escape(text("shell.not_found_said"))
    return _PAGE.format(language=text.language.tag, title=title, said=what, **said)
