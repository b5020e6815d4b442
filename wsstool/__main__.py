"""``python -m wsstool`` is ``wsstool``."""

from wsstool.cli.app import main

if __name__ == "__main__":
    main()
