"""Faster equivalents of plain torch code; each docstring gives the plain form that it is equal to."""
