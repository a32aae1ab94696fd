"""How a player learns."""
