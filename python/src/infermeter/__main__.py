"""`python -m infermeter ARGUMENTS`: the installed command, in this process's place."""

from __future__ import annotations

import os
import sys

from ._binary import binary
from ._errors import Error


def main() -> None:
    """Becomes the command, so that signals and the exit code are its own."""
    try:
        program = binary()
        os.execv(program, ["infermeter", *sys.argv[1:]])
    except (Error, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
