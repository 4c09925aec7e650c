"""Write `trajtune/careers/parse/date_words.py`: month names of CLDR, and words that mean "until now".

Run it with Babel installed, from the project's root: `python tools/date_words.py`. The package itself does
not need Babel. CLDR has the months in every case that a language writes them in. It has no word for an end
that has not come, and Babel leaves out its words for "now" and "today", so all of those are listed here.
"""

import sys
from collections import defaultdict
from pathlib import Path
from textwrap import fill
from typing import Final

import babel
from babel import Locale

sys.path.insert(0, str(Path(__file__).parents[1]))

from trajtune.careers.parse.plain import plain

TABLE: Final = Path(__file__).parents[1] / "trajtune" / "careers" / "parse" / "date_words.py"
LOCALES: Final = (
    *("en", "de", "de_AT", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "is", "pl", "cs", "sk"),
    *("sl", "hr", "sr", "sr_Latn", "bs", "hu", "ro", "bg", "mk", "ru", "uk", "be", "lt", "lv", "et", "el"),
    *("tr", "id", "ms", "ca", "gl", "eu", "sq", "he", "ar", "hi", "th"),
)
PRESENT: Final = (
    "present|the present|to present|current|currently|now|until now|till now|today|ongoing|to date|till date",
    "still employed|still held|infinity|until today|up to now|until present|till present",
    "heute|bis heute|aktuell|derzeit|jetzt|laufend|gegenwärtig|seither|bis dato|bis jetzt|andauernd",
    "atual|atualmente|presente|o presente|até o momento|o momento|momento|até hoje|hoje|agora|até à data",
    "actual|actualmente|actualidad|la actualidad|hasta la fecha|a la fecha|hoy|hasta hoy|ahora|al presente",
    "aujourd'hui|aujourd’hui|à ce jour|présent|actuel|actuellement|en cours|maintenant|jusqu'à présent",
    "oggi|ad oggi|attuale|attualmente|in corso|adesso|a oggi",
    "heden|tot heden|nu|huidig|momenteel|tot nu|tot op heden|vandaag",
    "nuvarande|pågående|tills vidare|idag|i dag|för närvarande|nuværende|igangværende|d.d.|dags dato",
    "nå|nåværende|pågår|fortsatt|núverandi|núna|nú",
    "nykyinen|nykyään|nykyhetki|edelleen|jatkuu|tähän päivään|tällä hetkellä",
    "obecnie|nadal|do teraz|do dziś|do dzisiaj|aktualnie|do chwili obecnej|teraz",
    "současnost|do současnosti|dosud|nyní|dodnes|aktuálně|po súčasnosť|súčasnosť|doteraz|do súčasnosti",
    "danes|do danes|trenutno|sedaj|danas|do danas|sada|do sada|sadašnjost|данас|сада|тренутно|садашњост",
    "jelenleg|jelen|jelenlegi|napjainkig|mostanáig|folyamatban|prezent|în prezent|până în prezent|acum",
    "настояще|досега|сега|понастоящем|до момента|денес|моментално",
    "настоящее время|по настоящее время|до настоящего времени|н.в.|по н.в.|н. в.|сейчас|по сей день|сегодня",
    "теперішній час|по теперішній час|дотепер|зараз|нині|донині|сьогодні|цяпер|па цяперашні час",
    "dabar|iki dabar|šiuo metu|šiandien|pašlaik|līdz šim|tagad|šobrīd|praegu|tänaseni|praeguseni",
    "σήμερα|παρόν|έως σήμερα|μέχρι σήμερα|τώρα|έως τώρα",
    "günümüz|halen|devam ediyor|şu an|şu anda|bugün|hala",
    "sekarang|saat ini|kini|hingga kini|hari ini|hiện tại|hiện nay|đến nay|nay",
    "actualitat|l'actualitat|actualment|avui|actualidade|hoxe|gaur|gaur egun|orain|tani|aktualisht|sot",
    "היום|כיום|עד היום|הווה|נוכחי|الآن|حتى الآن|الحالي|حاليا|اليوم|حتى اليوم|الحاضر|تاکنون|اکنون",
    "वर्तमान|वर्तमान में|अब तक|आज|ปัจจุบัน|ถึงปัจจุบัน",
    "현재|재직중|재직 중|지금|現在|現在に至る|在職中|至今|现在|目前|迄今|今",
)
OWN_MONTHS: Final = (
    "jaenner|janner|ene|janv|gen",
    "feb|feber|fev|fevr|febb",
    "maerz|mrz|marz|mar",
    "apr|abr|avr",
    "mag",
    "jun|giu",
    "jul|juil|lug",
    "aug|ago",
    "sep|sept|set|setiembre|sett",
    "oct|okt|out|ott",
    "nov",
    "dec|dez|dic",
)
"""Short forms that people use and CLDR lacks; they take precedence over those of other languages."""


def month_words() -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Each month's word with its number; and words of different months, with the number in each language."""
    own = {plain(word): number for number, line in enumerate(OWN_MONTHS, 1) for word in line.split("|")}
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for name in LOCALES:
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, word in Locale.parse(name).months[context][width].items():
                    for form in _forms(plain(word).strip("."), name):
                        found[form][name.split("_")[0]] = number
    clear = {word: numbers.popitem()[1] for word, numbers in found.items() if len(set(numbers.values())) == 1}
    words = clear | own
    return words, {word: numbers for word, numbers in sorted(found.items()) if word not in words}


def _forms(word: str, locale: str) -> list[str]:
    """The forms of a word of three letters or more; Hebrew also joins "in" to the month."""
    if len(word) < 3 or any(c.isdigit() or c.isspace() or c == "." for c in word):
        return []
    return [word, f"ב{word}"] if locale == "he" else [word]


def held_words() -> list[str]:
    """The words for "until now"."""
    return sorted({plain(word) for line in PRESENT for word in line.split("|")})


def table() -> str:
    """The module's text."""
    words, ambiguous = month_words()
    lines = [" ".join(sorted(word for word in words if words[word] == number)) for number in range(1, 13)]
    months = "".join(f"{_text(line)},\n" for line in lines)
    return (
        '"""Words of dates in some forty languages. Written by `tools/date_words.py`; do not edit."""\n\n'
        "from typing import Final\n\n"
        f'BABEL: Final = "{babel.__version__}"\n'
        '"""The version of Babel, and with it of CLDR, that the months are from."""\n\n'
        f"_MONTHS: Final = (\n{months})\n"
        "MONTHS: Final = {word: number for number, line in enumerate(_MONTHS, 1) for word in line.split()}\n"
        '"""The number of each month by its name, as `plain` writes it."""\n\n'
        f"AMBIGUOUS_MONTHS: Final = {ambiguous!r}\n"
        '"""Names of different months in different languages, with the number in each."""\n\n'
        f'HELD_WORDS: Final = frozenset({_text("|".join(held_words()))}.split("|"))\n'
        '"""Words for "until now", as `plain` writes them."""\n'
    )


def _text(words: str) -> str:
    lines = fill(words, 96, break_long_words=False, break_on_hyphens=False).split("\n")
    joined = [f"{line} " for line in lines[:-1]] + lines[-1:]
    return "(\n" + "\n".join(f'    "{line}"' for line in joined) + "\n)"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")  # then format it: `ruff format`
    sys.stdout.write(f"{TABLE}\n")
