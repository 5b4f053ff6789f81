"""Load a checkpoint in the lab layout: read its files, choose the reading of its attention, fill its networks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from maskgit.checkpoints.attention import Reading
from maskgit.checkpoints.decide import Decision, Measurement, decide, readings, unmeasured
from maskgit.checkpoints.evidence import Evidence, Nats, encode, frequency_nats, prediction_nats
from maskgit.checkpoints.lab import LabWeights, fill_own, read_lab
from maskgit.checkpoints.own_attention import build_own
from maskgit.checkpoints.tensors import build
from maskgit.model import MaskGIT
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from maskgit.checkpoints.checkpoint import Checkpoint
    from maskgit.checkpoints.user_code import CodeReference
    from maskgit.config import TransformerConfig


def load_lab(
    checkpoint: Checkpoint, device: str, tf32: bool, evidence: Evidence | None = None, fingerprint: str | None = None
) -> MaskGIT:
    """Load a lab checkpoint.

    Args:
        checkpoint: the located checkpoint.
        device: device of the networks.
        tf32: let a CUDA GPU round the factors of matrix products to TF32.
        evidence: images that decide or confirm how its attention is read.
        fingerprint: of the model of an earlier run, whose reading is used; then nothing is measured.

    Raises:
        CheckpointError: the weights do not fit, or nothing decides how to read them.
    """
    if checkpoint.code is not None:
        return _load_own(checkpoint, checkpoint.code, device, tf32)
    weights = read_lab(checkpoint)
    file = checkpoint.files["transformer"]
    decision = _earlier(weights, checkpoint, fingerprint)
    if decision is None:
        measurement = _measurement(weights, checkpoint, device, tf32, evidence) if evidence is not None else None
        decision = decide(weights.layout, checkpoint.declared, measurement, str(file))
    model = _model(weights, decision.reading, checkpoint, device, tf32)
    attention = f"{file.name}: attention: {decision.reading.describe()}; decided by {decision.decided_by}"
    model.reading, model.caveats = (*weights.notes, attention), decision.caveats
    return model


def _load_own(checkpoint: Checkpoint, code: CodeReference, device: str, tf32: bool) -> MaskGIT:
    """Load the model with the user's own attention class; no reading has to be chosen."""
    assert checkpoint.tokenizer
    assert checkpoint.transformer
    tokenizer, _ = build(checkpoint.tokenizer, checkpoint.transformer)
    transformer = build_own(checkpoint.transformer, code)
    notes = fill_own(checkpoint, tokenizer, transformer)
    model = MaskGIT(tokenizer, transformer, fingerprint=checkpoint.fingerprint, device=device, tf32=tf32)
    transformer.settle_batch()
    model.reading, model.caveats = (*notes, transformer.reading), transformer.caveats
    model.fingerprint = transformer.code.fingerprint(checkpoint.fingerprint)
    return model


def _earlier(weights: LabWeights, checkpoint: Checkpoint, fingerprint: str | None) -> Decision | None:
    """The reading with the fingerprint of an earlier run, if these are its files."""
    matching = [r for r in readings(weights.layout) if fingerprint_of(checkpoint, r) == fingerprint]
    return Decision(matching[0], "the earlier run") if matching else None


def examine_lab(checkpoint: Checkpoint) -> Checkpoint:
    """Check a lab checkpoint's files as loading does; the returned checkpoint's fingerprint includes the reading.

    If only a measurement can decide the reading, the fingerprint stays as it was.

    Raises:
        CheckpointError: the weights do not fit.
    """
    if checkpoint.code is not None:
        return checkpoint  # reading it needs the user's code, which runs only when the model is loaded
    decision: Decision | None = unmeasured(read_lab(checkpoint).layout, checkpoint.declared)
    if decision is None:
        return checkpoint
    return replace(checkpoint, fingerprint=fingerprint_of(checkpoint, decision.reading))


def fingerprint_of(checkpoint: Checkpoint, reading: Reading) -> str:
    """The checkpoint's fingerprint with a reading: that of the files alone for readings that the lab layout documents."""
    assert checkpoint.transformer
    plain = reading.is_plain and reading.layout.heads == checkpoint.transformer.n_heads
    if plain and not checkpoint.declared.ema:
        return checkpoint.fingerprint
    content = [checkpoint.fingerprint, reading.identity, {"ema": checkpoint.declared.ema}]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _model(weights: LabWeights, reading: Reading, checkpoint: Checkpoint, device: str, tf32: bool) -> MaskGIT:
    """Both networks, filled according to one reading."""
    assert checkpoint.tokenizer
    assert checkpoint.transformer
    sizes = _sizes(checkpoint.transformer, reading)
    tokenizer, transformer = build(checkpoint.tokenizer, sizes)
    tokenizer.load_state_dict(weights.tokenizer)
    transformer.load_state_dict(weights.transformer_state(reading))
    fingerprint = fingerprint_of(checkpoint, reading)
    return MaskGIT(tokenizer, transformer, fingerprint=fingerprint, device=device, tf32=tf32)


def _sizes(cfg: TransformerConfig, reading: Reading) -> TransformerConfig:
    return replace(cfg, n_heads=reading.layout.heads, variant=reading.variant)


def _measurement(
    weights: LabWeights, checkpoint: Checkpoint, device: str, tf32: bool, evidence: Evidence
) -> Measurement:
    """The cross-entropy of every reading on the evidence; the shared tokenizer encodes the images once."""
    plain = Reading(weights.layout, "qkv" if weights.layout.fused else None)
    model = _model(weights, plain, checkpoint, device, tf32)
    images = encode(model, evidence, model.device)

    def measure(reading: Reading, count: int) -> Nats:
        assert checkpoint.transformer
        transformer = BidirectionalTransformer(_sizes(checkpoint.transformer, reading))
        transformer.load_state_dict(weights.transformer_state(reading))
        model.transformer = transformer.to(model.device).eval().requires_grad_(False)
        return prediction_nats(model.logits, images.first(count), model.num_codes)

    return Measurement(measure, frequency_nats(images.truth, images.mask, model.num_codes))
