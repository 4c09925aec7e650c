"""Decides when two titles are one title: the Unicode key, the service's key and the user's synonyms."""
