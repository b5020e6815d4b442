"""Run the command line with ``python -m wsstool``."""

from wsstool.cli.app import main

if __name__ == "__main__":
    main()
