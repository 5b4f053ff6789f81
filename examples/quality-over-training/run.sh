#!/usr/bin/env bash
# Trains in three stages, keeps the checkpoint after each, scores them all, and shows quality over training. It can be stopped:
# the same command resumes.
set -euo pipefail
cd "$(dirname "$0")"
for steps in 30 120 480; do
  if [ ! -d "small/step-$steps" ]; then
    sed "s/^steps = .*/steps = $steps/" recipe.toml > stage.toml
    if [ -f small/state.pt ]; then resume=--resume; else resume=; fi
    maskbench train transformer stage.toml $resume
    cp -r small/checkpoint "small/step-$steps"
  fi
done
maskbench run grid.toml --output run --keep-going
