"""Tests of `trajtune.model.stacked`."""
