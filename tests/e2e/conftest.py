"""Pages in a real browser: Chromium without a window, driven by Playwright.

Playwright's own browsers are not downloaded: the one of the machine is used. Where there is none,
these tests are skipped, or fail if REQUIRE_BROWSER=1 says that there has to be one.

    open_page    opens a page of a browser of its own, guarded: what it asks of another host, and
                 every error in its console, fails the test at its end
    Visit.check  judges the page as it stands: accessibility by axe-core in light and in dark, no
                 scrolling sideways; and takes pictures into .artifacts/screenshots/
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page
    from pytest_flask.live_server import LiveServer  # type: ignore[import-untyped]

PICTURES = Path(__file__).parents[2] / ".artifacts" / "screenshots"
WIDE, PHONE, NARROWEST = (1280, 800), (390, 844), (320, 800)
PATIENCE = 60_000  # milliseconds for what takes some tens: the machine may be busy
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_AXE = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},
}
_CONTRAST = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "rule", "values": ["color-contrast"]},
}
# Chromium says so of each page that is answered with an error's status, as it should be.
_STATUS = "Failed to load resource: the server responded with a status of"


@dataclass
class Visit:
    """A page of a browser, and what was noticed on it."""

    page: Page
    root: str
    javascript: bool
    size: tuple[int, int]
    problems: list[str] = field(default_factory=list)
    expected_foreign: tuple[str, ...] = ("data:", "blob:")

    def go(self, path: str) -> None:
        self.page.goto(self.root + path)

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.root)

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.page.locator(f"[name={name}]").fill(value)

    def press(self, name: str) -> None:
        """Press a button that sends a form, and wait until the page that answers is there."""
        with self.page.expect_navigation():
            self.press_in_place(name)

    def press_in_place(self, name: str) -> None:
        """Press a button that leaves the page to a script."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name, exact=True).first.click()

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def check(self, name: str) -> None:
        """Judge the page as it stands, and take pictures of it."""
        page = self.page
        page.wait_for_load_state("load")
        page.locator("main").wait_for()
        assert page.locator("h1").count() == 1, f"{name}: one h1"
        assert page.title(), f"{name}: a title"
        for width, height in (self.size, NARROWEST) if self.size == PHONE else (self.size,):
            page.set_viewport_size({"width": width, "height": height})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} px wide on {width} px"
        page.set_viewport_size({"width": self.size[0], "height": self.size[1]})
        if not self.javascript:
            return
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            self._picture(name, scheme)
            self._axe(name, scheme)

    def _picture(self, name: str, scheme: str) -> None:
        width = "wide" if self.size == WIDE else "phone"
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=True)

    def _axe(self, name: str, scheme: str) -> None:
        from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415

        # In the dark only the colours are others.
        options = _AXE if scheme == "light" else _CONTRAST
        found = Axe().run(self.page, options=options).response["violations"]
        said = [
            f"{each['id']}: {each['help']}: {node['html']} {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
        ]
        assert not said, f"{name}, {scheme}, {self.size}:\n" + "\n".join(said)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's browser, one for each process of the run."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        sentence = (
            "There is no Chromium on this machine: install it to test the pages in a browser."
        )
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - starts a process

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def settings(settings: dict[str, object]) -> dict[str, object]:
    """As in development, the first page makes the first admin."""
    return settings | {"FIRST_ADMIN_PAGE": True}


@pytest.fixture
def open_page(live_server: LiveServer, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """A function that opens a page of the test's server, in a context of its own."""
    visits: list[Visit] = []
    root = live_server.url("").rstrip("/")

    def open_(javascript: bool = True, size: tuple[int, int] = WIDE) -> Visit:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            java_script_enabled=javascript,
            has_touch=size == PHONE,
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        visit = Visit(context.new_page(), root, javascript, size)
        visits.append(visit)
        note = visit.problems.append

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not message.text.startswith(_STATUS):
                note(f"console: {message.text}")

        def watch(url: str) -> None:
            if not url.startswith((root + "/", *visit.expected_foreign)):
                note(f"asked elsewhere: {url}")

        context.on("request", lambda request: watch(request.url))
        context.on("console", hear)
        context.on("weberror", lambda error: note(f"script: {error.error}"))
        return visit

    yield open_
    for visit in visits:
        visit.page.context.close()
    assert [problem for visit in visits for problem in visit.problems] == []
