"""Whether ``compile=true`` works on this machine."""

from __future__ import annotations

import torch

from gan_cli.config.asking import reason
from gan_cli.errors import UserError

KINDS = 64  # of calls that a network is compiled for: with and without gradients, at each stage of one that grows


def require_compiler(device: torch.device) -> None:
    """Compiles a small function, so that a missing compiler is found before anything is written.

    Raises:
        UserError: if it does not compile.
    """
    try:
        if device.type == "cpu":
            from torch._inductor.cpp_builder import get_cpp_compiler

            get_cpp_compiler()  # the line below may be answered from a cache, though the compiler is gone
        torch.compile(lambda x: x + 1)(torch.zeros(2, device=device))
    except Exception as error:  # a missing or broken compiler shows itself in many ways
        raise UserError(
            f"compile=true: this machine cannot compile ({reason(error)}): install a C++ compiler, such as g++, or use "
            "compile=false"
        ) from error
    finally:
        torch.compiler.reset()
    torch._dynamo.config.recompile_limit = KINDS
