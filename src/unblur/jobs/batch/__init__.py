"""Any number of photographs, from a folder to a folder, each done once whatever happens.

`listing` finds the pictures, `ledger` remembers them, `recipe` says what is done to each, a crew of
workers (`local`, `cluster`) does it by `task`, and `run` leads the crew.
"""
