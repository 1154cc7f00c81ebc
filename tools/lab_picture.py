"""Make the still picture of the demonstrator for those who see its notebook without a kernel: docs/isolation_lab.png.

    python tools/lab_picture.py

Needs Chromium. Three seeds are trained, dense and isolated, so that the page has something to show.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.browser import ROOT, SIZE, WAIT, chromium, served_app

PICTURE = ROOT / "docs" / "isolation_lab.png"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, served_app(Path(folder)) as address, chromium() as browser:
        page = browser.new_page(viewport=SIZE | {"height": 900})  # all of it, without scrolling
        page.set_default_timeout(1000 * WAIT)
        page.goto(address)
        for number, name in enumerate(("0[0:8]", "0[16:24]", "0[32:40]", "0[48:56]"), start=1):
            page.locator(f'[data-name="{name}"]').first.click()
            page.wait_for_function(f"document.querySelectorAll('.row[aria-pressed=true]').length == {number}")
        page.get_by_role("combobox", name="Seeds").select_option("3")
        page.get_by_role("button", name="Train").click()
        page.wait_for_function(
            "document.querySelectorAll('.lab-table tbody tr').length == 2", timeout=600_000
        )
        page.get_by_text("in the table").wait_for(timeout=600_000)
        page.locator('[data-name="0[48:56]"]').first.hover()
        box = page.locator(".lab-page").bounding_box()
        assert box is not None
        page.screenshot(
            path=PICTURE, clip={"x": 0, "y": 0, "width": SIZE["width"], "height": box["y"] + box["height"]}
        )
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
