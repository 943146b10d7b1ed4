//! OpenAI-compatible inference engine simulator with ground truth.
