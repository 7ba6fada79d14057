"""Places where the program can be made to die, so that tests see what a crash leaves behind.

The environment variable `UNBLUR_FAILPOINT` names one: `before-rename` kills the process there,
`before-rename:3` at the third time, and `before-rename:3:group` all processes of its group. Without
the variable nothing ever happens.
"""

import os
import signal

__all__ = ["FAILPOINTS", "failpoint"]

FAILPOINTS = ("after-claim", "mid-write", "before-rename", "after-rename", "before-record")

_passed = dict.fromkeys(FAILPOINTS, 0)


def failpoint(name: str) -> None:
    """Die here without a word, if the environment asks for it.

    Example:
        >>> failpoint("mid-write")  # nobody asked
    """
    wanted, _, rest = os.environ.get("UNBLUR_FAILPOINT", "").partition(":")
    if wanted != name:
        return
    _passed[name] += 1
    time, _, whom = rest.partition(":")
    if _passed[name] == int(time or 1):
        if whom == "group":
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
