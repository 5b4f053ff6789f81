"""`python -m maskgit.training tokenizer|transformer CONFIG.toml [--resume] [--output DIR] [--data-root DIR]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from maskgit.errors import InputError


def main() -> int:
    """Train; exit code 2 and one line on stderr for bad input, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m maskgit.training", description="Train a tokenizer or transformer.")
    parser.add_argument("stage", choices=("tokenizer", "transformer"))
    parser.add_argument("config", type=Path)
    parser.add_argument("--resume", action="store_true", help="go on from the output folder's last state")
    parser.add_argument("--output", type=Path, help="output folder, in place of the recipe's")
    parser.add_argument("--data-root", type=Path, help="what the recipe's folders are relative to")
    options = parser.parse_args()
    from maskgit.training.tokenizer_stage import train_tokenizer
    from maskgit.training.transformer_stage import train_transformer

    entry = {"tokenizer": train_tokenizer, "transformer": train_transformer}[options.stage]
    try:
        entry(options.config, resume=options.resume, output=options.output, data_root=options.data_root)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; go on with --resume", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
