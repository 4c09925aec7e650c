"""Examples in words."""

from tests.dataset.test_encode import encode
from tests.dataset.test_split import career
from trajtune.dataset.sequences import generate_sequences


def test_sequences_are_the_titles_so_far_and_what_came_next() -> None:
    data = encode(
        career(
            ("A", "2018-01-15", "2019-01-14"),
            ("B", "2019-02-01", "2020-02-01"),
            ("Z", "2020-02-01", None),
            name="x",
        ),
        career(("B", "2018-01-15", "2019-01-14"), ("A", "2019-02-01", "2019-03-01"), name="y"),
    )
    assert list(generate_sequences(data)) == [(("A", "B"), "Z", None, "x"), (("B",), "A", 1.0, "y")]
    assert list(generate_sequences(data, "every_transition")) == [
        (("A",), "B", 12.0, "x"),
        (("A", "B"), "Z", None, "x"),
        (("B",), "A", 1.0, "y"),
    ]
