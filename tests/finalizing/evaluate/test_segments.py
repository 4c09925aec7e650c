import pytest

from trajtune.dataset.identity.unicode_key import identity
from trajtune.finalizing.evaluate.segments import level_of


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("Software Engineer", "no level named"),
        ("Sr. Software Engineer", "senior"),
        ("Junior Developer", "entry"),
        ("Assistant Manager", "entry"),
        ("VP Engineering", "manager"),
        ("President", "executive"),
        ("CTO", "executive"),
        ("Head of Data", "manager"),
        ("Gerente de Produção", "manager"),
    ],
)
def test_a_title_names_its_level(title: str, level: str) -> None:
    assert level_of(frozenset(identity(title).split())) == level


def test_each_person_is_in_exactly_one_segment(metrics: dict) -> None:
    for rows in metrics["segments"].values():
        assert sum(row["num"] for row in rows) == metrics["test"]["num_examples"]
        assert sum(row["num"] * row["top1"] for row in rows) == pytest.approx(
            metrics["test"]["num_examples"] * metrics["test"]["next_role_top1"]
        )
