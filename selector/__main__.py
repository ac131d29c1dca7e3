"""`python -m selector` is the command."""

from selector.cli import main

main()
