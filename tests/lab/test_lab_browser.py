"""The demonstrator in a real browser: notebook 08 in JupyterLab, and its page as an app in Voilà.

Needs Chromium. Where there is none these tests are skipped, but not in CI, which has to install it (`.ci/run`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from lstm_lib.lab.files import from_zip
from lstm_lib.lab.texts import say
from lstm_lib.lab.views import rows_as_table
from tools import lab
from tools.browser import (
    CHROMIUM,
    NOTEBOOK,
    ROOT,
    SIZE,
    WAIT,
    chromium,
    free_port,
    served,
    served_app,
)

if CHROMIUM is None and os.environ.get("CI") != "true":
    pytest.skip("there is no Chromium (on Debian and Ubuntu: apt install chromium)", allow_module_level=True)

expect.set_options(timeout=60_000)  # a busy machine takes longer than the five seconds of the default


# JupyterLab's indicator says "idle" before there is a kernel, and Run All Cells then asks for one.
HAS_KERNEL = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
  return context?.isReady && context.session?.kernel?.connectionStatus === "connected";
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def app_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_app(tmp_path_factory.mktemp("app")) as address:
        yield address


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """A page of the size of a small projector; fails at its end if its console has told of an error.

    JupyterLab gives up the request for a picture when it has found where the picture lies, and asks anew: that is no
    error, since at the end every picture has to be there.
    """
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(1000 * WAIT)
    errors: list[str] = []

    def failed(request: Request) -> None:
        if (request.resource_type, request.failure) != ("image", "net::ERR_ABORTED"):
            errors.append(f"{request.url}: {request.failure}")

    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", failed)
    page.goto(address)
    yield page
    page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert errors == []
    page.close()


# ------------------------------------------------------------------------------------------------------------ doing


def cell(page: Page, name: str) -> Any:
    return page.locator(f'.lab-map [data-name="{name}"]').first


def fill(page: Page, role: Any, name: str, text: str) -> None:
    field = page.get_by_role(role, name=name, exact=True)
    field.fill(text)
    field.press("Enter")


def price(page: Page) -> str:
    return page.locator(".lab-price").inner_text()


def rows(page: Page) -> Any:
    return page.locator(".lab-table tbody tr")


def isolate_by_clicking(page: Page) -> None:
    """A row, a column and a block; each shows, and has its price."""
    for name in ("0[0:8]", "0/Wx/g", "0/Wh/f[16:24]"):
        before = price(page)
        cell(page, name).click()
        expect(cell(page, name)).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".lab-price")).not_to_have_text(before)


def train(page: Page, expected: int) -> None:
    page.get_by_role("button", name="Train").click()
    expect(page.locator("img.lab-picture").first).to_be_visible()
    expect(rows(page)).to_have_count(expected, timeout=1000 * WAIT)
    expect(page.get_by_role("button", name="Train")).to_be_enabled(timeout=1000 * WAIT)


def saved(page: Page, button: str, folder: Path) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path.read_bytes()


# ------------------------------------------------------------------------------------------------------------- tests


def test_the_notebook_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    for part in ("notebooks", "docs"):
        (tmp_path / part).mkdir()
    shutil.copy(NOTEBOOK, tmp_path / "notebooks")
    for picture in (ROOT / "docs").glob("*.png"):
        shutil.copy(picture, tmp_path / "docs")
    port = free_port()
    command = lab.command(f"notebooks/{NOTEBOOK.name}", f"--port={port}", "--IdentityProvider.token=t")
    command += ["--no-browser", "--ServerApp.ip=127.0.0.1", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.expose_app_in_browser=True"]
    environment = lab.environment(os.environ | {"HOME": str(tmp_path)})
    address = f"http://127.0.0.1:{port}"
    with (
        served(command, environment, tmp_path, f"{address}/api/status?token=t"),
        opened(browser, f"{address}/lab/tree/notebooks/{NOTEBOOK.name}?token=t") as page,
    ):
        page.wait_for_function(HAS_KERNEL)
        expect(page.get_by_text("Jupyter news")).to_have_count(0)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        cell(page, "0").wait_for()
        isolate_by_clicking(page)
        fill(page, "spinbutton", "Epochs", "1")
        train(page, expected=2)
        assert saved(page, "CSV", tmp_path).decode().count("\n") == 3


def test_the_app_from_the_first_key_to_the_last_file(
    browser: Browser, app_address: str, tmp_path: Path
) -> None:
    with opened(browser, app_address) as page:
        cell(page, "0").wait_for()
        all_fits(page)
        every_control_has_a_name(page, SLIDERS, "Depth")
        nothing_jumps(page)
        reached_by_keyboard(page)
        fill(page, "spinbutton", "Epochs", "1")
        isolate_by_clicking(page)
        page.get_by_role("combobox", name="Preset").select_option("half of the units, kept")
        expect(cell(page, "0[24:32]")).to_have_attribute("aria-pressed", "true")
        expect(cell(page, "0[32:40]")).to_have_attribute("aria-pressed", "false")
        expect(page.locator(".lab-gradient")).to_have_text(re.compile(r"cosine 0\.\d\d"))
        page.get_by_role("combobox", name="Seeds").select_option("3")
        train(page, expected=2)
        expect(rows(page).first).to_have_text(re.compile(r"cut.*3.*kW.*[+−-]\d+\.\d ± \d+\.\d %"))
        assert saved(page, "CSV", tmp_path).count(b"\n") == 3
        assert saved(page, "PNG", tmp_path).startswith(b"\x89PNG")
        assert [len(run.trained) for run in from_zip(saved(page, "All runs", tmp_path))] == [3, 3]
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Load runs").click()
        chooser.value.set_files(tmp_path / "runs.zip")
        expect(rows(page)).to_have_count(4)
        page.get_by_role("tab", name="Test week").click()
        week = page.get_by_alt_text(re.compile(r"A week of the test part.*mean of the next day \d\.\d{3} kW"))
        expect(week).to_be_visible()
        looking_back(page)
        tour_and_errors(page)
        in_french(page)
        fits_small_screens(page)
        opens_without_a_kernel(browser, saved(page, "Une page", tmp_path), tmp_path)
        address = page.url
    # whoever is sent the address sees the same, but for what its sender hides
    with opened(browser, f"{address}&hide=schedule") as other:
        expect(other.get_by_role("slider", name="Portée", exact=True)).to_be_visible()
        expect(other.get_by_role("slider", name="Dès époque")).to_have_count(0)
        expect(other.get_by_role("button", name="Entraîner")).to_be_visible()
        expect(other.get_by_role("textbox", name="Zone")).to_have_value("0[0:32]")
        expect(other.get_by_role("spinbutton", name="Époques")).to_have_value("1")
        expect(rows(other)).to_have_count(0)


def looking_back(page: Page) -> None:
    """The map plays the epochs of the last training, and is again as it was."""
    place = "document.querySelector('.lab-map').getBoundingClientRect().y"
    before = page.evaluate(place)
    page.get_by_role("combobox", name="Colour by").select_option("error")  # which takes two lines to say
    expect(page.get_by_text("by rank")).to_contain_text("error")
    assert page.evaluate(place) == before
    page.get_by_role("combobox", name="Colour by").select_option("movement")
    shades = """() => [...document.querySelectorAll(".lab-map .cell .back")].map((its) => its.getAttribute("fill"))"""
    expect(page.get_by_text("by rank")).to_contain_text("movement")
    now = page.evaluate(shades)
    page.get_by_role("slider", name="Epoch", exact=True).press("Home")
    expect(page.get_by_text("epoch 1 ·")).to_be_visible()
    expect(page.get_by_text("isolated all the time")).to_be_visible()
    assert page.evaluate(shades) != now
    page.get_by_role("button", name="play the epochs", exact=True).first.click()
    expect(page.get_by_text("now", exact=True)).to_be_visible()
    expect(page.get_by_text("isolated all the time")).to_have_count(0)
    assert page.evaluate(shades) == now


def tour_and_errors(page: Page) -> None:
    """The tour goes on and ends; the errors travel back step by step; the page ends as it was."""
    page.get_by_role("button", name="Tour").click()
    expect(page.locator(".lab-guide")).to_contain_text("1/5")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".lab-guide")).to_contain_text("2/5")
    expect(cell(page, "0[24:32]")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="End").click()
    expect(page.locator(".lab-guide")).to_have_count(0)
    page.get_by_role("tab", name="Errors").click()
    page.get_by_role("button", name="Step").click()
    expect(page.locator(".lab-strip rect")).to_have_count(2 * (4 + 1))
    page.get_by_role("tab", name="Challenges").click()
    expect(page.get_by_text("At most 1 % above dense")).to_be_visible()
    page.get_by_role("tab", name="Share").click()
    expect(page.locator("pre.lab-code")).to_have_css("font-family", "monospace")
    state, code = (
        page.locator(its).bounding_box() for its in (".lab-tab input >> visible=true", "pre.lab-code")
    )
    assert state is not None and code is not None and 0 < code["y"] - state["y"] - state["height"] < 60
    page.get_by_role("tab", name="Test week").click()


def in_french(page: Page) -> None:
    """The page speaks French at once, and its address says so; the tabs are left at the runs."""
    page.locator("select", has_text="Français").select_option("Français")
    expect(page.get_by_role("button", name="Entraîner")).to_be_visible()
    expect(page.locator(".lab-price")).to_contain_text("accélération prédite")
    expect(
        page.get_by_alt_text(re.compile("Une semaine de la partie de test.*moyenne du lendemain"))
    ).to_be_visible()
    page.wait_for_url(re.compile("language.*fr"))
    every_control_has_a_name(page, [say("fr", name) for name in SLIDERS], "Profondeur")
    page.get_by_role("tab", name="Essais").click()


def fits_small_screens(page: Page) -> None:
    """At 1024 pixels, and enlarged to 200 % on a small projector, nothing is pushed sideways, and names can be read."""
    cut = "its => its.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"
    for width, height in ((1024, 768), (640, 360), (512, 360)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".lm-TabBar-tabLabel").evaluate_all(cut) == []
        assert page.locator(".lab-table th, .lab-table td").evaluate_all(cut) == []
    page.set_viewport_size(SIZE)  # type: ignore[arg-type]


def opens_without_a_kernel(browser: Browser, content: bytes, folder: Path) -> None:
    """The page as a file: its map, its runs and its pictures, and not a word on the console."""
    (folder / "page.html").write_bytes(content)
    said: list[str] = []
    page = browser.new_page(viewport=SIZE)
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"file://{folder / 'page.html'}")
    expect(page.locator("svg [fill='url(#hatch)']").first).to_be_visible()
    expect(rows(page)).to_have_count(4)
    shown = "its => its.filter((image) => image.complete && image.naturalWidth > 0).length"
    assert page.locator("img.lab-picture").evaluate_all(shown) == 3
    expect(page.locator("pre").last).to_contain_text("ll.fit(")
    assert said == []
    page.close()


def all_fits(page: Page) -> None:
    """Nothing is cut off at the side, and the buttons are there without scrolling."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    for name in ("Train", "Undo", "CSV"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None and box["y"] + box["height"] <= 720


SLIDERS = ["Pick lowest %", "Epoch", "Span", "From epoch", "Steps back"]


def every_control_has_a_name(page: Page, sliders: list[str], group: str) -> None:
    """What a screen reader says of a control; of a slider, at its handle and at its number."""
    its_name = "its => its.map((one) => one.getAttribute('aria-label'))"
    assert page.locator(".noUi-handle").evaluate_all(its_name) == sliders
    assert {*page.locator(".widget-readout").evaluate_all(its_name)} <= {*sliders}
    expect(page.get_by_role("group", name=group, exact=True)).to_be_visible()
    nameless = """its => its.filter((one) => {
      const names = [...one.labels ?? []].map((label) => label.textContent.replace("\\u200b", "").trim());
      names.push(one.getAttribute("aria-label"), one.tagName === "SELECT" ? "" : one.textContent.trim());
      return one.type !== "file" && one.style.display !== "none" && !names.some((name) => name);
    }).map((one) => one.outerHTML)"""
    of_a_page = [f".lab-page {its}" for its in ("button", "input", "select", "[contenteditable=true]")]
    assert page.locator(", ".join(of_a_page)).evaluate_all(nameless) == []
    expect(page.locator(".lab-page .widget-label[title=null]")).to_have_count(0)


def nothing_jumps(page: Page) -> None:
    """What is said of a selection, a depth or a mistake has its room already."""
    places = """() => [".lab-map", ".lab-curves", ".lab-tabs"].map((its) =>
      Math.round(document.querySelector(its).getBoundingClientRect().y))"""
    before = page.evaluate(places)
    for name in ("0/Wx/g", "0[0:8]"):
        cell(page, name).click()
        expect(cell(page, name)).to_have_attribute("aria-pressed", "true")
        assert page.evaluate(places) == before
    for depth in ("hold", "skip", "cache", "cut"):
        page.get_by_role("button", name=depth, exact=True).click()
        expect(page.get_by_text(say("en", f"depth {depth}"))).to_be_visible()
        assert page.evaluate(places) == before
    fill(page, "textbox", "Zone", "0/Wz")
    expect(page.get_by_role("alert")).to_contain_text("Wz")
    assert page.evaluate(places) == before
    page.get_by_role("button", name="Clear").click()
    expect(cell(page, "0/Wx/g")).to_have_attribute("aria-pressed", "false")


def reached_by_keyboard(page: Page) -> None:
    """Arrows lead from a heading to a cell, Enter and Space toggle it, and the focus stays."""
    cell(page, "0").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    name = page.evaluate("document.activeElement.dataset.name")
    assert re.fullmatch(r"0/\w+/\w\[\d+:\d+\]", name), name
    for key, pressed in (("Enter", "true"), (" ", "false")):
        page.keyboard.press(key)
        expect(cell(page, name)).to_have_attribute("aria-pressed", pressed)
    assert page.evaluate("document.activeElement.dataset.name") == name


def test_the_app_answers_what_is_wrong_and_keeps_what_was_learned(
    browser: Browser, app_address: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("time,load\n2020-01-01T00:00Z,1\n2020-01-01T01:00Z,one\n")
    with opened(browser, app_address) as page:
        cell(page, "0").wait_for()
        alert = page.get_by_role("alert")
        fill(page, "textbox", "Zone", "0/Wz")
        expect(alert).to_contain_text("Wz")
        fill(page, "textbox", "Zone", "0/Wh/f[0:8]")
        expect(alert).to_have_count(0)
        expect(cell(page, "0/Wh/f[0:8]")).to_have_attribute("aria-pressed", "true")
        fill(page, "spinbutton", "Epochs", "1000")  # more than can pass until it is stopped
        page.get_by_role("button", name="Train").click()
        expect(page.locator("img.lab-picture").first).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("What was learned until then is kept")).to_be_visible()
        expect(rows(page)).to_have_count(2)
        page.get_by_role("combobox", name="Series").select_option("your file …")
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name=re.compile("Upload")).click()
        chooser.value.set_files(bad)
        expect(alert).to_contain_text("bad.csv")
        expect(alert).to_contain_text("one")
        expect(rows(page)).to_have_count(2)


def test_a_page_whose_program_has_ended_says_so(browser: Browser, tmp_path: Path) -> None:
    with served_app(tmp_path) as address:
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(1000 * WAIT)
        page.goto(address)
        cell(page, "0").wait_for()
        page.evaluate("""() => {
          const { baseUrl, kernelId } = JSON.parse(document.getElementById("jupyter-config-data").textContent);
          return fetch(`${baseUrl}voila/api/shutdown/${kernelId}`, { method: "POST" });
        }""")
        expect(page.locator(".lab-gone")).to_contain_text("has ended")
        page.close()


def test_a_page_that_is_closed_or_loaded_anew_makes_room(browser: Browser, tmp_path: Path) -> None:
    """Where one page is all that the app allows: another waits for its place, and a page for its own.

    What a page has trained is there again when it is loaded anew, also during a training; another has its own.
    """
    with served_app(tmp_path, "--kernels=1") as address:
        first, second = (browser.new_page(viewport=SIZE) for _ in range(2))
        for page in (first, second):
            page.set_default_timeout(1000 * WAIT)
        first.goto(address)
        cell(first, "0").wait_for()
        fill(first, "spinbutton", "Epochs", "1")
        train(first, expected=1)
        fill(first, "spinbutton", "Epochs", "1000")
        first.get_by_role("button", name="Train").click()
        # any epoch: where one takes a tenth of a second, the first is gone before it is looked for
        expect(first.get_by_text(re.compile(r"epoch \d+ of 1000")).first).to_be_visible()
        first.on("dialog", lambda dialog: dialog.accept())  # which asks whether to leave
        first.reload()
        cell(first, "0").wait_for()
        expect(rows(first)).to_have_count(1)
        expect(first.get_by_role("spinbutton", name="Epochs")).to_have_value("1000")
        second.goto(address)
        expect(second.get_by_text("1 page is open, which is all that this app allows")).to_be_visible()
        first.close(run_before_unload=True)
        cell(second, "0").wait_for()
        expect(rows(second)).to_have_count(0)
        second.close()


@pytest.mark.parametrize("width", [670, 811])  # of the table on screens of 1280 and of 1920 pixels
@pytest.mark.parametrize("on", ["", "sceaux last half, 64 units, 4 epochs, seed 1"])
def test_no_number_of_a_run_is_cut_off(browser: Browser, width: int, on: str) -> None:
    row = {
        "run": "12 0/Wx", "on": on, "zone": "0/Wx/fio[0:8] | 0/Wh[0:8] | 0/b[0:8] | 0/Wx/g", "depth": "cut",
        "span": 12, "schedule": "from epoch 2, redrawn", "stopped": "stopped in epoch 3 of 4", "arcs isolated %": 16,
        "predicted speed-up": 11.09, "measured speed-up": 10.08, "seconds": 1204.9, "RMSE": 12345.0, "unit": "kW",
        "seeds": 5, "to dense %": 112.0, "low": 101.0, "high": 123.0, "settings": "",
    }  # fmt: skip
    style = (ROOT / "lstm_lib" / "lab" / "page.css").read_text(encoding="utf-8")
    page = browser.new_page(viewport=SIZE)
    page.set_content(
        f"<style>{style}</style><div class='lab-page' style='width:{width}px'>{rows_as_table([row])}</div>"
    )
    cut = """its => its.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.className)"""
    assert page.locator(".lab-table td").evaluate_all(cut) == []
    assert page.locator(".lab-table").evaluate("its => its.scrollWidth - its.clientWidth") == 0
    page.close()
