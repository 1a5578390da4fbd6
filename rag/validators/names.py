"""Whether two names are one: abbreviations, initials, possessives, adjectives. Knows how names are shortened; knows no text."""

from collections.abc import Collection, Sequence

PEOPLES = frozenset(
    "african american arab argentine argentinian asian australian austrian belgian bolivian brazilian british bulgarian canadian chilean chinese "
    "colombian croatian cuban czech danish dutch egyptian english estonian ethiopian european finnish french german ghanaian greek hungarian "
    "icelandic indian indonesian iranian iraqi irish israeli italian jamaican japanese jewish jordanian kenyan korean latvian lebanese libyan "
    "lithuanian malaysian mexican mongolian moroccan nepalese nigerian norwegian pakistani palestinian persian peruvian polish portuguese roman "
    "romanian russian saudi scottish serbian slovak slovenian somali spanish sudanese swedish swiss syrian thai tunisian turkish ugandan "
    "ukrainian venezuelan vietnamese welsh".split()
)
"""Adjectives that are names even where nothing is capitalised."""
LONGEST_ABBREVIATION = 6
LEAST_STEM = 4
"""Letters that a name and its adjective share: `Africa` and `African`, `Peru` and `Peruvian`."""


def may_be_same(name: str, other: str) -> bool:
    """Whether two names may be forms of one: `LA` or `US` abbreviate, `African` and `Africa` share a stem."""
    for short, long in ((name, other), (other, name)):
        if len(short) <= LEAST_STEM and short.isupper() and long[0].upper() in short:
            return True
    return name[:LEAST_STEM].casefold() == other[:LEAST_STEM].casefold()


def held(name: str, said: Collection[str], initials: str) -> bool:
    """Whether the written words hold a form of a name, or neighbouring ones begin with its letters, where it is an abbreviation."""
    letters = name.replace(".", "").removesuffix("s")
    if 2 <= len(letters) <= LONGEST_ABBREVIATION and letters.isupper() and letters in initials:
        return True
    stem = name[:LEAST_STEM].casefold()
    plural = len(stem) + 1 if len(stem) < LEAST_STEM else None
    return any(word.casefold().startswith(stem) and (plural is None or len(word) <= plural) for word in said)


def abbreviated(run: Sequence[str], said: Collection[str]) -> bool:
    """Whether the written words hold the initials of a name of several words."""
    return len(run) > 1 and "".join(name[0].upper() for name in run) in said
