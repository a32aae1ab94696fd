"""What is known about pictures that were decoded, without the pictures. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Unreadable:
    """A picture that was left out: its position, why, and whether another try may find it readable."""

    index: int
    why: str
    passing: bool


@dataclass(frozen=True)
class Repeated:
    """A picture that was left out because it is, byte for byte once decoded, the picture at position ``of``."""

    index: int
    of: int


@dataclass(frozen=True)
class Contents:
    """The number of pictures, their hash, the pictures that were left out, and notes for the user."""

    kept: int
    digest: str
    unreadable: list[Unreadable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)

    @property
    def left_out(self) -> list[int]:
        """The positions of the pictures that are not there, in order."""
        return sorted([*(entry.index for entry in self.unreadable), *(entry.index for entry in self.repeated)])
