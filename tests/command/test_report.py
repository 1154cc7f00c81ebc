"""The report opens without a network, escapes what comes from the file, and is light or dark as its reader."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstm_lib.command import main
from tools.browser import CHROMIUM, chromium

NASTY = "<script>alert('x')</script> & \"load\""


class Tags(HTMLParser):
    """All tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    index = pd.date_range("2023-01-01", periods=960, freq="h", name="time")
    load = 20 + 8 * np.sin(np.arange(960) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 1, 960)
    load[100:120] = np.nan
    pd.DataFrame({NASTY: load}, index).to_csv(folder / "<i>my</i>.csv".replace("/", "_"))
    out = folder / "report.html"
    given = [
        "report",
        str(folder / "<i>my<_i>.csv"),
        "-o",
        str(out),
        "--units",
        "3",
        "--epochs",
        "1",
        "--quiet",
    ]
    assert main([*given, "--timezone", "Europe/Paris"]) == 0
    return out


def test_the_page_stands_alone_and_runs_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = Tags(text)
    assert not {"script", "link", "iframe", "i"} & {tag for tag, _ in found.tags}
    assert not [1 for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert not re.search(r"https?://|url\(", text)
    pictures = [attributes for tag, attributes in found.tags if tag == "img"]
    assert len(pictures) == 3
    assert all(one["src"].startswith("data:image/png;base64,") and one["alt"] for one in pictures)
    assert "default-src 'none'" in text


def test_what_comes_from_the_file_is_escaped(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text and "<i>" not in text
    assert NASTY in Tags(text).text and "<i>my<_i>" in Tags(text).text


def test_it_says_findings_forecasts_and_what_comes_next(page: Path) -> None:
    text = Tags(page.read_text(encoding="utf-8")).text
    for word in (
        "What looks wrong",
        "20 h missing",
        "Forecasts compared",
        "ridge",
        "LSTM",
        "same hour yesterday",
    ):
        assert word in text
    assert "from 2023-02-10 00:00 to 2023-02-10 23:00 (UTC+01:00)" in text
    for column in ("forecast", "low", "high", "Fri 2023-02-10 23:00"):
        assert column in text
    assert page.read_text(encoding="utf-8").count('class="best"') == 1


def test_in_a_browser_without_a_network(page: Path) -> None:
    if CHROMIUM is None and os.environ.get("CI") != "true":
        pytest.skip("there is no Chromium")
    grounds = {}
    with chromium() as browser:
        for scheme in ("light", "dark"):
            context = browser.new_context(
                color_scheme=scheme, offline=True, viewport={"width": 420, "height": 800}
            )
            opened = context.new_page()
            said: list[str] = []
            opened.on("console", lambda message, said=said: said.append(message.text))
            asked: list[str] = []
            opened.on("request", lambda request, asked=asked: asked.append(request.url))
            opened.goto(page.as_uri())
            assert opened.evaluate("[...document.images].every(picture => picture.naturalWidth > 100)")
            assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                "a phone scrolls down only"
            )
            opened.click("summary")
            assert opened.get_by_text("Fri 2023-02-10 23:00").is_visible()
            assert said == [] and not [url for url in asked if not url.startswith(("file:", "data:"))]
            rgb = opened.evaluate("getComputedStyle(document.body).backgroundColor")
            grounds[scheme] = sum(json.loads(rgb.replace("rgb(", "[").replace(")", "]")))
    assert grounds["light"] > 700 and grounds["dark"] < 100
