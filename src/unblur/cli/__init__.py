"""The command line: one file a command, and heavy libraries loaded inside it only."""
