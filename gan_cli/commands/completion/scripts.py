"""What ``gan-train -sc install=SHELL`` prints: a few lines for each shell, which ask this Python for candidates."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence

from gan_cli.errors import UserError

COMMANDS = "gan-train gan-sample gan-eval gan-report gan-bench"
INSTALL = {
    "bash": """\
# eval "$(gan-train -sc install=bash)" in ~/.bashrc
_gan_cli() {
  local IFS=$'\\n'
  COMPREPLY=($(ASK bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null))
  case "${COMPREPLY[0]}" in *[=./,[]) compopt -o nospace ;; esac
}
complete -F _gan_cli COMMANDS
""",
    "zsh": """\
# eval "$(gan-train -sc install=zsh)" in ~/.zshrc
_gan_cli() {
  local -a found open closed
  found=("${(@f)$(ASK zsh "${words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}")
  open=(${(M)found:#*[=./,\\[]})
  closed=(${found:#*[=./,\\[]})
  compadd -Q -U -S '' -- $open
  compadd -Q -U -- $closed
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _gan_cli COMMANDS
""",
    "fish": """\
# gan-train -sc install=fish | source in ~/.config/fish/config.fish
for program in COMMANDS
  complete -c $program -f -a '(ASK fish (commandline -cp) 2>/dev/null)'
end
""",
}
UNINSTALL = {
    "bash": "complete -r COMMANDS\nunset -f _gan_cli\n",
    "zsh": "compdef -d COMMANDS\nunfunction _gan_cli\n",
    "fish": "for program in COMMANDS\n  complete -c $program -e\nend\n",
}


def script(words: Sequence[str]) -> str:
    """The lines for ``install=SHELL`` or ``uninstall=SHELL``.

    Raises:
        UserError: if it is something else.
    """
    match = re.fullmatch(r"(install|uninstall)=(bash|zsh|fish)", " ".join(words))
    if match is None:
        raise UserError(f"-sc {' '.join(words)}: takes install= or uninstall=, bash, zsh or fish: -sc install=bash")
    lines = (INSTALL if match[1] == "install" else UNINSTALL)[match[2]]
    ask = f"{shlex.quote(sys.executable)} -m {__package__}"
    return lines.replace("ASK", ask).replace("COMMANDS", COMMANDS)
