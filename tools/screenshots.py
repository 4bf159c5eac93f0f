"""Pictures of every page of a running control room, in both languages, to look at and for the documents.

.venv/bin/python tools/screenshots.py http://127.0.0.1:8080 operator password.txt DIR [PATH ...]
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

PATHS = ("/", "/alarms", "/alarms?state=all", "/points", "/agents", "/journal")
SETTLED_MS = 2500
COLOURS = 256
SIZE: ViewportSize = {"width": 1920, "height": 1080}


def main() -> None:
    """One PNG per language and page; without a session only the login page can be seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="address of the control room, without a path")
    parser.add_argument("name")
    parser.add_argument("password_file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("paths", nargs="*", default=PATHS)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for language in ("zh", "en"):
            _take(browser, language, arguments)
        browser.close()


def _take(browser: Browser, language: str, arguments: argparse.Namespace) -> None:
    context = browser.new_context(viewport=SIZE)
    context.add_cookies([{"name": "parksentry_language", "value": language, "url": arguments.base}])
    page = context.new_page()
    page.goto(f"{arguments.base}/login")
    _save(page, arguments.folder / f"{language}-login.png")
    page.fill("input[name=name]", arguments.name)
    page.fill("input[name=password]", arguments.password_file.read_text("utf-8").strip())
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/\Z"))
    for path in arguments.paths:
        page.goto(arguments.base + path)
        page.wait_for_timeout(SETTLED_MS)
        name = re.sub(r"[^a-z0-9]+", "-", path).strip("-") or "overview"
        _save(page, arguments.folder / f"{language}-{name}.png")
    context.close()


def _save(page: Page, path: Path) -> None:
    """Nothing flashes, and a palette is enough: pages are grey but for alarms."""
    content = page.screenshot(animations="disabled")
    Image.open(io.BytesIO(content)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
