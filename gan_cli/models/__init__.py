"""Generators and discriminators, priors, and the sampler. An architecture makes both networks from its options."""
