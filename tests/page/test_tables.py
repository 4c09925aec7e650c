import re

from trajtune.page.tables import ENOUGH_TO_FILTER, Mark, Opens, table_html
from trajtune.page.units import share


def cells(html: str) -> list[str]:
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r"<t[dh][^>]*>([^<]*)<", body)


def test_numbers_keep_their_value_for_sorting_and_show_their_unit() -> None:
    html = table_html(["name", "share"], [("a", share(0.00966312)), ("b", share(None))], "shares")
    assert 'data-order="0.00966312">1.0 %</td>' in html
    assert '<td class="number">not known</td>' in html


def test_no_number_has_an_exponent() -> None:
    assert cells(table_html(["", "n"], [("a", 7.571e-05), ("b", 12000), ("c", 0.25)], "n")) == [
        *("a", "0.00007571", "b", "12,000", "c", "0.25"),
    ]


def test_markup_in_cells_and_names_is_text() -> None:
    html = table_html(["<b>"], [("<script>",), (Mark("<i>", "good"),), (Opens("<a>", "<u>", 1.0),)], '"<x>')
    assert not re.search(r"<(b|script|i|u|x)>", html)


def test_only_long_tables_have_a_filter_and_every_table_downloads() -> None:
    short, long = (
        table_html(["n"], [(str(n),) for n in range(rows)], "numbers")
        for rows in (ENOUGH_TO_FILTER - 1, ENOUGH_TO_FILTER)
    )
    assert 'type="search"' not in short
    assert 'type="search"' in long
    assert all('class="csv"' in html for html in (short, long))
