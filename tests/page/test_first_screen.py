import re

from trajtune.page.first_screen import FirstScreen, Headline, Other, badge_html, first_screen_html, prose


def headline(**changes: object) -> Headline:
    others = [
        Other("best baseline", "2.0 nats", 2.0, "#111111"),
        Other("best possible", "1.0 nats", 1.0, "#222222"),
    ]
    fields = {"name": "NLL", "text": "1.2 nats", "value": 1.2, "colour": "#333333", "others": others}
    return Headline(**{**fields, **changes})  # type: ignore[arg-type]


def places(html: str) -> dict[str, float]:
    return {colour: float(left) for left, colour in re.findall(r"left:([\d.]+)%;background:(#\d+)", html)}


def test_the_better_side_of_a_gauge_is_the_right_one() -> None:
    lower, higher = (
        places(first_screen_html(FirstScreen("Ship", "good", [headline(higher_is_better=higher)])))
        for higher in (False, True)
    )
    assert lower["#111111"] < lower["#333333"] < lower["#222222"]
    assert higher["#222222"] < higher["#333333"] < higher["#111111"]
    assert all(0 < place < 100 for place in (*lower.values(), *higher.values()))


def test_equal_values_have_no_gauge() -> None:
    screen = FirstScreen("Ship", "good", [headline(others=[Other("other", "1.2 nats", 1.2, "#111111")])])
    assert "gauge" not in first_screen_html(screen)


def test_a_badge_has_a_sign_beside_its_colour() -> None:
    assert [
        re.sub("<[^>]+>", "", badge_html(FirstScreen("B", tone))) for tone in ("good", "bad", "open")
    ] == [
        *("✓ B", "✗ B", "? B"),
    ]


def test_backticks_are_code_and_markup_is_text() -> None:
    assert prose("`a` < `b`") == "<code>a</code> &lt; <code>b</code>"
