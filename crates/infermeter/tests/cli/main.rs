//! The real `infermeter` binary against its own simulator, and against servers that do what the
//! simulator cannot: every flag, every file it writes, every bad input, every exit code.
//!
//! Runs are short and light, and the machine may be busy: tests assert facts (what was sent, what
//! was recorded, what was said, how it ended), never timing figures, and no verdict that a slow
//! machine could change.

mod answers;
mod apis;
mod audit;
mod bad_plans;
mod bad_records;
mod bad_targets;
mod bench;
mod bundles;
mod caching;
mod calibrate;
mod capacity;
mod checked_answers;
mod clients;
mod closed_loop;
mod coldstart;
mod combinations;
mod connections;
mod datasets;
mod dialects;
mod disk;
mod doctor;
mod energy;
mod engine_view;
mod examples;
mod export;
mod expose;
mod flags;
mod fluidity;
mod formats;
#[cfg(feature = "live")]
mod full_screen;
mod gate;
mod history;
mod import_log;
mod kept_records;
mod kinds;
mod launch;
mod lies;
mod list;
mod loads;
mod lost_tail;
mod merge;
mod metering;
mod monitor;
mod numbers;
mod one_liners;
mod outputs;
mod pictures;
mod plans;
mod prefix;
mod process;
mod ranks;
mod recognition;
mod record;
mod records;
mod repeat;
mod schemas;
mod secrets;
mod server;
mod server_metrics;
mod server_times;
mod sessions;
mod several;
mod shadow;
mod signals;
mod simulated;
mod simulator;
mod slices;
mod spans;
mod standstill;
mod steps;
mod sweep;
mod templates;
mod timeouts;
mod tls;
mod trace;
mod virtual_time;
mod ways;
mod workload;
mod workload_file;
