"""The named populations: their settings, and that their careers match the docs."""

import pytest
from pydantic import ValidationError

from benchmarks.populations import SETS, population, real_careers, statistics
from trajtune.experiment.populations import POPULATIONS
from trajtune.experiment.sources import ProcessSettings

RETURNS, REPEATS = "back to an earlier title", "same title again"
UNSEEN = "title never seen before the 85 % date"


def test_a_population_sets_defaults_and_given_settings_override_them():
    for name, settings in POPULATIONS.items():
        process = ProcessSettings(population=name)
        assert {key: getattr(process, key) for key in settings} == settings
    assert ProcessSettings(population="default") == ProcessSettings()
    process = ProcessSettings(population="returning", returns=0.5, num_families=3)
    assert (process.returns, process.num_families, process.num_specialisations) == (0.5, 3, 2)
    assert ProcessSettings.model_validate(process.model_dump(mode="json")) == process


def test_an_unknown_population_is_refused():
    with pytest.raises(ValidationError, match="'default', 'returning', 'first_role' or 'long_tail'"):
        ProcessSettings(population="retuning")
    with pytest.raises(ValidationError, match="population"):
        ProcessSettings.model_validate({"population": ["returning"]})


def test_each_population_has_the_property_of_its_name():
    found = {name: statistics(population(name, 2_000)) for name in POPULATIONS}
    default, returning, first_role, long_tail = found.values()
    assert default[RETURNS] < 0.03
    assert 0.3 < default[REPEATS] < 0.42
    assert 0.10 < returning[RETURNS] < 0.16
    assert 0.1 < returning[REPEATS] < 0.2
    assert returning["titles"] <= 70
    assert 2.2 < first_role["roles per career"] < 2.4
    assert 0.7 < first_role["careers of two roles"] < 0.85
    assert (
        first_role["first titles differ from later ones"]
        > default["first titles differ from later ones"] + 0.04
    )
    assert 0.4 < long_tail[UNSEEN] < 0.55
    for other in (default, returning, first_role):
        assert other[UNSEEN] < 0.05
    for name in ("returning", "first_role", "long_tail"):
        stays = [found[name][f"same title after a {length} stay"] for length in ("short", "long")]
        assert abs(stays[0] - stays[1]) < 0.09
    assert default["same title after a long stay"] > default["same title after a short stay"] + 0.15


@pytest.mark.parametrize(
    ("name", "careers", "returns", "unseen"),
    [
        ("uk_ministers", 794, 0.05, 0.32),
        ("baseball_teams", 3_052, 0.06, 0.05),
        ("us_federal_judges", 2_095, 0.00, 0.00),
        ("austrian_mps_jobs", 1_484, 0.03, 0.44),
    ],
)
def test_statistics_of_real_careers_match_the_docs(real_data, name, careers, returns, unseen):
    assert name in SETS
    found = statistics(real_careers(name))
    assert found["careers"] == careers
    assert found[RETURNS] == pytest.approx(returns, abs=0.006)
    assert found[UNSEEN] == pytest.approx(unseen, abs=0.006)


def test_statistics_of_a_few_careers_match_manual_counts():
    careers = [("abab", [0, 300, 600, 900]), ("cc", [100, 400]), ("d", [0])]
    found = statistics(careers)
    assert found["careers"] == 2
    assert found["titles"] == 3
    assert found["roles per career"] == 3
    assert found["careers of two roles"] == 0.5
    assert found[REPEATS] == 0.25
    assert found[RETURNS] == 0.5
    assert found["the same, where there is one"] == 1.0
