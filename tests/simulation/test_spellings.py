"""Spellings of titles: as people write them, and all read as the same title."""

from trajtune.dataset.identity.unicode_key import identity
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.spellings import NUM_SPELLINGS, canonical_table, spelling_table, spellings_of


def test_every_form_of_a_title_is_read_as_that_title():
    for title in canonical_table(ProcessSettings()):
        forms = spellings_of(title)
        assert len(forms) == NUM_SPELLINGS
        assert {identity(form) for form in forms} == {identity(title)}


def test_people_write_titles_in_all_the_ways_that_real_ones_do():
    forms = set(spelling_table(ProcessSettings()))
    for form in (
        "Sr. Software Eng.",
        "SENIOR SOFTWARE ENGINEER",
        "senior software engineer",
        "Jr Backend Dev",
    ):
        assert form in forms
    assert any("ç" in form for form in forms)
    assert any("ü" in form for form in forms)
