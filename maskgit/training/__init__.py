"""Training: stage 1, the tokenizer; stage 2, the transformer on its tokens."""
