"""How every command ends: errors become one line on standard error and an exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from typer.core import TyperGroup

from bench.errors import EXIT_BAD_INPUT, EXIT_DEFECT, EXIT_INTERRUPTED, exit_code
from maskgit.errors import MaskgitError

JSON_LOGS = "json_logs"  # in the context of a command whose errors are JSON lines too
GO_ON = "go_on"  # likewise: how an interrupted command goes on, where it can


class MaskbenchGroup(TyperGroup):
    """Ends every command: a user's mistake is one line on stderr and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except MaskgitError as error:
            from bench.document.text import clean  # a path or a name in it may hold what would steer a terminal

            _leave(ctx, " ".join(clean(error).split()), exit_code(error))
        except KeyboardInterrupt:
            go_on = ctx.meta.get(GO_ON)
            _leave(ctx, f"interrupted; {go_on}" if go_on else "interrupted", EXIT_INTERRUPTED)


def guarded(command: Callable[[], None]) -> None:
    """Run the command line; what nobody foresaw ends with a code that no gate takes for a regression.

    A reader who closes the pipe (`| head`) ends the program as Unix ends any other, by SIGPIPE.
    """
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        command()
        sys.stdout.flush()
    except OSError as error:
        _say(f"maskbench: {error}")
        _end_at_once(EXIT_BAD_INPUT)
    except Exception:
        advice = "maskbench: this is a defect of maskbench; please report it with the lines above"
        _end(f"{traceback.format_exc()}{advice}", EXIT_DEFECT)


def _say(text: str) -> bool:
    """Write to standard error, if it takes it (a full disk does not); returns whether it did."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return False
    return True


def _end_at_once(code: int) -> NoReturn:
    """Exit without another try at flushing an output that takes no more."""
    os._exit(code)


def _end(text: str, code: int) -> NoReturn:
    """Exit with a last word and this code, whether or not standard error takes the word."""
    if not _say(text):
        _end_at_once(code)
    sys.exit(code)


def _leave(ctx: Any, message: str, code: int) -> NoReturn:
    """End with one line on stderr: plain, or JSON among JSON logs."""
    if ctx.meta.get(JSON_LOGS):
        _end(json.dumps({"event": "error", "message": message, "exit_code": code}), code)
    _end(f"maskbench: {message}", code)
