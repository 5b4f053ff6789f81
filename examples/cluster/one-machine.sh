#!/bin/bash
# All GPUs of this machine on one grid: one-machine.sh grid.toml
set -euo pipefail

grid=${1:-grid.toml}

# Ray starts on this machine for the length of the run, with one worker per GPU.
unset RAY_ADDRESS
maskbench run "$grid" --executor ray

# The same without Ray, one process per GPU:
#   for gpu in 0 1 2 3; do CUDA_VISIBLE_DEVICES=$gpu maskbench run "$grid" --executor shared & done; wait
