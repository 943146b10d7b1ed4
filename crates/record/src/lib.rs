//! The record on disk: journal, Parquet, run.json.
