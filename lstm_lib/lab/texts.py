"""What the page says, in one table, `texts.tsv`: the text in English is the key of its translation, or a word for it.

A number in a text stands as {} in the table, so that one row serves for all numbers. What isn't in the table, such as
the name of a column or an error of the library, is said as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

LANGUAGES = {"en": "English", "fr": "Français"}
NUMBER = re.compile(r"\d(?:[\d,]*\d)?(?:\.\d+)?")
LINES = (Path(__file__).parent / "texts.tsv").read_text(encoding="utf-8").splitlines()
TEXTS = [line.split("\t") for line in LINES if not line.startswith("#")]
ENGLISH, FRENCH = ({text[0]: text[at] for text in TEXTS} for at in (-2, -1))


def say(language: str, text: str) -> str:
    """The text in a language.

    >>> say("fr", "epoch 2 of 4"), say("en", "epoch 2 of 4"), say("fr", "a name")
    ('époque 2 sur 4', 'epoch 2 of 4', 'a name')
    """
    table = FRENCH if language == "fr" else ENGLISH
    found = table.get(NUMBER.sub("{}", text), table.get(text))
    return text if found is None else found.format(*NUMBER.findall(text))
