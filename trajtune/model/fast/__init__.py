"""Faster forms of plain torch; each docstring starts with the plain form it equals."""
