import runpy
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajtune.careers.parse import date_words
from trajtune.careers.parse.dates import DateRules, Reading, parse_date, parse_dates
from trajtune.careers.schema import Precision
from trajtune.experiment.settings import DataSettings

EPOCH = date(1970, 1, 1)
MONTHS = {
    "English": "January February March April May June July August September October November December",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre"
    " novembre dicembre",
}


def read(
    text: str, day_first: bool | None = None, years: int | None = None, language: str | None = None
) -> tuple[date, Precision] | Reading:
    days, precision, reading = parse_date(text, DateRules(day_first, years, language))
    return Reading(reading) if reading else (EPOCH + timedelta(days=days), Precision(precision))


@pytest.mark.parametrize(
    ("text", "expected", "precision"),
    [
        ("2020-01-15", date(2020, 1, 15), Precision.DAY),
        ("2020-1-5", date(2020, 1, 5), Precision.DAY),
        ("2020/01/15", date(2020, 1, 15), Precision.DAY),
        ("2020.01.15", date(2020, 1, 15), Precision.DAY),
        ("20200115", date(2020, 1, 15), Precision.DAY),
        ("2020-01-15T10:11:12Z", date(2020, 1, 15), Precision.DAY),
        ("2020-01-15T23:59:59.999+02:00", date(2020, 1, 15), Precision.DAY),
        ("2020-01-15 00:00:00.000000", date(2020, 1, 15), Precision.DAY),
        ("2020-01-15 00:00:00+00", date(2020, 1, 15), Precision.DAY),
        ("2020-01", date(2020, 1, 1), Precision.MONTH),
        ("2020/01", date(2020, 1, 1), Precision.MONTH),
        ("01/2020", date(2020, 1, 1), Precision.MONTH),
        ("1.2020", date(2020, 1, 1), Precision.MONTH),
        ("Jan 2020", date(2020, 1, 1), Precision.MONTH),
        ("jan. 2020", date(2020, 1, 1), Precision.MONTH),
        ("Jan/2020", date(2020, 1, 1), Precision.MONTH),
        ("2020 January", date(2020, 1, 1), Precision.MONTH),
        ("May 2020", date(2020, 5, 1), Precision.MONTH),
        ("Sept 2020", date(2020, 9, 1), Precision.MONTH),
        ("janeiro de 2020", date(2020, 1, 1), Precision.MONTH),
        ("MARÇO DE 2020", date(2020, 3, 1), Precision.MONTH),
        ("mars 2020", date(2020, 3, 1), Precision.MONTH),
        ("août 2020", date(2020, 8, 1), Precision.MONTH),
        ("Jänner 2020", date(2020, 1, 1), Precision.MONTH),
        ("enero del 2020", date(2020, 1, 1), Precision.MONTH),
        ("15 Jan 2020", date(2020, 1, 15), Precision.DAY),
        ("January 15th, 2020", date(2020, 1, 15), Precision.DAY),
        ("15. Januar 2020", date(2020, 1, 15), Precision.DAY),
        ("15 de janeiro de 2020", date(2020, 1, 15), Precision.DAY),
        ("1er mai 2020", date(2020, 5, 1), Precision.DAY),
        ("1º de maio de 2020", date(2020, 5, 1), Precision.DAY),
        ("15-Jan-2020", date(2020, 1, 15), Precision.DAY),
        ("31/12/2020", date(2020, 12, 31), Precision.DAY),
        ("12/31/2020", date(2020, 12, 31), Precision.DAY),
        ("05/05/2020", date(2020, 5, 5), Precision.DAY),
        ("2020", date(2020, 1, 1), Precision.YEAR),
        ("2020.0", date(2020, 1, 1), Precision.YEAR),
        (" 1779 ", date(1779, 1, 1), Precision.YEAR),
        ("1577836800000", date(2020, 1, 1), Precision.DAY),
        ("1577836800", date(2020, 1, 1), Precision.DAY),
        ("-63158400000", date(1968, 1, 1), Precision.DAY),
        ("9999-12-31", date(9999, 12, 31), Precision.DAY),
    ],
)
def test_dates_are_read_as_people_write_them(text: str, expected: date, precision: Precision):
    assert read(text) == (expected, precision)


@pytest.mark.parametrize(
    "text",
    [
        "present",
        " Present ",
        "CURRENT",
        "atual",
        "até o momento",
        "bis  heute",
        "aujourd’hui",
        "oggi",
        "infinity",
    ],
)
def test_words_for_until_now_are_known(text: str):
    assert read(text) == Reading.HELD


@pytest.mark.parametrize("text", ["", "   ", "-", "null", "None", "N/A", "NaN", "NaT"])
def test_words_for_missing_dates_are_empty(text: str):
    assert read(text) == Reading.EMPTY


@pytest.mark.parametrize("text", ["03/04/2020", "3-4-2020", "03.04.2020", "1/2/1999 10:30"])
def test_a_day_that_could_be_a_month_is_ambiguous(text: str):
    assert read(text) == Reading.AMBIGUOUS


def test_the_experiment_decides_whether_the_day_comes_first():
    assert read("03/04/2020", True) == (date(2020, 4, 3), Precision.DAY)
    assert read("03/04/2020", False) == (date(2020, 3, 4), Precision.DAY)


@pytest.mark.parametrize(
    "text",
    [
        "2020-02-30", "2020-13", "13/2020", "32/01/2020", "Jan", "Jan 20", "20", "202001", "Mayor 2020",
        "Jan Feb 2020", "0000-00-00", "2020-01-15 or so", "summer 2019", "2019-2020", "true", "[1]",
        "99999999", "20200230", "123456789012345", "0/0/2020", "15 2020 Jan 3",
    ],
)  # fmt: skip
def test_unreadable_dates_are_not_guessed(text: str):
    assert read(text) == Reading.UNREADABLE


@pytest.mark.parametrize("language", MONTHS)
def test_every_month_has_its_name_in_six_languages(language: str):
    assert [read(f"{name} 2020") for name in MONTHS[language].split()] == [
        (date(2020, number, 1), Precision.MONTH) for number in range(1, 13)
    ]


@pytest.mark.parametrize(
    ("text", "expected", "precision"),
    [
        ("15 marca 2020", date(2020, 3, 15), Precision.DAY),  # Polish
        ("marzec 2020 r.", date(2020, 3, 1), Precision.MONTH),
        ("15. března 2020", date(2020, 3, 15), Precision.DAY),  # Czech
        ("15 марта 2020 г.", date(2020, 3, 15), Precision.DAY),  # Russian
        ("Май 2020", date(2020, 5, 1), Precision.MONTH),
        ("березень 2020", date(2020, 3, 1), Precision.MONTH),  # Ukrainian
        ("2020 m. kovo 15 d.", date(2020, 3, 15), Precision.DAY),  # Lithuanian
        ("2020. gada 15. marts", date(2020, 3, 15), Precision.DAY),  # Latvian
        ("2020. március 15.", date(2020, 3, 15), Precision.DAY),  # Hungarian
        ("maaliskuu 2020", date(2020, 3, 1), Precision.MONTH),  # Finnish
        ("15. maaliskuuta 2020", date(2020, 3, 15), Precision.DAY),
        ("den 15 maj 2020", date(2020, 5, 15), Precision.DAY),  # Swedish
        ("mei 2020", date(2020, 5, 1), Precision.MONTH),  # Dutch
        ("15 Mart 2020", date(2020, 3, 15), Precision.DAY),  # Turkish
        ("Şubat 2020", date(2020, 2, 1), Precision.MONTH),
        ("15 ožujka 2020.", date(2020, 3, 15), Precision.DAY),  # Croatian
        ("15 Μαρτίου 2020", date(2020, 3, 15), Precision.DAY),  # Greek
        ("15 במרץ 2020", date(2020, 3, 15), Precision.DAY),  # Hebrew
        ("١٥ مارس ٢٠٢٠", date(2020, 3, 15), Precision.DAY),  # Arabic
        ("15 मार्च 2020", date(2020, 3, 15), Precision.DAY),  # Hindi
        ("15 d’abril de 2020", date(2020, 4, 15), Precision.DAY),  # Catalan
        ("15 Mac 2020", date(2020, 3, 15), Precision.DAY),  # Malay
        ("tháng 3 năm 2020", date(2020, 3, 1), Precision.MONTH),  # Vietnamese
        ("2020年3月", date(2020, 3, 1), Precision.MONTH),  # Chinese, Japanese
        ("2020 年 3 月 15 日", date(2020, 3, 15), Precision.DAY),
        ("2020년 3월", date(2020, 3, 1), Precision.MONTH),  # Korean
        ("2020年", date(2020, 1, 1), Precision.YEAR),
        ('{"year": 2020, "month": 3}', date(2020, 3, 1), Precision.MONTH),
        ('{"day": 15, "month": 3, "year": 2020}', date(2020, 3, 15), Precision.DAY),
        ('{"year": "2020", "month": null, "day": null}', date(2020, 1, 1), Precision.YEAR),
        ('{"Year": 2020, "Month": "Mar"}', date(2020, 3, 1), Precision.MONTH),
        ('{"Year": 2020, "Month": "--03", "Day": "---15"}', date(2020, 3, 15), Precision.DAY),
        (
            '{"year": {"value": "2020"}, "month": {"value": "03"}, "day": {"value": "15"}}',
            date(2020, 3, 15),
            Precision.DAY,
        ),
        ('{"$date": "2020-03-15T00:00:00Z"}', date(2020, 3, 15), Precision.DAY),
        ('{"$date": {"$numberLong": "1584230400000"}}', date(2020, 3, 15), Precision.DAY),
        ('{"date": "2020-03"}', date(2020, 3, 1), Precision.MONTH),
    ],
)
def test_dates_of_many_languages_and_exports_are_read(text: str, expected: date, precision: Precision):
    assert read(text) == (expected, precision)


@pytest.mark.parametrize("text", ['{"year": null, "month": null}', "{}", '{"year": ""}'])
def test_an_object_without_parts_is_empty(text: str):
    assert read(text) == Reading.EMPTY


@pytest.mark.parametrize(
    "text",
    ['{"month": 3}', '{"year": 2020, "month": 13}', '{"name": "x"}', '{"year": [2020]}', '{"year": 2', "{"],
)
def test_an_object_that_is_not_a_date_is_unreadable(text: str):
    assert read(text) == Reading.UNREADABLE


@pytest.mark.parametrize(
    "text",
    [
        *("obecnie", "nadal", "по настоящее время", "н.в.", "настоящее время", "současnost", "jelenleg"),
        *("prezent", "în prezent", "heden", "pågående", "nåværende", "nykyinen", "halen", "devam ediyor"),
        *("σήμερα", "היום", "حتى الآن", "वर्तमान", "至今", "现在", "現在", "현재", "재직 중", "sekarang"),
        *("hiện tại", "danas", "dabar", "šobrīd", "praegu", "дотепер", "actualitat", "ปัจจุบัน"),
    ],
)
def test_words_for_until_now_are_known_in_many_languages(text: str):
    assert read(text) == Reading.HELD


def test_an_ambiguous_month_name_needs_the_language():
    assert read("listopad 2020") == Reading.AMBIGUOUS
    assert read("listopad 2020", language="pl") == (date(2020, 11, 1), Precision.MONTH)
    assert read("listopad 2020", language="hr") == (date(2020, 10, 1), Precision.MONTH)
    assert read("listopad 2020", language="en") == Reading.AMBIGUOUS
    codes = {code for numbers in date_words.AMBIGUOUS_MONTHS.values() for code in numbers}
    assert {DataSettings(language=code).language for code in codes} == codes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("03/20", (date(2020, 3, 1), Precision.MONTH)),
        ("Mar '20", (date(2020, 3, 1), Precision.MONTH)),
        ("Mar-98", (date(1998, 3, 1), Precision.MONTH)),
        ("15-MAR-20", (date(2020, 3, 15), Precision.DAY)),
        ("15.03.98", (date(1998, 3, 15), Precision.DAY)),
        ("03/15/29", (date(2029, 3, 15), Precision.DAY)),
        ("03/15/30", (date(1930, 3, 15), Precision.DAY)),
        ("03/04/20", Reading.AMBIGUOUS),
        ("20", Reading.UNREADABLE),
        ("20-03", Reading.UNREADABLE),
        ("2020-03", (date(2020, 3, 1), Precision.MONTH)),
        ("2020-03-15", (date(2020, 3, 15), Precision.DAY)),
    ],
)
def test_two_digit_years_need_a_setting(text: str, expected: object):
    assert read(text, years=2029) == expected
    if not text.startswith("2020"):
        assert read(text) == Reading.UNREADABLE


def test_the_table_of_words_is_what_its_tool_writes():
    babel = pytest.importorskip("babel")
    if babel.__version__ != date_words.BABEL:
        pytest.skip(f"the table was written with Babel {date_words.BABEL}")
    path = Path(__file__).parents[3] / "tools" / "date_words.py"
    if not path.exists():
        pytest.skip("there are no tools beside an installed package")
    tool = runpy.run_path(str(path))
    clear, ambiguous = tool["month_words"]()
    assert clear == date_words.MONTHS
    assert ambiguous == date_words.AMBIGUOUS_MONTHS
    assert set(tool["held_words"]()) == date_words.HELD_WORDS


@given(st.lists(st.text(max_size=80) | st.none(), max_size=30))
def test_any_text_has_a_reading(texts: list[str | None]):
    parsed = parse_dates(pa.array(list(texts), pa.string()))
    assert len(parsed.days) == len(parsed.precisions) == len(parsed.readings) == len(texts)
    assert np.all((parsed.precisions > 0) == (parsed.readings == Reading.DATE))


@given(st.dates(date(1500, 1, 1), date(9999, 12, 31)))
def test_every_day_round_trips(day: date):
    assert read(day.isoformat()) == (day, Precision.DAY)
    assert read(f"{day.day} {MONTHS['Portuguese'].split()[day.month - 1]} {day.year}") == (day, Precision.DAY)


def test_columns_keep_the_positions_of_nulls_and_repeats():
    parsed = parse_dates(pa.array(["2020", None, "x", "2020", "now", "1/2/2020"]))
    assert parsed.readings.tolist() == [
        Reading.DATE,
        Reading.EMPTY,
        Reading.UNREADABLE,
        Reading.DATE,
        Reading.HELD,
        Reading.AMBIGUOUS,
    ]
    assert parsed.days.tolist() == [18262, 0, 0, 18262, 0, 0]
