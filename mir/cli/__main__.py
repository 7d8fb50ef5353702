"""`python -m mir.cli`: the command line without its script."""

from mir.cli.app import main

if __name__ == "__main__":
    main()
