//! What to send: length distributions, prompts of exact token length, traces.
