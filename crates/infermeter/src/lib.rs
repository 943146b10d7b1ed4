//! The infermeter command and the library behind it: the only place that knows the order of the
//! stages.
//!
//! plan -> workload and schedule -> target -> run -> record -> summary -> findings -> report

mod altered;
mod api_key;
pub mod audit;
mod cache_probe;
pub mod calibrate;
pub mod cli;
pub mod clients;
pub mod commands;
pub mod dataset_file;
pub mod dry_run;
pub mod environment;
pub mod exit;
pub mod input;
pub mod inspect;
mod items;
pub mod journal;
mod judged;
pub mod layers;
pub mod load;
pub mod make;
pub mod mock_child;
pub mod mock_settings;
pub mod output;
pub mod place;
pub mod print_config;
pub mod progress;
mod proxy;
mod receiving;
pub mod repeat;
pub mod run_id;
pub mod secrets;
pub mod sent;
mod sent_before;
mod server_metrics;
pub mod settle;
pub mod suggest;
pub mod target;
pub mod tiling;
pub mod trace_options;
pub mod truth_table;
mod unusable;
pub mod validate;
