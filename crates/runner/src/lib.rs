//! Executes a schedule: worker threads, pacing, phases, recorder, self-watch.
