"""`python -m omnifex` is the command line."""

from omnifex.cli import main

if __name__ == "__main__":
    main()
