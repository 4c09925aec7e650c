"""The report of a bundle and its model card."""
