"""`python -m onboard`."""

from onboard.cli.main import main

if __name__ == "__main__":
    main()
