"""`python -m unblur` is the command `unblur`."""

from unblur.cli.main import entry

if __name__ == "__main__":
    entry()
