"""Games: what each player minimises. A likelihood model is a game of one player."""
