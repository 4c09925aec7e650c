"""What holds for every command: ``--quiet`` wherever it stands, and 130 when interrupted."""

import contextlib
import os
import sys
from typing import Any, Final

import typer
from typer.core import TyperGroup

_QUIET: Final = ("--quiet", "-q")


class Commands(TyperGroup):
    """The group of all commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let ``--quiet`` stand after the command, too."""
        end = args.index("--") if "--" in args else len(args)
        if any(name in args[:end] for name in _QUIET):
            args = [_QUIET[0], *(each for each in args[:end] if each not in _QUIET), *args[end:]]
        return list(super().parse_args(ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it says beside its results is dropped if it is to be quiet."""
        with contextlib.ExitStack() as stack:
            stderr = sys.stderr
            if ctx.params["quiet"]:
                silence = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.enter_context(contextlib.redirect_stderr(silence))
            try:
                return super().invoke(ctx)
            except (KeyboardInterrupt, typer.Abort) as stopped:
                print(str(stopped) or "Interrupted.", file=stderr)
                raise typer.Exit(130) from stopped
