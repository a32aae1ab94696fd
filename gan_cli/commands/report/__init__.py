"""``gan-report``: the results of many runs on one page."""
