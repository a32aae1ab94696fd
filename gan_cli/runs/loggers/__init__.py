"""Other programs that show what a run writes down; each needs a package of its own, imported when it is chosen."""
