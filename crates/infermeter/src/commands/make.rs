//! `infermeter workload make|convert`: loads, traces and workload files as files.
//!
//! It sends nothing. Invariant: a file is written whole or not at all, and an existing one is never
//! overwritten.

use crate::cli::Given;
use crate::cli::tables::{ConvertArgs, ConvertTo, MakeArgs};
use crate::layers::{self, Origin, Resolved};
use crate::{exit, input, output, validate};
use anyhow::{Context, Result, bail};
use infermeter_core::clock::Offset;
use infermeter_core::plan::{Plan, PromptCount};
use infermeter_core::request::{
    BodyMember, FollowUp, Message, RequestContent, RequestId, RequestSpec,
};
use infermeter_core::schedule::Schedule;
use infermeter_core::seed::Seeds;
use infermeter_core::units::Span;
use infermeter_session::load::Load;
use infermeter_session::make::{Made, Verify, Wanted, make as write};
use infermeter_session::{run_id, tiling, trace_options};
use infermeter_workload::{
    FileHeader, FilePhases, Tokenizer, Trace, TraceError, Workload, WorkloadFile,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Load that a file has beyond its window, to be sent while measured requests finish.
const TAIL: Span = Span::seconds(30);

/// Writes the requests of a load.
///
/// # Errors
/// Naming the flag that is wrong, or what cannot be written.
pub(crate) fn make(given: &Given) -> Result<u8> {
    let args: MakeArgs = given.read()?;
    let resolved = resolve(given, &args)?;
    let plan = &resolved.plan;
    let Some(out) = &plan.out else {
        bail!("no file: give --out FILE, as in --out workload.jsonl");
    };
    if !plan.endpoint.generates() {
        bail!(
            "--endpoint {}: a workload file holds prompts; `run` makes the same requests from the same \
             seed without a file",
            plan.endpoint.api().name
        );
    }
    let load = Load::from_plan(plan, 0)?;
    validate::lengths_used(&resolved, load.workload.trace_facts())?;
    let wanted = wanted(plan, &load)?;
    let phases = load.schedule.window().map(|window| FilePhases {
        window_start_ns: window.start.0,
        window_end_ns: window.end.0,
    });
    let about = header(&load.workload, description(&resolved), phases);
    written(out, &load.workload, &wanted, about, args.verify)?;
    Ok(exit::OK)
}

/// Writes a workload file, to standard output for `-`.
fn written(
    out: &Path,
    workload: &Workload,
    wanted: &[Wanted],
    about: FileHeader,
    verify: Verify,
) -> Result<()> {
    if out != Path::new(input::DASH) {
        let made = write(out, workload, wanted, about, verify).context("--out")?;
        output::print(&told(out, &made));
        return Ok(());
    }
    // The header is known at the end: a pipe gets the whole file.
    let name = format!("infermeter-{}.jsonl", run_id::random_run_id()?);
    let path = std::env::temp_dir().join(name);
    let made = write(&path, workload, wanted, about, verify).context("--out -")?;
    let copied = File::open(&path).and_then(|mut file| {
        std::fs::remove_file(&path)?;
        std::io::copy(&mut file, &mut std::io::stdout().lock())
    });
    copied.context("--out: standard output")?;
    output::note(told(out, &made).trim_end());
    Ok(())
}

/// The plan; nothing is sent, so any target will do.
fn resolve(given: &Given, args: &MakeArgs) -> Result<Resolved> {
    let mut resolved = layers::resolve(given, args.config.as_deref())?;
    if resolved.plan.target.is_empty() {
        "mock:fixed".clone_into(&mut resolved.plan.target);
    }
    tiling::settle(&mut resolved.plan)?;
    validate::validate(&resolved)?;
    let out = resolved.plan.out.take();
    input::of_plan(&mut resolved.plan, args.config.as_deref())?;
    resolved.plan.out = out;
    if resolved.plan.count == PromptCount::Template {
        bail!("--count template: the lengths of a workload file are those of its texts");
    }
    Ok(resolved)
}

/// Warm-up, window and a short tail, sessions to their ends; of a closed loop as many as the plan
/// counts.
fn wanted(plan: &Plan, load: &Load) -> Result<Vec<Wanted>> {
    match &load.schedule {
        Schedule::Open(open) => {
            let end = open.window_end.plus(TAIL.ns());
            let arrivals = open.arrivals.iter().enumerate();
            let kept = arrivals.take_while(|(i, at)| *i < open.drain_from || **at < end);
            let roots = kept.map(|(i, at)| (open.ids.id(i), at.0));
            with_turns(roots, &load.workload, |spec| load.follow_ups(spec))
        }
        Schedule::Closed(_) if load.has_sessions() => {
            bail!("sessions of a closed loop have no instants: give --rate, or run the plan itself")
        }
        Schedule::Closed(_) => {
            let Some(requests) = plan.requests else {
                bail!("a closed loop has no number of requests: give --requests N");
            };
            let count = requests.saturating_add(plan.warmup().requests);
            Ok((0..count).map(|id| Wanted::alone(id, None)).collect())
        }
    }
}

/// The requests that begin something, and all that wait for them, in order of their ids.
fn with_turns(
    roots: impl Iterator<Item = (RequestId, i64)>,
    workload: &Workload,
    follow_ups: impl Fn(&RequestSpec) -> Vec<FollowUp>,
) -> Result<Vec<Wanted>> {
    let mut all = Vec::new();
    let mut open: Vec<(RequestId, Option<i64>)> = Vec::new();
    for (id, at) in roots {
        open.push((id, Some(at)));
        while let Some((id, at_ns)) = open.pop() {
            let next = follow_ups(&workload.spec(id));
            if next.iter().any(|next| next.further > 0) {
                bail!(
                    "--trace: some requests wait for several others, which a workload file cannot say: \
                     replay the trace itself"
                );
            }
            open.extend(next.iter().map(|next| (next.id, None)));
            all.push(Wanted { id, at_ns, next });
        }
    }
    all.sort_unstable_by_key(|wanted| wanted.id);
    Ok(all)
}

/// The flags and keys that were given, for people.
fn description(resolved: &Resolved) -> String {
    let plan = serde_json::to_value(&resolved.plan).unwrap_or_default();
    let given = resolved.origins.iter().filter(|(key, origin)| {
        **origin != Origin::Default && !["target", "out"].contains(&key.as_str())
    });
    let texts = given.map(|(key, _)| match &plan[key] {
        Value::String(text) => format!("--{key} {text}"),
        value => format!("--{key} {value}"),
    });
    texts.collect::<Vec<_>>().join(" ")
}

fn header(workload: &Workload, description: String, phases: Option<FilePhases>) -> FileHeader {
    FileHeader {
        tokenizer: workload.tokenizer().identity().to_owned(),
        classes: workload.classes().to_vec(),
        description,
        phases,
    }
}

fn told(out: &Path, made: &Made) -> String {
    let written = &made.written;
    let mut text = format!(
        "{} requests, {} prompt tokens, {:.1} MB in {}\nsha256 {}\n",
        written.requests,
        made.prompt_tokens,
        written.bytes as f64 / 1e6,
        out.display(),
        written.sha256
    );
    let verified: u64 = made.verified.iter().map(|(_, count)| count).sum();
    if verified > 0 {
        let of = |(class, count): &(String, u64)| format!("{count} of {class}");
        let classes: Vec<String> = made.verified.iter().map(of).collect();
        let classes = classes.join(", ");
        text += &format!("{verified} prompts counted again ({classes}): exact\n");
    }
    text
}

/// Brings a file to another form.
///
/// # Errors
/// What is wrong with it, with the line, or what cannot be written.
pub(crate) fn convert(args: &ConvertArgs) -> Result<u8> {
    let tokenizer = Tokenizer::open(&args.tokenizer)?;
    let source = input::path(&args.file)?;
    let (workload, wanted, phases, from) = match WorkloadFile::open_edited(&source) {
        Ok(file) => of_file(args, file, tokenizer)?,
        Err(infermeter_workload::FileError::NotOne { .. }) => of_trace(args, &source, tokenizer)?,
        Err(error) => return Err(error.into()),
    };
    match args.to {
        ConvertTo::Workload => {
            let about = header(&workload, from, phases);
            written(&args.out, &workload, &wanted, about, Verify::Some)?;
        }
        form => {
            let lost = lines(&args.out, &workload, &wanted, form).context("--out")?;
            let count = wanted.len();
            output::note(&format!("{count} requests in {}", args.out.display()));
            for (what, requests) in lost {
                output::note(&format!(
                    "note: {requests} requests have {what}, which the form has no place for"
                ));
            }
        }
    }
    Ok(exit::OK)
}

type Source = (Workload, Vec<Wanted>, Option<FilePhases>, String);

fn of_file(args: &ConvertArgs, file: WorkloadFile, tokenizer: Tokenizer) -> Result<Source> {
    let header = file.header();
    if header.tokenizer != tokenizer.identity() {
        bail!(
            "{} has lengths under the tokenizer {}: give it as --tokenizer",
            args.file.display(),
            infermeter_core::text::inert(&header.tokenizer, 80)
        );
    }
    let (phases, from) = (header.phases, header.description.clone());
    let limit = args.limit.map_or(usize::MAX, |n| n as usize);
    let entries = file.entries().iter().take(limit);
    let wanted = entries
        .map(|e| Wanted {
            id: e.spec.id,
            at_ns: e.at_ns,
            next: e.next.clone(),
        })
        .collect();
    let workload = Workload::from_file(file, tokenizer);
    Ok((workload, wanted, phases, from))
}

fn of_trace(args: &ConvertArgs, source: &Path, tokenizer: Tokenizer) -> Result<Source> {
    let seeds = Seeds::derive(args.seed);
    let options = trace_options::options(&args.trace_option, args.limit, seeds.schedule)?;
    let trace = Trace::read(source, &options).map_err(|error| match error {
        TraceError::In { path, source } if matches!(*source, TraceError::NotReplayable { .. }) => {
            anyhow::anyhow!(
                "{}: {source}; `infermeter workload make --dataset` makes a file of texts",
                path.display()
            )
        }
        error => error.into(),
    })?;
    let workload = Workload::from_trace(trace, seeds.workload, tokenizer);
    let rows = (0..workload.len().unwrap_or(0)).filter(|id| {
        let spec = workload.spec(*id);
        workload.awaited(&spec).is_none()
    });
    let roots = rows.filter_map(|id| Some((id, workload.instant_ns(id)?)));
    let recorded = |spec: &RequestSpec| {
        let next = workload.next_turns(spec).into_iter();
        next.map(|next| FollowUp {
            id: next.id,
            delay_ns: next.delay_ns.unwrap_or(0),
            planned: next.offset_ns.map(Offset),
            further: next.further,
        })
        .collect()
    };
    let wanted = with_turns(roots, &workload, recorded)?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    Ok((workload, wanted, None, format!("trace {name}")))
}

/// One JSON object a line, as other tools read them; the salt stands where it stood. What of the
/// requests the form has no place for, and how many have it.
fn lines(
    out: &Path,
    workload: &Workload,
    wanted: &[Wanted],
    form: ConvertTo,
) -> Result<BTreeMap<String, u64>> {
    let file: Box<dyn Write> = match out == Path::new(input::DASH) {
        true => Box::new(std::io::stdout().lock()),
        false => Box::new(
            File::create_new(out).with_context(|| format!("cannot create {}", out.display()))?,
        ),
    };
    let mut file = BufWriter::new(file);
    let mut lost = BTreeMap::new();
    for Wanted { id, at_ns, .. } in wanted {
        let spec = workload.spec(*id);
        let content = workload.content(&spec, &[])?;
        let line = match form {
            ConvertTo::Timed => json!({
                "timestamp": at_ns.unwrap_or(0) as f64 / 1e6,
                "input_length": spec.prompt_tokens,
                "output_length": spec.output_tokens,
            }),
            ConvertTo::Prompts => json!({
                "prompt": workload.prompt(&spec)?,
                "output_tokens": spec.output_tokens,
            }),
            ConvertTo::Messages | ConvertTo::Workload => chat_request(&spec, &content)?,
        };
        if matches!(form, ConvertTo::Timed | ConvertTo::Prompts) {
            for what in beside_text(&content) {
                *lost.entry(what).or_default() += 1;
            }
        }
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(lost)
}

/// A request of the chat API, whole.
fn chat_request(spec: &RequestSpec, content: &RequestContent) -> Result<Value> {
    let mut request = members(content.members())?;
    let messages: Result<Vec<Value>> = content.messages().iter().map(chat_message).collect();
    request.insert("messages".to_owned(), messages?.into());
    request.insert("max_tokens".to_owned(), spec.output_tokens.into());
    Ok(request.into())
}

fn chat_message(message: &Message) -> Result<Value> {
    let mut object = members(&message.members)?;
    let text = Value::from(message.text.as_str());
    let content = match message.images.as_slice() {
        [] if message.text.is_empty() && message.has_calls() => Value::Null,
        [] => text,
        images => {
            let image = |url| json!({"type": "image_url", "image_url": {"url": url}});
            let urls = images.iter().map(|url| image(&**url));
            [json!({"type": "text", "text": text})]
                .into_iter()
                .chain(urls)
                .collect()
        }
    };
    object.insert("role".to_owned(), message.role.as_str().into());
    object.insert("content".to_owned(), content);
    Ok(object.into())
}

fn members(members: &[BodyMember]) -> Result<Map<String, Value>> {
    let value = |m: &BodyMember| Ok((m.name.to_string(), serde_json::from_str(&m.json)?));
    members.iter().map(value).collect()
}

/// What a request has beside its texts, by name.
fn beside_text(content: &RequestContent) -> BTreeSet<String> {
    let of_messages = content.messages().iter().flat_map(|m| &m.members);
    let named = content.members().iter().chain(of_messages);
    let mut names: BTreeSet<String> = named.map(|m| m.name.to_string()).collect();
    if content.messages().iter().any(|m| !m.images.is_empty()) {
        names.insert("images".to_owned());
    }
    names
}
