"""The page's section that explains its words."""

from typing import Final

from trajtune.page.page import Page

TERMS: Final = (
    (
        "train, val, test",
        "Three parts of the careers, in order of time: to train on, to choose by, to measure on once.",
    ),
    ("gate", "A condition that a model must meet before it is shipped."),
    ("top 1, top 5", "Share of people whose next title is the first guess, or among the first five."),
    ("NLL", "Negative log-likelihood of the title that came next, in nats. Lower is better; 0 is certainty."),
    (
        "baseline",
        "A rule that only counts what happened in train. A model that does not beat it is not needed.",
    ),
    ("Markov", "The baseline that looks up what most often followed the current title."),
    (
        "research default",
        "The configuration of the specification that this tool implements; trial 0 of every search.",
    ),
    (
        "best possible",
        "What a predictor that knew the simulation's rules would reach. Only for simulated careers.",
    ),
    ("as selected", "The winner as the search chose it, trained only on train."),
    ("confidence", "Calibrated probability that the first guess is right."),
    ("ECE", "Expected calibration error: mean distance between confidence and the share that was right."),
    ("Brier score", "Mean squared distance between a probability and what happened. Lower is better."),
    ("AUC", "Probability that a positive outcome is ranked above a negative one; 0.5 is chance."),
    ("PSI", "Population stability index: how far the titles of two splits differ."),
)
"""Terms and their meanings."""


def terms(page: Page) -> None:
    """A table of the words that the page uses."""
    page.section("Terms", "Words of this page, and what they mean.")
    page.table(["term", "meaning"], TERMS)
