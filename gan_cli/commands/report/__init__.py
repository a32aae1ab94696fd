"""``gan-report``: what many runs have to say, on one page."""
