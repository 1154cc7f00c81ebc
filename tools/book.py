"""Make the book, a static site of the course and of the package's reference: `make book` writes it to `build/book`.

    python tools/book.py [FOLDER]

Nothing is run: the pages are the repository's own Markdown files, the notebooks with their stored outputs and the
docstrings. A link that leads nowhere, and whatever else Sphinx warns of, is an error. The settings are in
`docs/conf.py`, which takes from here how a notebook and a docstring are read.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat

from lstm_lib.command.arguments import helps

ROOT = Path(__file__).resolve().parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"
LIVE = "*These controls answer in a running notebook alone; the picture beside them shows what they do.*"

# -------------------------------------------------------------------------------------------------------- notebooks


def still(output: Any) -> Any:
    """The output as a page can show it: a picture or a sentence in the place of controls."""
    if WIDGET not in output.get("data", {}):
        return output
    pictures = {kind: data for kind, data in output.data.items() if kind.startswith("image/")}
    return nbformat.from_dict({**output, "data": pictures or {"text/markdown": LIVE}})


def alt(output: Any) -> str | None:
    """The words of a picture; None for any other output."""
    kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
    return output.metadata.get(kinds[0], {}).get("alt", "") if kinds else None


def stored(text: str) -> Any:
    """A notebook for Sphinx: controls stand still, and each picture has a cell of its own, for its words."""
    notebook, cells = nbformat.reads(text, as_version=4), []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type != "code":
            continue
        outputs, cell.outputs = [still(output) for output in cell.outputs], []
        for output in outputs:
            words = alt(output)
            if words is not None and any(alt(earlier) is not None for earlier in cells[-1].outputs):
                cells.append(nbformat.v4.new_code_cell(metadata={"tags": ["remove-input"]}))
            cells[-1].outputs.append(output)
            if words is not None:
                cells[-1].metadata["mystnb"] = {"image": {"alt": words}}
    notebook.cells = cells
    return notebook


def sittings() -> list[str]:
    """A table in Markdown: the time that each notebook names at its top, its checks, and what one needs for it."""
    rows = ["| sitting | time | checks | you need |", "|---|---|---|---|"]
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        said = re.search(r"\*Time\*: (.+?)\. \*You need\*: (.+?)(?:\n\n|$)", cells[0].source, re.S)
        time, need = said.groups() if said else ("", "")
        need = re.sub(r"\]\((?=\w+\.)", "](/notebooks/", " ".join(need.split()))
        title = cells[0].source.partition("\n")[0].lstrip("# ").replace("|", "\\|")
        checks = sum(cell.source.count("course.check(") for cell in cells if cell.cell_type == "code")
        rows.append(
            f"| [{title}](/notebooks/{path.name}) | {time.replace('minutes', 'min')} | {checks or ''} | {need} |"
        )
    return rows


# ------------------------------------------------------------------------------------------------- the command line


def commands() -> dict[str, str]:
    """What `lstm-lib COMMAND --help` says, by what is typed."""
    return {f"lstm-lib {name}".strip(): text for name, text in helps().items()}


# ------------------------------------------------------------------------------------------------------- docstrings

SECTIONS = {"Parameters", "Returns"}
ITEM = re.compile(r"^([\w*., ]+) : (.*)$")
NAME = re.compile(r"[A-Za-z_][\w.]*[A-Za-z\d]")


def inline(line: str) -> str:
    r"""One line of prose in Sphinx's signs: names become links where they lead somewhere, the rest is as it stands.

    >>> print(inline("`fit` takes |x|, `x @ y`, `Plan`s and *args"))
    :py:obj:`fit` takes \|x\|, ``x @ y``, :py:obj:`Plan`\ s and \*args
    """
    parts = re.split(r"`+([^`]+)`+", line)
    for k, part in enumerate(parts):
        if k % 2:
            parts[k] = f":py:obj:`{part}`" if NAME.fullmatch(part) else f"``{part}``"
        else:
            text = re.sub(r"([*|\\])|(?<=\w)(_)(?!\w)", r"\\\1\2", part)
            # what stands close to a name or code is set apart by a blank that isn't shown
            text = re.sub(r"^(?=\w)", r"\\ ", text) if k else text
            parts[k] = re.sub(r"(?<=\w)$", r"\\ ", text) if k < len(parts) - 1 else text
    return "".join(parts)


def paragraph(lines: list[str]) -> list[str]:
    """Prose, or a list of definitions where it begins with `name : what it is`; the latter's names are code."""
    text = re.sub(r",\n(?=\w)", ", ", "\n".join(lines))  # many names, on several lines
    if not ITEM.match(text.splitlines()[0]):
        return [*map(inline, lines), ""]
    made = []
    for line in text.splitlines():
        if item := ITEM.match(line):
            made += ["", ", ".join(f"``{name}``" for name in item[1].split(", ")), f"    {inline(item[2])}"]
        else:
            made.append(inline(line))
    return [*made, ""]


def docstring(text: str) -> list[str]:
    r"""A docstring of this package in Sphinx's signs: sections, definitions, examples, and blocks shown as they stand.

    >>> print("\n".join(docstring("Add.\n\nParameters\n---\nx, y : numbers\n\nAs in:\n\n    f(x)")))
    Add.
    <BLANKLINE>
    .. rubric:: Parameters
    <BLANKLINE>
    <BLANKLINE>
    ``x``, ``y``
        numbers
    <BLANKLINE>
    As in:
    <BLANKLINE>
    ::
    <BLANKLINE>
        f(x)
    <BLANKLINE>
    """
    made: list[str] = []
    for part in re.split(r"\n\n+(?! )", text.strip()):  # an indented block stays with what is above it
        head, *lines = part.splitlines() or [""]
        if head in SECTIONS and lines and set(lines[0]) == {"-"}:
            made += [f".. rubric:: {head}", ""]
            head, *lines = lines[1:] or [""]
        if head.startswith(">>>"):
            made += [head, *lines, ""]
            continue
        above, blank, below = "\n".join([head, *lines]).partition("\n\n")
        made += paragraph(above.splitlines())
        made += ["::", "", *below.splitlines(), ""] if blank else []
    return made


def of_table(value: Any) -> list[str]:
    """What is said of a public name that is a plain value: a docstring of its own it can't have."""
    if isinstance(value, int | float):
        return [f"A number: {value}."]
    keys = ", ".join(f"``{key}``" for key in value)
    return [f"A {type(value).__name__} of {len(value)}: {keys}."]


# ------------------------------------------------------------------------------------------------------ public names


def public(module: str) -> dict[str, Any]:
    """What a module shows: its `__all__`, else what it defines; modules left out. Not what `lstm_lib` itself shows."""
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None) or [
        name
        for name, value in vars(found).items()
        if name[0] != "_" and getattr(value, "__module__", "") == module
    ]
    shown = {name: getattr(found, name) for name in names}
    above = {} if module == "lstm_lib" else public("lstm_lib")
    return {
        name: value
        for name, value in sorted(shown.items(), key=lambda pair: pair[0].lower())
        if not isinstance(value, ModuleType) and not (name in above and above[name] is value)
    }


def entries(module: str, folder: str = "") -> list[str]:
    """The reference of a module in Sphinx's signs, or of those of its names that a folder of the package defines."""
    shown = {
        name: value
        for name, value in public(module).items()
        if getattr(value, "__module__", "").startswith(f"lstm_lib.{folder}")
    } if folder else public(module)  # fmt: skip
    if not shown:
        raise ValueError(f"{module} shows no name of {folder or 'its own'}; see `public` in tools/book.py")
    made = [f".. currentmodule:: {module}", "", ".. autosummary::", "   :nosignatures:", ""]
    made += [*(f"   {name}" for name in shown), ""]
    for name, value in shown.items():
        made += [f".. {kind(value)}:: {module}.{name}", "   :members:" if inspect.isclass(value) else "", ""]
    return made


def kind(value: Any) -> str:
    """The directive that documents it."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"


# ------------------------------------------------------------------------------------------------- the finished pages

ASKED = re.compile(
    r"""<(?:script|img|iframe)\b[^>]*\ssrc=["']https?:[^"']*|<link\b[^>]*rel=["']stylesheet["'][^>]*https?:"""
)
PICTURE = re.compile(r"<img\b[^>]*>")


def faults(folder: Path) -> list[str]:
    """What a page would ask of the network, and pictures without words, a line each."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        text = page.read_text("utf-8")
        found += [
            f"{page.relative_to(folder)} asks the network: {match[0]}" for match in ASKED.finditer(text)
        ]
        pictures = [tag for tag in PICTURE.findall(text) if not re.search(r'\salt="[^"]', tag)]
        found += [f"{page.relative_to(folder)} has a picture without words: {tag[:100]}" for tag in pictures]
    return found


def main(arguments: list[str]) -> int:
    try:
        from sphinx.cmd.build import build_main
    except ModuleNotFoundError:
        raise SystemExit(
            "The book needs Sphinx; `make setup` or pip install -e .[book] installs it."
        ) from None
    to = Path(arguments[0]) if arguments else ROOT / "build" / "book"
    strict = ["--fail-on-warning", "--keep-going", "--quiet", "--nitpicky"]
    failed = build_main([*strict, "-c", str(ROOT / "docs"), "-d", f"{to}.kept", str(ROOT), str(to)])
    found = [] if failed else faults(to)
    print("\n".join(found), end="\n" if found else "")
    if not failed and not found:
        print(f"The book is in {to}; open {to / 'index.html'}.")
    return failed or bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
