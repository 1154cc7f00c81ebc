"""Make the environment of `make setup`; if that fails, take away what was made, and nothing else.

python tools/new_venv.py .venv
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def made_by(folder: Path) -> Path | None:
    """What making the folder makes: itself, or the first of its parents that isn't there; nothing if it is there."""
    lacking = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    return lacking[-1] if lacking else None


def refusal(folder: Path) -> str:
    """Why no environment is made there; nothing if one can be."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
        return f"{folder} holds other files, and no Python environment. Name a folder that isn't there yet"
    if os.path.lexists(folder) and not folder.is_dir():
        return f"{folder} is no folder. Name one that isn't there yet"
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} can't be written. Name a folder that can"
    return ""


def main(name: str) -> int:
    folder = Path(name).absolute()
    if why := refusal(folder):
        print(f"{why}: make setup VENV=...")
        return 1
    new = made_by(folder)
    if not subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False).returncode:
        return 0
    if new is not None:
        shutil.rmtree(new, ignore_errors=True)
    print(f"{sys.executable} -m venv failed (on Debian and Ubuntu: apt install python3-venv).")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
