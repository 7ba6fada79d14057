"""Files that appear whole or not at all."""

import os
import tempfile
from pathlib import Path

from unblur.errors import OutputError

__all__ = ["write_atomically"]


def write_atomically(target: Path, content: bytes, *, overwrite: bool) -> None:
    """Put all of `content` at `target`, or raise and change nothing.

    Raises:
        OutputError: `target` exists and may not be overwritten, or the disk fails.
    """
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists: choose another name, or allow overwriting")
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name[:32]}.", suffix=".part", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Temporary files are private; the result gets the permissions of any new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
