"""Simulated titles: their number matches the settings, and all are different."""

from trajtune.dataset.identity.unicode_key import identity
from trajtune.experiment.sources import ProcessSettings
from trajtune.simulation.generator import num_titles
from trajtune.simulation.spellings import canonical_table
from trajtune.simulation.title_names import LANGUAGES


def test_the_default_has_840_titles_and_the_largest_over_fifty_thousand_without_duplicates():
    assert num_titles(ProcessSettings()) == 840
    largest = ProcessSettings(num_families=12, num_specialisations=600)
    titles = canonical_table(largest)
    assert len(titles) == len(LANGUAGES) * num_titles(largest) == 3 * 50_400
    assert len({identity(title) for title in titles}) == len(titles)
