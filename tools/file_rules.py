"""What a committed file may not hold: machine paths, package indexes, more than 2 MB. Prints each fault.

    python tools/file_rules.py FILE...

Run by pre-commit on what is about to be committed, and by tests/project/test_files.py on all that is.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

MB = 1_000_000
LARGEST = 2 * MB
LARGEST_NOTEBOOK = 1_500_000  # the code-hosting sites stop showing larger ones

# Written so that no pattern matches its own source.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w./-])/(?:root|work|home|Users)/\w|/tmp/ipykernel[_]\d"),
    "a package index": re.compile(
        r"--(?:extra-)?index[-]url|--find[-]links|https?://[^\s\"]*/simple[/]|\"resolved\": *\"http[s]?:"
    ),
}


def faults(path: Path) -> list[str]:
    """Every rule that the file breaks, as one line each that says where."""
    size, limit = path.stat().st_size, LARGEST_NOTEBOOK if path.suffix == ".ipynb" else LARGEST
    found = [f"{path}: {size / MB:.1f} MB, at most {limit / MB} are allowed"] if size > limit else []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return found  # pictures and compressed series
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in FORBIDDEN.items():
            if match := pattern.search(line):
                found.append(f"{path}:{number}: {what}: {match[0]!r}")
    return found


def main(arguments: list[str]) -> int:
    found = [fault for argument in arguments for fault in faults(Path(argument))]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
