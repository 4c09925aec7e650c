"""Words for yes and no."""

import numpy as np
import pyarrow as pa

from trajtune.careers.parse.flags import parse_flags


def test_words_for_yes_and_no_are_read_whatever_their_case_and_spaces():
    values, unreadable = parse_flags(
        pa.array(["true", " T ", "Yes", "y", "1", "1.0", "FALSE", "f", "no", "0.0"])
    )
    assert values.tolist() == [1] * 6 + [0] * 4
    assert not unreadable.any()


def test_blank_is_unknown_and_any_other_word_is_unreadable():
    values, unreadable = parse_flags(pa.array([None, "", "  ", "perhaps", "2"]))
    assert np.isnan(values).all()
    assert unreadable.tolist() == [False, False, False, True, True]
