"""The model library: MaskGIT inpainting (schedules, noise, decoding, networks, checkpoints, data, training)."""
