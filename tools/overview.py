"""Make docs/overview.png, the picture of the README, from a real run: `python tools/overview.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import demo

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "overview.png"

if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    sys.exit(demo.main(["--out", str(PICTURE), *sys.argv[1:]]))
