"""Feature extractors: pictures are compared in their features. Each is a class, named in ``conf/extractor/``."""
