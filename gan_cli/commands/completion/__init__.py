"""Shell completion of all five commands: ``python -m gan_cli.commands.completion`` is what the shells ask.

It reads YAML files line by line and imports neither torch nor pydantic nor Hydra: an answer takes a tenth of a second.
"""
