//! The schemas made from the types.
//!
//! Says which type each is of. What is made readable, and what is checked of it: `readable.rs`.

use super::{PUBLISHED, Published, readable};
use crate::ahead::AheadOutput;
use crate::commands::bench_output::BenchOutput;
use crate::commands::beside::SweepsOutput;
use crate::commands::coldstart_output::ColdStartOutput;
use crate::commands::gate::GateOutput;
use crate::commands::history_output::{AddOutput, HistoryOutput, PlanListed, PlanTrend};
use crate::commands::list::ListOutput;
use crate::commands::monitor_output::WebhookMessage;
use crate::commands::schema::SchemasOutput;
use crate::commands::verify::VerifyOutput;
use crate::compare::CompareOutput;
use crate::dry_run::DryRun;
use crate::inspect::Figures;
use crate::search::SearchOutput;
use crate::sweep::SweepOutput;
use crate::together::RepeatOutput;
use infermeter_analysis::capacity::Capacity;
use infermeter_analysis::doctor::Checkup;
use infermeter_analysis::{ShadowComparison, Summary};
use infermeter_audit::Audit;
use infermeter_audit::metering::Metering;
use infermeter_core::certificate::Certificate;
use infermeter_core::key::Keyed;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunManifest;
use infermeter_record::BundleManifest;
use infermeter_report::{Headline, RunOutput};
use infermeter_session::calibrate::climb::KeptLadder;
use infermeter_session::history::Entry;
use infermeter_session::ledger_line::LedgerLine;
use infermeter_session::monitor::MonitorLine;
use infermeter_session::observed::capture::Captured;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// What stays on disk and is read by every later version.
const OF_ALL_VERSIONS: [&str; 2] = ["run.json", "history-show"];

/// Every published schema, by name.
pub(super) fn all() -> Vec<(&'static str, Value)> {
    PUBLISHED.iter().map(|one| (one.name, made(one))).collect()
}

fn made(published: &Published) -> Value {
    let schema = match published.name {
        "plan" => with_sides(of::<Plan>()),
        "run" => of::<RunOutput<'static>>(),
        "run.json" => of_file(),
        "repeat" => of::<RepeatOutput<'static>>(),
        "sweep" => of::<SweepOutput<'static>>(),
        "sweeps" => of::<SweepsOutput<'static>>(),
        "search" => of::<SearchOutput<'static>>(),
        "compare" => of::<CompareOutput<'static>>(),
        "gate" => of::<GateOutput<'static>>(),
        "capacity" => of::<Capacity>(),
        "audit" => of::<Audit>(),
        "list" => of::<ListOutput<'static>>(),
        "doctor" => of::<Checkup>(),
        "calibrate" => of::<Certificate>(),
        "rungs" => of::<KeptLadder>(),
        "dry-run" => of::<DryRun>(),
        "dry-runs" => of::<AheadOutput<'static>>(),
        "inspect" => of::<Figures>(),
        "ledger" => of::<LedgerLine>(),
        "verify" => of::<VerifyOutput<'static>>(),
        "metering" => of::<Metering>(),
        "bundle.json" => of::<BundleManifest>(),
        "history-add" => of::<AddOutput<'static>>(),
        "history-list" => of::<HistoryOutput<'static, PlanListed<'static>>>(),
        "history-show" => of_entry(),
        "history-trend" => of::<HistoryOutput<'static, PlanTrend<'static>>>(),
        "monitor" => of::<MonitorLine>(),
        "monitor-webhook" => of::<WebhookMessage<'static>>(),
        "shadow" => of::<ShadowComparison>(),
        "record" => of::<Captured>(),
        "bench" => of::<BenchOutput<'static>>(),
        "coldstart" => of::<ColdStartOutput<'static>>(),
        "schemas" => of::<SchemasOutput>(),
        other => panic!("which type is {other} of?"),
    };
    headed(published, schema)
}

/// A plan file of `compare` has a table for each side, whose keys stand over those of all.
fn with_sides(mut plan: Map<String, Value>) -> Map<String, Value> {
    let keys = Plan::KEYS.iter().map(|key| {
        let of_all = json!({ "$ref": format!("#/properties/{}", key.name) });
        (key.name.to_owned(), of_all)
    });
    let mut properties: Map<String, Value> = keys.collect();
    properties.insert(
        "name".to_owned(),
        json!({"type": "string", "description": "What the side is called."}),
    );
    let side = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    plan["properties"]["side"] = json!({
        "description": "Sides of `compare`: what each has of its own",
        "type": "array",
        "items": side,
    });
    plan
}

/// As the type is written.
fn of<T: JsonSchema>() -> Map<String, Value> {
    map_of(generator().into_root_schema_for::<T>())
}

/// `run.json`, whose summary the manifest does not look into.
fn of_file() -> Map<String, Value> {
    let mut generator = generator();
    let summary = generator.subschema_for::<Summary>();
    let mut file = map_of(generator.into_root_schema_for::<RunManifest>());
    let kept = &mut file["properties"]["summary"];
    kept["anyOf"] = json!([summary, { "type": "null" }]);
    file
}

/// A line of a history, whose headline the entry does not look into.
fn of_entry() -> Map<String, Value> {
    let mut generator = generator();
    let headline = generator.subschema_for::<Headline>();
    let mut entry = map_of(generator.into_root_schema_for::<Entry>());
    entry["properties"]["headline"]["$ref"] = headline.to_value()["$ref"].clone();
    entry
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with_transform(RecursiveTransform(readable::transform));
    settings.into_generator()
}

fn map_of(schema: Schema) -> Map<String, Value> {
    match schema.to_value() {
        Value::Object(mut map) => {
            readable::units_of_types(&mut map);
            map
        }
        other => panic!("no object: {other}"),
    }
}

/// What every reader looks at first, in front.
fn headed(published: &Published, mut schema: Map<String, Value>) -> Value {
    let policy = match published.name {
        "plan" => {
            "The keys are the names of the flags; a key that is absent is at its default, and one that is not \
             known here is an error."
        }
        "run.json" => {
            "A later version may add members and names of an enumeration under the same format_version: ignore \
             what you do not know. What earlier versions of this format did not write is not required; \
             `infermeter report` brings the summary up to date."
        }
        "history-show" => {
            "A later version may add members and names of an enumeration under the same format_version: ignore \
             what you do not know. A run that an earlier version added is as that version wrote it: what it did not \
             write is not required."
        }
        _ => {
            "A later version may add members and names of an enumeration under the same format_version: ignore \
             what you do not know."
        }
    };
    let title = format!(
        "infermeter: {}, format version {}",
        published.name, published.version
    );
    if OF_ALL_VERSIONS.contains(&published.name) {
        readable::only_what_all_versions_have(&mut schema);
    }
    if published.name != "plan" {
        let mut whole = Value::Object(schema);
        readable::only_for_readers(&mut whole);
        schema = whole.as_object().cloned().unwrap_or_default();
    }
    let properties = schema.get_mut("properties");
    if let Some(version) = properties.and_then(|all| all.get_mut("format_version")) {
        version["const"] = json!(published.version);
        version["description"] = json!("Version of the format.");
    }
    let head = json!({
        "$schema": schema["$schema"],
        "$id": published.id(),
        "title": title,
        "description": format!("Describes {}. {policy}", published.describes),
    });
    let mut whole = head.as_object().cloned().unwrap_or_default();
    for (name, value) in schema {
        whole.entry(name).or_insert(value);
    }
    Value::Object(whole)
}
