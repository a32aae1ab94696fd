"""In whose features pictures are compared: one class each, found by its name in ``conf/extractor/``."""
