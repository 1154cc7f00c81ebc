"""What the page says, in one table, `texts.tsv`: the text in English is the key of its translation, or a word for it.

A number or a name in quotes stands as {} in the table, so that one row serves for all. What isn't in the table, such
as the name of a column or an error of the library, is said as it is.
"""

from __future__ import annotations

import re
from pathlib import Path

LANGUAGES = {"en": "English", "fr": "Français"}
NUMBER = re.compile(r"'[^']*'|\d(?:[\d,]*\d)?(?:\.\d+)?")
LINES = (Path(__file__).parent / "texts.tsv").read_text(encoding="utf-8").splitlines()
TEXTS = [line.split("\t") for line in LINES if not line.startswith("#")]
MONTHS = next(text for text in TEXTS if text[0].startswith("Jan "))
TEXTS += map(list, zip(*map(str.split, MONTHS), strict=True))
ENGLISH, FRENCH = ({text[0]: text[at] for text in TEXTS} for at in (-2, -1))
# What stands in the name of a run, in settings or in a date.
WORDS = re.compile(
    r"\b(?:redrawn|of arcs|span \d+|units|epochs|seed|last quarter|last half|windows|(?<= )all(?=,| windows|$)|"
    rf"{MONTHS[0].replace(' ', '|')})\b"
)


def say(language: str, text: str) -> str:
    """The text in a language.

    >>> say("fr", "epoch 2 of 4"), say("en", "epoch 2 of 4"), say("fr", "a name")
    ('époque 2 sur 4', 'epoch 2 of 4', 'a name')
    """
    table = FRENCH if language == "fr" else ENGLISH
    found = table.get(NUMBER.sub("{}", text), table.get(text))
    given = NUMBER.findall(text)
    if language == "fr":  # where 1,100 would be little more than 1
        given = [one if one[0] == "'" else one.replace(",", "\u202f") for one in given]
    return text if found is None else found.format(*given)


def say_within(language: str, text: str) -> str:
    """The name of a run, settings or a date in a language.

    >>> say_within("fr", "2 50 % redrawn cut"), say_within("fr", "sceaux all, 8 units"), say_within("fr", "1 Feb 2010")
    ('2 50 % tiré à nouveau cut', 'sceaux toutes, 8 unités', '1 févr. 2010')
    """
    return WORDS.sub(lambda found: say(language, found[0]), text)
