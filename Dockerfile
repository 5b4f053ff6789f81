# maskbench in a container, for a CPU or for NVIDIA GPUs:
#   docker build --target cpu --tag maskbench .
#   docker build --target cuda --tag maskbench:cuda .        run with: docker run --gpus all
#   docker run --rm --volume "$PWD:/work" maskbench run benchmark.toml
# The CUDA build of PyTorch brings its own libraries, so that both targets start from the same base.

FROM python:3.12-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --create-home --uid 1000 bench && mkdir /work && chown bench:bench /work
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY bench bench
COPY maskgit maskgit

FROM base AS cuda
RUN python -m pip install . && rm -rf /src
WORKDIR /work
USER 1000
ENTRYPOINT ["maskbench"]
CMD ["--help"]

FROM base AS cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m pip install --index-url "$TORCH_INDEX" "torch>=2.11" "torchvision>=0.26" && python -m pip install . && rm -rf /src
WORKDIR /work
USER 1000
ENTRYPOINT ["maskbench"]
CMD ["--help"]
