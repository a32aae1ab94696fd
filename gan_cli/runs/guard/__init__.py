"""Whether training goes wrong, and what is done then."""
