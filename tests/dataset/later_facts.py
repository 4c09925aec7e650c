"""Careers of a few titles and near dates, and every kind of change to what became known after a day."""

from calendar import monthrange
from datetime import date, timedelta
from random import Random
from typing import Any

FORMS = ("%Y-%m-%d", "%Y-%m", "%Y")
TITLES = ("A", "B", "Söme one")
Role = dict[str, Any]
Career = list[Role]

CUTOFFS = (date(2010, 4, 17), date(2012, 8, 1), date(2014, 1, 1))
"""The train cutoff, the first day of the calibration window and the val cutoff."""


def last_day(text: str | None) -> date:
    """The last day that a date as it was written may stand for; the end of time for none."""
    if text is None:
        return date.max
    year, *rest = map(int, text.split("-"))
    month = rest[0] if rest else 12
    return date(year, month, rest[1] if len(rest) > 1 else monthrange(year, month)[1])


def role(title: str, start: str, end: str | None) -> Role:
    # An end before its start is a fault that is as old as the end; it is no later fact.
    end = end if end is None or last_day(end) >= last_day(start) else None
    return {"title": title, "start_date": start, "end_date": end, "is_current": None}


def some_career(rng: Random) -> Career:
    """Few titles, and dates near each other and near the cutoffs, so that ties and repeats are common."""
    career: Career = []
    for _ in range(rng.randint(1, 4)):
        start, form = some_day(rng), rng.choice(FORMS)
        end = rng.choice([None, rng.choice([*CUTOFFS, start]) + timedelta(days=rng.randint(-300, 900))])
        text = rng.choice(career)["start_date"] if career and rng.random() < 0.3 else start.strftime(form)
        career.append(role(rng.choice(TITLES), text, end and end.strftime(rng.choice(FORMS))))
    return career


def some_day(rng: Random) -> date:
    if rng.random() < 0.05:
        return date(1936, 5, 5)  # an end some years before the cutoffs makes seventy years
    return date(2005, 1, 1) + timedelta(days=rng.randrange(3650))


class Later:
    """Draws facts that were not known before a day."""

    def __init__(self, rng: Random, day: date) -> None:
        self.rng, self.day = rng, day

    def text(self) -> str:
        day = self.day + timedelta(days=self.rng.choice([0, 1, 30, 400, 1500]))
        return day.strftime(self.rng.choice(FORMS))

    def title(self) -> str:
        return self.rng.choice((*TITLES, "Astronaut"))

    def begun(self, career: Career) -> Role | None:
        """One of the roles that began on the day or later, as far as is known."""
        return self.one_of([entry for entry in career if last_day(entry["start_date"]) >= self.day])

    def open(self, career: Career) -> Role | None:
        """One of the roles that have no end, or one that was not known."""
        return self.one_of([entry for entry in career if last_day(entry["end_date"]) >= self.day])

    def one_of(self, roles: Career) -> Role | None:
        return self.rng.choice(roles) if roles else None


def add_a_role(career: Career, later: Later) -> None:
    career.insert(later.rng.randint(0, len(career)), role(later.title(), later.text(), None))


def remove_a_role(career: Career, later: Later) -> None:
    if entry := later.begun(career):
        career.remove(entry)


def move_a_start(career: Career, later: Later) -> None:
    if entry := later.begun(career):
        entry.update(start_date=later.text(), end_date=None)


def give_an_end(career: Career, later: Later) -> None:
    """Add an end, or move one."""
    if entry := later.open(career):
        entry["end_date"] = later.text()


def remove_an_end(career: Career, later: Later) -> None:
    if entry := later.open(career):
        entry["end_date"] = None


def swap_ends(career: Career, later: Later) -> None:
    first, second = later.open(career), later.open(career)
    if first and second:
        first["end_date"], second["end_date"] = second["end_date"], first["end_date"]


def say_that_one_is_current(career: Career, later: Later) -> None:
    if entry := later.open(career):
        entry["is_current"] = True


def change_a_title(career: Career, later: Later) -> None:
    if entry := later.begun(career):
        entry["title"] = later.title()


def repeat_a_role(career: Career, later: Later) -> None:
    if entry := later.begun(career):
        career.append(dict(entry))


def repeat_a_role_with_a_later_end(career: Career, later: Later) -> None:
    if entry := later.one_of(career):
        career.append({**entry, "end_date": later.rng.choice([None, later.text()])})


def reverse_the_list(career: Career, later: Later) -> None:
    career.reverse()


CHANGES = (
    add_a_role,
    remove_a_role,
    move_a_start,
    give_an_end,
    remove_an_end,
    swap_ends,
    say_that_one_is_current,
    change_a_title,
    repeat_a_role,
    repeat_a_role_with_a_later_end,
    reverse_the_list,
)
