"""How long a click on the demonstrator's map waits for its price: at rest, and during a training.

    python -m benchmarks.clicks [--units 64 256] [--blocks 32] [--clicks 20]

Without a browser: from the moment at which a click is due until the price, the map and all that follows of it are on
their way. The page trains in the loop that hears clicks, so a click waits for the step under way; that training is a
dense and an isolated one in turn. Beside wall time stands what the answer took of the processor.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from lstm_lib.lab import Settings
from lstm_lib.lab.page import Page
from lstm_lib.lab.training import prepare

PAUSE = 0.15  # seconds between two clicks, on average


class Clicks:
    """Clicks on a page, and how long each took: seconds since it was due, seconds of the processor for its answer."""

    def __init__(self, page: Page, count: int) -> None:
        self.page, self.took = page, list[tuple[float, float]]()
        self.cells = [item["name"] for item in page.map.items if item["kind"] == "cell"]
        self.rng, self.count = np.random.default_rng(0), count

    def click(self, due: float) -> None:
        """A click on a cell that isn't isolated yet; its price is another one."""
        name, before, began = str(self.rng.choice(self.cells)), self.page.state.zone, time.thread_time()
        self.page.heard({"kind": "toggle", "name": name})
        assert self.page.state.zone != before and not self.page.state.wrong
        self.took.append((time.perf_counter() - due, time.thread_time() - began))

    async def at(self, during: Callable[[], bool]) -> pd.Series:
        """Their times while something is the case."""
        self.took.clear()
        while during() and len(self.took) < self.count:
            delay = float(self.rng.uniform(0.5, 1.5)) * PAUSE
            asyncio.get_running_loop().call_later(delay, self.click, time.perf_counter() + delay)
            known = len(self.took)
            while len(self.took) == known:
                await asyncio.sleep(0.001)
        waited, processor = 1000 * np.array(self.took).T
        low, middle, high = np.quantile(waited, [0.25, 0.5, 0.75])
        return pd.Series({"clicks": len(waited), "median ms": middle, "25 %": low, "75 %": high, "worst": waited.max(),
                          "processor ms": np.median(processor)})  # fmt: skip


async def measure(units: tuple[int, ...], blocks: int, count: int) -> pd.DataFrame:
    """The times for one network, at rest and during a training that is stopped then."""
    page = Page(Settings(units=units, epochs=1000))
    await asyncio.to_thread(prepare, page.state.settings)
    page.blocks.value, page.seeds.value = blocks, 5
    page.text.value = "0[0:2]"
    clicks = Clicks(page, count)
    clicks.click(time.perf_counter())  # what is remembered from then on
    found = {"at rest": await clicks.at(lambda: True)}
    page.train()
    while page.state.live is not None and not page.state.live.place:
        await asyncio.sleep(0.01)
    found["during a training"] = await clicks.at(lambda: page.state.live is not None)
    page.halt.click()
    while page.state.live is not None:
        await asyncio.sleep(0.01)
    return pd.DataFrame(found).T


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=32)
    parser.add_argument("--clicks", type=int, default=20)
    given = parser.parse_args()
    for units in given.units:
        found = asyncio.run(measure((units,) * given.layers, given.blocks, given.clicks))
        print(f"{given.layers} × {units} units, {given.blocks} blocks:\n{found.round(1).to_string()}\n")


if __name__ == "__main__":
    main()
