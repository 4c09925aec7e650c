import subprocess
import sys

from trajtune.page.format import listed, metric_value, number, percent, significant, words


def test_a_number_has_four_significant_digits_and_nothing_else_changes() -> None:
    assert [number(value) for value in (0.123456, 1234567.0, 5e-06, 3, "text", None)] == [
        *("0.1235", "1,235,000", "0.000005", "3", "text", "not known"),
    ]
    assert [significant(value) for value in (0.123456, 12345.6, 3, True, "text", None)] == [
        *(0.1235, 12350.0, 3, True, "text", None),
    ]
    assert significant(0.123456, 2) == 0.12


def test_metrics_have_four_decimals_and_shares_are_in_percent() -> None:
    assert (metric_value(2.5), metric_value(None)) == ("2.5000", "not known")
    assert (percent(0.6846), percent(0.8, 0), percent(None)) == ("68.5 %", "80 %", "not known")


def test_names_are_words_in_a_sentence() -> None:
    assert words("beats_baselines") == "beats baselines"
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_formatting_a_number_imports_no_plotly() -> None:
    code = "import sys, trajtune.page.format; print('plotly' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
