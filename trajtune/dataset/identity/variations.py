"""Words that people abbreviate or spell in two ways, in ten languages.

The tables contain words in the form of the keys: in lower case, without punctuation. An entry must have one
meaning in its language, and must not imply a gender. So `Ing.`, `Dir.` and `Leiter` are left to the user's
synonyms.
"""

from collections.abc import Mapping
from typing import Final

SERVICE: Final[Mapping[str, str]] = {
    "sr": "senior",
    "jr": "junior",
    "mgr": "manager",
    "eng": "engineer",
    "dev": "developer",
    "swe": "software engineer",
    "pm": "product manager",
    "vp": "vice president",
    "cto": "chief technology officer",
    "ceo": "chief executive officer",
    "cfo": "chief financial officer",
    "coo": "chief operating officer",
}
"""The table of the serving contract; both keys use it."""

_ENGLISH: Final = {
    "snr": "senior",
    "jnr": "junior",
    "asst": "assistant",
    "assoc": "associate",
    "mgmt": "management",
    "mktg": "marketing",
    "dept": "department",
    "intl": "international",
    "govt": "government",
    "svp": "senior vice president",
    "evp": "executive vice president",
    "sde": "software development engineer",
    "dotnet": ".net",
    "csharp": "c#",
    "fsharp": "f#",
    "cplusplus": "c++",
}
_PORTUGUESE: Final = {
    "sênior": "senior",
    "sénior": "senior",  # also Spanish and French
    "júnior": "junior",
    "ger": "gerente",
    "gte": "gerente",  # also Spanish
    "aux": "auxiliar",  # also Spanish
    "depto": "departamento",  # also Spanish
}
_SPANISH: Final = {
    "dpto": "departamento",
    "rrhh": "recursos humanos",
    "vtas": "ventas",
}
_FRENCH: Final = {
    "pdg": "présidentdirecteur général",  # the hyphen is removed
    "drh": "directeur des ressources humaines",
    "daf": "directeur administratif et financier",
    "raf": "responsable administratif et financier",
}
_GERMAN: Final = {
    "abt": "abteilung",
    "abtleiter": "abteilungsleiter",
    "abtleiterin": "abteilungsleiterin",
    "stellv": "stv",
    "kaufm": "kfm",
    "selbstständig": "selbständig",
    "selbstständige": "selbständige",
    "selbstständiger": "selbständiger",
}
_ITALIAN: Final = {
    "uff": "ufficio",
    # People write an apostrophe instead of the accent, and the apostrophe is removed.
    "attivita": "attività",
    "contabilita": "contabilità",
    "pubblicita": "pubblicità",
    "qualita": "qualità",
    "sanita": "sanità",
    "societa": "società",
    "universita": "università",
}
_DUTCH: Final = {
    "mdw": "medewerker",
    "plv": "plaatsvervangend",
    "verpl": "verpleegkundige",
    "wnd": "waarnemend",
}
_POLISH: Final = {
    "dyr": "dyrektor",
    "kier": "kierownik",
    "zca": "zastępca",  # z-ca
}
_SWEDISH: Final = {
    "avd": "avdelning",
    "avdchef": "avdelningschef",
    "bitr": "biträdande",
    "sjuksk": "sjuksköterska",
    "vd": "verkställande direktör",
}
_RUSSIAN: Final = {
    "вед": "ведущий",
    "ген": "генеральный",
    "гендиректор": "генеральный директор",
    "главбух": "главный бухгалтер",
    "зам": "заместитель",
    "замдиректора": "заместитель директора",
    "инж": "инженер",
    "мл": "младший",
    "нач": "начальник",
    "пом": "помощник",
    "рук": "руководитель",
    "спец": "специалист",
    "ст": "старший",
}
VARIATIONS: Final[Mapping[str, str]] = {
    **SERVICE,
    **_ENGLISH,
    **_PORTUGUESE,
    **_SPANISH,
    **_FRENCH,
    **_GERMAN,
    **_ITALIAN,
    **_DUTCH,
    **_POLISH,
    **_SWEDISH,
    **_RUSSIAN,
}
"""All tables in one. No word has different meanings in two tables."""

LETTERS: Final[Mapping[str, str]] = {
    "i\u0307": "i",  # the lower case of the Turkish capital with a dot
    "ı": "i",  # its capital is the same as that of i
    "ё": "е",  # Russian texts often omit the dots
}
"""Letters that are written in two ways, after case folding, and their replacements."""
