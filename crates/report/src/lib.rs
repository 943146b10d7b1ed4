//! Rendering only: terminal and JSON.
