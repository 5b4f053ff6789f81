#!/usr/bin/env bash
# Trains in stretches, keeps the checkpoint after each, scores them all, and shows quality over training.
set -euo pipefail
cd "$(dirname "$0")"
for steps in 30 120 480; do
  sed "s/^steps = .*/steps = $steps/" recipe.toml > stretch.toml
  maskbench train transformer stretch.toml $([ -d small ] && echo --resume)
  rm -rf "small/step-$steps"
  cp -r small/checkpoint "small/step-$steps"
done
rm stretch.toml
maskbench run grid.toml --output run --keep-going
