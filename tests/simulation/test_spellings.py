"""Spellings of titles: they are realistic, and all are identified as the same title."""

from trajtune.dataset.identity.unicode_key import identity
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.spellings import NUM_SPELLINGS, canonical_table, spelling_table, spellings_of


def test_every_spelling_is_identified_as_the_same_title():
    for title in canonical_table(ProcessSettings()):
        forms = spellings_of(title)
        assert len(forms) == NUM_SPELLINGS
        assert {identity(form) for form in forms} == {identity(title)}


def test_spellings_include_common_variants():
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
