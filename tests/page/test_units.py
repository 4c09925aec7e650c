import pytest

from trajtune.page.units import (
    Quantity,
    decimal,
    metric,
    milliseconds,
    months,
    nats,
    points,
    share,
    tick_format,
)


def test_numbers_are_shown_with_their_units_and_keep_their_value() -> None:
    assert share(0.009663) == Quantity(0.009663, "1.0 %")
    assert points(-0.0211) == Quantity(-0.0211, "-2.1 points")
    assert nats(2.44594) == Quantity(2.44594, "2.446 nats")
    assert months(16.68) == Quantity(16.68, "16.7 months")
    assert milliseconds(0.5591) == Quantity(0.5591, "0.56 ms")
    assert decimal(0.75564) == Quantity(0.75564, "0.756")


def test_what_is_not_known_has_no_unit() -> None:
    for unit in (share, points, nats, months, milliseconds, decimal):
        assert unit(None) == Quantity(None, "not known")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("val_top1", "25.0 %"),
        ("tenure_coverage", "25.0 %"),
        ("val_next_role_nll", "0.250 nats"),
        ("val_tenure_mae_months", "0.2 months"),
        ("latency_ms", "0.25 ms"),
        ("val_hireability_auc", "0.25"),
    ],
)
def test_a_metrics_name_says_its_unit(name: str, text: str) -> None:
    assert metric(name, 0.25).text == text


def test_axes_of_shares_are_in_percent() -> None:
    assert (tick_format("val_top5"), tick_format("val_next_role_nll")) == (".0%", None)
