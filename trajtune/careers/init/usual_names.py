"""Usual names of the columns and keys of a work history, in several languages.

`trajtune init` recognises names by these words, and the user checks its proposal. The default names of an
experiment are in `sources/column_names.py`.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

Field = str
"""``id``, ``title``, ``start``, ``end``, ``range`` or ``current``."""

_FIELD_WORDS: Final[dict[Field, tuple[str, ...]]] = {
    "title": (
        *("title", "job_title", "jobtitle", "position_title", "role_title", "role", "position"),
        *("position_name", "role_name", "job_name", "job", "occupation", "designation", "profession"),
        *("cargo", "titulo_cargo", "nome_cargo", "funcao", "posicao", "profissao", "ocupacao", "titulo"),
        *("berufsbezeichnung", "stellenbezeichnung", "stelle", "funktion", "taetigkeit", "tatigkeit"),
        *("rolle", "beruf", "titel", "puesto", "posicion", "poste", "fonction", "intitule"),
    ),
    "start": (
        *("start_date", "date_start", "start", "from", "date_from", "from_date", "begin", "begin_date"),
        *("begins", "began", "started", "started_at", "started_on", "starts_at", "since", "joined"),
        *("hired_on", "valid_from", "start_year"),
        *("inicio", "data_inicio", "data_de_inicio", "inicio_em", "desde", "fecha_inicio", "entrada"),
        *("von", "beginn", "anfang", "startdatum", "beginndatum", "datum_von", "seit", "eintritt"),
        *("eintrittsdatum", "debut", "date_debut", "depuis"),
    ),
    "end": (
        *("end_date", "date_end", "end", "to", "date_to", "to_date", "until", "till", "ends", "ended"),
        *("ended_at", "ended_on", "ends_at", "finish", "finish_date", "finished", "finished_on", "left"),
        *("left_on", "valid_to", "valid_until", "end_year"),
        *("fim", "data_fim", "data_de_fim", "termino", "data_termino", "ate", "saida", "fecha_fin"),
        *("hasta", "bis", "ende", "enddatum", "datum_bis", "austritt", "austrittsdatum", "fin", "date_fin"),
    ),
    "range": (
        *("dates", "date_range", "period", "time_period", "timeframe", "duration", "range", "years", "date"),
        *("tenure", "when", "zeitraum", "dauer", "periodo", "periode", "fechas", "datas"),
    ),
    "current": (
        *("is_current", "current", "currently", "is_active", "still_held", "present"),
        *("atual", "cargo_atual", "e_atual", "aktuell", "ist_aktuell", "actual", "actuel"),
    ),
}
_PERSONS: Final = frozenset(
    (
        *("candidate", "candidates", "applicant", "person", "people", "user", "member", "employee"),
        *("talent", "profile", "resume", "cv", "worker", "staff", "candidato", "candidata", "pessoa"),
        *("usuario", "funcionario", "colaborador", "empregado", "perfil", "curriculo", "empleado"),
        *("persona", "bewerber", "kandidat", "person", "personen", "mitarbeiter", "nutzer", "benutzer"),
        *("lebenslauf", "profil", "candidat", "employe", "utilisateur"),
    )
)
_IDS: Final = frozenset(
    (
        *("id", "ids", "uuid", "key", "no", "nr", "num", "number", "nummer", "code", "codigo", "cod"),
        *("pk", "fk", "ref"),
    )
)
_HISTORIES: Final = frozenset(
    (
        *("work", "history", "experience", "experiences", "position", "positions", "role", "roles"),
        *("job", "jobs", "career", "careers", "employment", "employments", "historico", "experiencia"),
        *("experiencias", "cargos", "carreira", "trajetoria", "empregos", "werdegang"),
        *("berufserfahrung", "stationen", "lebenslauf", "laufbahn", "stellen", "historial", "empleos"),
        *("trayectoria", "parcours", "postes"),
    )
)
_OTHER_LISTS: Final = frozenset(
    (
        *("education", "educations", "school", "schools", "degree", "degrees", "course", "courses", "study"),
        *("studies", "certificate", "certificates", "certification", "certifications", "license", "licenses"),
        *("project", "projects", "publication", "publications", "award", "awards", "honors", "volunteer"),
        *("volunteering", "skill", "skills", "language", "languages", "reference", "references", "patents"),
        *("interests", "training", "trainings", "ausbildung", "bildung", "formation", "formacion", "cursos"),
        *("formacao", "educacao", "educacion", "qualifications", "links", "addresses", "contacts"),
    )
)
_CONTACTS: Final = frozenset(
    (
        *(
            "email",
            "mail",
            "e_mail",
            "phone",
            "telephone",
            "telefon",
            "mobile",
            "url",
            "uri",
            "link",
            "linkedin",
        ),
        *("login", "username", "name", "contact", "ssn", "address", "website", "photo"),
    )
)
_NEUTRAL: Final = frozenset({"name", "label", "value", "text", "title", "content", "description"})
"""Keys without a meaning of their own: in `title.name`, the key above says what it is."""
NOT_A_WORD: Final = 1_000
"""A rank worse than that of every word."""


def normalised(name: str) -> str:
    """Return a name in lower case without accents, with underscores: ``startDate`` is ``start_date``."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    decomposed = unicodedata.normalize("NFKD", separated.lower().replace("ß", "ss"))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


def name_rank(field: Field, name: str) -> int:
    """Return how well a name fits a field: 0 is best, `NOT_A_WORD` is no fit.

    A name with dots is a path of keys. Its last key counts, and the one above it if that is clearer.
    """
    above, _, last = name.rpartition(".")
    if not above:
        return _plain_rank(field, name)
    parent = _plain_rank(field, above.rpartition(".")[2])
    if parent < NOT_A_WORD and field != "id":
        return parent + (1 if normalised(last) in _NEUTRAL else 30)
    if field == "id" and normalised(above.rpartition(".")[2]) in {"id", "ids", "identifier", *_PERSONS}:
        return 3 + 10 * above.count(".")
    return min(NOT_A_WORD, _plain_rank(field, last) + 10 * (above.count(".") + 1))


def _plain_rank(field: Field, name: str) -> int:
    plain = normalised(name)
    if field == "id":
        return _id_rank(plain)
    words = _FIELD_WORDS[field]
    if plain in words:
        return words.index(plain)
    shared = [words.index(part) for part in plain.split("_") if part in words]
    return 100 + min(shared) if shared else NOT_A_WORD


def _id_rank(plain: str) -> int:
    parts = frozenset(plain.split("_"))
    if parts & _PERSONS and parts & _IDS:
        return len(parts)
    if any(plain == f"{person}{word}" for person in _PERSONS for word in _IDS):
        return 5
    return 20 if plain in _PERSONS else NOT_A_WORD


def is_history_name(name: str) -> bool:
    """Return whether a table or column of that name probably contains roles or people."""
    return not (_HISTORIES | _PERSONS).isdisjoint(normalised(name).split("_"))


def best_name(field: Field, names: Sequence[str]) -> str | None:
    """Return the name that fits best, the first of equals; None if no name fits."""
    ranked = sorted((name_rank(field, name), index) for index, name in enumerate(names))
    return names[ranked[0][1]] if ranked and ranked[0][0] < NOT_A_WORD else None


def names_roles(path: Sequence[str]) -> bool:
    """Return whether the path of a list names roles."""
    return any(not _HISTORIES.isdisjoint(normalised(key).split("_")) for key in path)


def names_other_list(path: Sequence[str]) -> bool:
    """Return whether the path of a list names something else with dates, for example schools."""
    return any(not _OTHER_LISTS.isdisjoint(normalised(key).split("_")) for key in path)


def is_contact_name(name: str) -> bool:
    """Return whether a column of that name probably contains an address or a name, which people change."""
    return not _CONTACTS.isdisjoint(normalised(name).split("_"))


def names_month(name: str, of: str) -> bool:
    """Return whether a column contains the months of the years in the column ``of``."""
    months = {"month", "months", "mes", "monat", "mois", "mese", "mm"}
    parts, others = set(normalised(name).split("_")), set(normalised(of).split("_"))
    return bool(parts & months) and bool((parts - months) & others or not parts - months)
