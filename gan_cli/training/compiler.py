"""Whether ``compile=true`` can be had on this machine."""

from __future__ import annotations

import torch

from gan_cli.config.asking import reason
from gan_cli.errors import UserError


def require_compiler(device: torch.device) -> None:
    """Compiles something small, so that a missing compiler is known before anything is made.

    Raises:
        UserError: if it cannot be compiled.
    """
    try:
        if device.type == "cpu":
            from torch._inductor.cpp_builder import get_cpp_compiler

            get_cpp_compiler()  # what follows may be answered from a cache of a time when there was one
        torch.compile(lambda x: x + 1)(torch.zeros(2, device=device))
    except Exception as error:  # a missing or broken compiler shows itself in many ways
        raise UserError(
            f"compile=true: this machine cannot compile ({reason(error)}): install a C++ compiler, such as g++, or use "
            "compile=false"
        ) from error
    finally:
        torch.compiler.reset()
