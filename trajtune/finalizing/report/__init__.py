"""The report of a bundle: the HTML page, the one-page summary in Markdown, and the model card."""
