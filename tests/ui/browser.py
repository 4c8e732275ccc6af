"""A headless Chromium, and what it sees."""

import importlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

SHOTS = os.environ.get("LOADER_SCREENSHOTS")  # a folder for what the browser saw; else nothing is kept
_SETTLE_SECONDS = 2.0  # before a picture: the words are there before the boxes around them
_SWITCHES = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1300")


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser on one server."""

    driver: Any
    base: str

    def sees(self, page: str, *words: str, shot: str, seconds: float = 120.0) -> str:
        """Open a page and wait until all words are on it; return all its text. Fails with the text after a while."""
        self.driver.get(self.base + page)
        deadline, text = time.monotonic() + seconds, ""
        while missing := [each for each in words if each not in text]:
            assert time.monotonic() < deadline, f"{page} does not show {missing} but: {text[:3000]}"
            time.sleep(0.2)
            text = str(self.driver.find_element("tag name", "body").text)
        if SHOTS:
            time.sleep(_SETTLE_SECONDS)
            self.driver.save_screenshot(f"{SHOTS}/{shot}.png")
        return text


@contextmanager
def chromium(base: str) -> Iterator[Browser]:
    """Yield a browser; skips the test where there is none."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("chromium and chromedriver are not installed: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = binary
    for each in _SWITCHES:
        options.add_argument(each)
    service = importlib.import_module("selenium.webdriver.chrome.service").Service(driver)
    found = selenium.Chrome(options=options, service=service)
    try:
        yield Browser(found, base)
    finally:
        found.quit()
