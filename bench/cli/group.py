"""The end of every command: errors become one line on standard error and an exit code."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from bench.errors import EXIT_BAD_INPUT, EXIT_DEFECT, EXIT_INTERRUPTED, exit_code
from maskgit.errors import MaskgitError, one_line

JSON_LOGS = "json_logs"  # key in the context of a command that reports errors as JSON lines too
UsageError: Any = typer.BadParameter.__mro__[1]
"""Click's error of a wrong option, argument or command, of which Typer has its own copy."""
HOW_TO_RESUME = "how_to_resume"  # key in the context of a command that can resume: a hint that says how


class MaskbenchGroup(TyperGroup):
    """Ends every command: a user's mistake is one line on stderr and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except MaskgitError as error:
            from bench.document.text import clean  # a path or name in it may contain terminal control characters

            _leave(ctx, " ".join(clean(error).split()), exit_code(error))
        except UsageError as error:
            path = getattr(error.ctx, "command_path", ctx.command_path)
            _leave(ctx, f"{error.format_message().rstrip('.')}; see {path} --help", EXIT_BAD_INPUT)
        except KeyboardInterrupt:
            hint = ctx.meta.get(HOW_TO_RESUME)
            _leave(ctx, f"interrupted; {hint}" if hint else "interrupted", EXIT_INTERRUPTED)


def guarded(command: Callable[[], None]) -> None:
    """Run the command line; an unexpected error ends with an exit code that no CI job mistakes for a regression.

    A reader that closes the pipe (`| head`) ends the program by SIGPIPE, as usual on Unix. A terminal that is closed, or a
    scheduler that ends a job, interrupts it as Ctrl-C does.
    """
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) and signal.getsignal(
            number
        ) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, signal.default_int_handler)
    try:
        command()
        sys.stdout.flush()
    except OSError as error:
        _say(f"maskbench: {_one_line(error)}")
        _end_at_once(EXIT_BAD_INPUT)
    except Exception:
        advice = "maskbench: this is a bug in maskbench; please report it with the lines above"
        _end(f"{traceback.format_exc()}{advice}", EXIT_DEFECT)


def _one_line(error: OSError) -> str:
    """The file, the reason, and for a full disk the remedy."""
    file = f"{one_line(str(error.filename))}: " if error.filename is not None else ""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return f"{file}{error.strerror or error}{'; free space and run the same command again' if full else ''}"


def _say(text: str) -> bool:
    """Write to standard error; returns False if that fails (on a full disk, for example)."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return False
    return True


def _end_at_once(code: int) -> NoReturn:
    """Exit without trying again to flush an output that cannot be written."""
    os._exit(code)


def _end(text: str, code: int) -> NoReturn:
    """Exit with a last message and this code, even if standard error cannot be written."""
    if not _say(text):
        _end_at_once(code)
    sys.exit(code)


def _leave(ctx: Any, message: str, code: int) -> NoReturn:
    """End with one line on stderr: plain, or JSON if the command writes JSON logs."""
    if ctx.meta.get(JSON_LOGS):
        _end(json.dumps({"event": "error", "message": message, "exit_code": code}), code)
    _end(f"maskbench: {message}", code)
