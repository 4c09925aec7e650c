from trajtune.page.colours import BASELINE, NAMED, TEST, TRAIN, VAL, colour_of


def test_splits_model_default_and_baselines_have_a_colour_each() -> None:
    names = ("train", "val", "test", "this model", "research default", "best baseline", "best possible")
    assert len({NAMED[name] for name in names}) == len(names)
    assert (colour_of("train"), colour_of("val"), colour_of("test")) == (TRAIN, VAL, TEST)


def test_a_predictor_that_is_not_known_is_a_baseline() -> None:
    assert colour_of("markov2") == BASELINE
