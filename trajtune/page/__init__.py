"""HTML pages that open offline (`page.page`), and how every report writes numbers (`page.format`)."""
