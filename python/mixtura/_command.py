"""The `mixtura` command, as the wheel brings it."""

import signal
import sys

from mixtura import _core


def main() -> int:
    """Run the command with this process's arguments and return its exit code."""
    # The command has its own way with Ctrl-C: it keeps what it has reached.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _core.main_from(["mixtura", *sys.argv[1:]])
