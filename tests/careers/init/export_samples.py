"""Small invented samples of common export formats of work histories."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

PEOPLE: Final = 12
Stay = tuple[str, tuple[int, int], tuple[int, int] | None]
"""Title, year and month of the start, and year and month of the end; None: still held."""

MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def stays(person: int) -> list[Stay]:
    """Return three jobs of a person; the last one is still held."""
    year, month = 2005 + person, 1 + person % 12
    return [
        ("Nurse", (year, month), (year + 2, month)),
        (f"Head nurse {person % 2}", (year + 2, month), (year + 4, month)),
        ("Director", (year + 4, month), None),
    ]


def people_data_labs(folder: Path) -> Path:
    """Return JSON lines of people whose titles are objects and whose education looks like experience."""
    records = [
        {
            "id": f"pdl{person}_0000",
            "full_name": f"person {person}",
            "job_title": "director",
            "experience": [
                {
                    "company": {"name": f"clinic {person}", "size": "51-200"},
                    "start_date": f"{start[0]}-{start[1]:02}",
                    "end_date": f"{end[0]}-{end[1]:02}" if end else None,
                    "title": {"name": title, "role": "health", "sub_role": "nursing", "levels": ["senior"]},
                    "is_primary": end is None,
                }
                for title, start, end in reversed(stays(person))
            ],
            "education": [
                {
                    "school": {"name": "x"},
                    "degrees": ["bsc"],
                    "start_date": "1999",
                    "end_date": "2003",
                    "title": "bsc",
                }
            ],
        }
        for person in range(PEOPLE)
    ]
    return _lines(folder / "people.jsonl", records)


def proxycurl(folder: Path) -> Path:
    """Return a JSON array of profiles whose dates are objects."""

    def day(at: tuple[int, int] | None) -> dict[str, int] | None:
        return {"day": 1, "month": at[1], "year": at[0]} if at else None

    profiles = [
        {
            "public_identifier": f"person-{person}",
            "occupation": "Director",
            "experiences": [
                {"starts_at": day(start), "ends_at": day(end), "company": f"Clinic {person}", "title": title}
                for title, start, end in stays(person)
            ],
            "education": [
                {"starts_at": day((1999, 9)), "ends_at": day((2003, 6)), "degree_name": "BSc", "title": "BSc"}
            ],
        }
        for person in range(PEOPLE)
    ]
    return _document(folder / "profiles.json", profiles)


def linkedin(folder: Path) -> Path:
    """Write LinkedIn's own export: one folder per person, without ids in the files."""
    for person in range(PEOPLE):
        export = folder / "exports" / f"person{person}"
        export.mkdir(parents=True)
        rows = [
            f'Clinic {person},{title},,"Bern, Switzerland",{MONTHS[start[1] - 1]} {start[0]},'
            + (f"{MONTHS[end[1] - 1]} {end[0]}" if end else "")
            for title, start, end in reversed(stays(person))
        ]
        head = "Company Name,Title,Description,Location,Started On,Finished On"
        (export / "Positions.csv").write_text("\n".join([head, *rows]) + "\n", "utf-8")
        education = "School Name,Start Date,End Date,Notes,Degree Name,Activities\nX,1999,2003,,BSc,\n"
        (export / "Education.csv").write_text(education, "utf-8")
    return folder / "exports"


def json_resume(folder: Path) -> Path:
    """Write one JSON Resume file per person."""
    target = folder / "resumes"
    target.mkdir()
    for person in range(PEOPLE):
        resume = {
            "basics": {"name": f"Person {person}", "label": "Director", "email": f"p{person}@example.org"},
            "work": [
                {
                    "name": f"Clinic {person}",
                    "position": title,
                    "startDate": f"{start[0]}-{start[1]:02}-01",
                    **({"endDate": f"{end[0]}-{end[1]:02}-01"} if end else {}),
                    "highlights": ["care"],
                }
                for title, start, end in stays(person)
            ],
            "volunteer": [
                {
                    "organization": "x",
                    "position": "Helper",
                    "startDate": "2001-01-01",
                    "endDate": "2002-01-01",
                }
            ],
            "education": [
                {"institution": "x", "area": "Care", "startDate": "1999-01-01", "endDate": "2003-01-01"}
            ],
        }
        _document(target / f"resume{person}.json", resume)
    return target


def europass(folder: Path) -> Path:
    """Write Europass JSON per person, with periods as objects and lists under two keys."""
    target = folder / "europass"
    target.mkdir()
    for person in range(PEOPLE):
        work = [
            {
                "Period": {
                    "From": {"Year": start[0], "Month": start[1]},
                    **({"To": {"Year": end[0], "Month": end[1]}} if end else {"Current": True}),
                },
                "Position": {"Code": "2221", "Label": title},
                "Employer": {"Name": f"Clinic {person}"},
            }
            for title, start, end in reversed(stays(person))
        ]
        education = [
            {
                "Period": {"From": {"Year": 1999}, "To": {"Year": 2003}},
                "Title": "BSc",
                "Organisation": {"Name": "x"},
            }
        ]
        learner = {
            "Identification": {"PersonName": {"FirstName": "P"}},
            "WorkExperience": work,
            "Education": education,
        }
        _document(target / f"cv{person}.json", {"SkillsPassport": {"Locale": "en", "LearnerInfo": learner}})
    return target


def orcid(folder: Path) -> Path:
    """Write ORCID records: groups of summaries whose dates consist of objects."""

    def day(at: tuple[int, int] | None) -> Any:
        if at is None:
            return None
        return {"year": {"value": str(at[0])}, "month": {"value": f"{at[1]:02}"}, "day": None}

    def groups(kind: str, found: list[Stay]) -> dict[str, Any]:
        return {
            "affiliation-group": [
                {
                    "summaries": [
                        {
                            f"{kind}-summary": {
                                "role-title": title,
                                "start-date": day(start),
                                "end-date": day(end),
                            }
                        }
                    ]
                }
                for title, start, end in found
            ]
        }

    records = [
        {
            "orcid-identifier": {
                "uri": f"https://example.org/{person}",
                "path": f"0000-0000-0000-{person:04}",
            },
            "activities-summary": {
                "educations": groups("education", [("BSc", (1999, 9), (2003, 6))]),
                "employments": groups("employment", stays(person)),
            },
        }
        for person in range(PEOPLE)
    ]
    return _lines(folder / "records.jsonl", records)


def popolo_memberships(folder: Path) -> Path:
    """Write Popolo's memberships: an array with one row per role."""
    rows = [
        {
            "person_id": f"person/{person}",
            "organization_id": "party/x",
            "role": title,
            "start_date": f"{start[0]}-{start[1]:02}-01",
            "end_date": f"{end[0]}-{end[1]:02}-01" if end else None,
        }
        for person in range(PEOPLE)
        for title, start, end in stays(person)
    ]
    return _document(folder / "memberships.json", rows)


def popolo_document(folder: Path) -> Path:
    """Write a complete Popolo document with arrays of people and memberships."""
    rows = json.loads(popolo_memberships(folder).read_text("utf-8"))
    people = [{"id": f"person/{person}", "name": f"Person {person}"} for person in range(PEOPLE)]
    organizations = [{"id": "party/x", "name": "X", "classification": "party"}]
    document = {"persons": people, "organizations": organizations, "memberships": rows}
    return _document(folder / "popolo.json", document)


def ranges(folder: Path) -> Path:
    """Write a CSV file with both dates in one column."""
    rows = [
        f"{person},{title},{MONTHS[start[1] - 1]} {start[0]} - "
        + (f"{MONTHS[end[1] - 1]} {end[0]}" if end else "Present")
        for person in range(PEOPLE)
        for title, start, end in stays(person)
    ]
    path = folder / "history.csv"
    path.write_text("\n".join(["person_id,job_title,dates", *rows]) + "\n", "utf-8")
    return path


def nested_terms(folder: Path) -> Path:
    """Write people as congress-legislators does: ids in an object, `terms` with `type`."""
    records = [
        {
            "id": {"bioguide": f"B{person:05}", "wikidata": f"Q{person}"},
            "terms": [
                {
                    "title": title,
                    "start": f"{start[0]}-{start[1]:02}-01",
                    "end": f"{end[0]}-{end[1]:02}-01" if end else None,
                }
                for title, start, end in stays(person)
            ],
        }
        for person in range(PEOPLE)
    ]
    return _lines(folder / "people.jsonl", records)


SAMPLES: Final[dict[str, Callable[[Path], Path]]] = {
    sample.__name__: sample
    for sample in (
        *(people_data_labs, proxycurl, linkedin, json_resume, europass, orcid),
        *(popolo_memberships, popolo_document, ranges, nested_terms),
    )
}


def _lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def _document(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content, indent=2), "utf-8")
    return path
