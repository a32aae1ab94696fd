"""Generators and discriminators. An architecture is a set of options that makes both.

``generator(latent, shape, classes)`` returns a module ``(z, labels) -> x`` and ``discriminator(shape, classes)`` a
module ``(x, labels) -> logits`` of shape (B,). ``shape`` is (C, H, W) for pictures and (d,) for points; ``classes`` is
0 unless the run is conditional, and ``labels`` is then int64 (B,), else None.
"""
