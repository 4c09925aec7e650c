"""Trains several models of equal shapes at once, as one stacked model."""
