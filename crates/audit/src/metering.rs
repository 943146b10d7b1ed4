//! What a gateway metered beside what was served: request by request where both name them, else by totals.
//!
//! Does not say what is to be paid: whether a stream that its client gave up costs something is the gateway's policy,
//! so such requests are told apart. Keys are the gateway's: what was served knows none, and gets them from the rows
//! that it is joined with. Invariant: each row of either side is counted in exactly one place.

mod rows;

pub use rows::{MeteredColumns, MeteredRow};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Version of what `--json` prints.
pub const METERING_VERSION: u32 = 1;

/// Requests of each kind that are named.
const NAMED: usize = 20;
/// What APIs put in front of a request's id to make an answer's.
const PREFIXES: [&str; 5] = ["chatcmpl-", "cmpl-", "resp_", "msg_", "embd-"];

/// A request as it was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedRequest {
    /// Its id.
    pub request_id: String,
    /// Model, or adapter, that served it.
    pub model: String,
    /// Prompt tokens; absent where it could not be read.
    pub prompt_tokens: Option<u64>,
    /// Of these, found in a cache.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// How it ended.
    pub end: ServedEnd,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedEnd {
    /// Its whole answer was given.
    Whole,
    /// The answer was cut: by its client, by a fault, by the server's end.
    Cut,
    /// It was refused: nothing was served.
    Refused,
}

/// Whether requests count whose answers were cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CutRequests {
    /// What was generated counts.
    #[default]
    Count,
    /// They are left out on both sides, where they are joined by their ids.
    LeftOut,
}

/// Requests and tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amounts {
    /// Requests; of what was metered: rows.
    pub requests: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
}

/// What was metered less what was served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AmountsDifference {
    /// Requests.
    pub requests: i64,
    /// Prompt tokens.
    pub prompt_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
}

/// Both sides of a key and a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeteredGroup {
    /// The key, as the gateway names it; absent of rows without one, and of what was not metered.
    pub key: Option<String>,
    /// The model, as the gateway names it; of what was not metered as the server does.
    pub model: Option<String>,
    /// What was served.
    pub served: Amounts,
    /// What was metered.
    pub metered: Amounts,
    /// Metered less served.
    pub difference: AmountsDifference,
}

/// What two requests are joined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinedBy {
    /// The request's id.
    RequestId,
    /// Nothing: the rows have no ids, so totals of models are compared.
    Totals,
}

/// Requests of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeteredProblem {
    /// How many.
    pub requests: u64,
    /// Tokens that they account for, prompt and output: of those that differ, by how many they do.
    pub tokens: u64,
    /// The ids of the first few.
    pub ids: Vec<String>,
}

/// What was metered beside what was served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metering {
    /// Version of the format.
    pub format_version: u32,
    /// Nothing differs.
    pub agrees: bool,
    /// What they are joined by.
    pub joined_by: JoinedBy,
    /// Whether requests whose answers were cut are left out.
    pub without_cut: bool,
    /// What was served.
    pub served: Amounts,
    /// What was metered.
    pub metered: Amounts,
    /// Metered less served.
    pub difference: AmountsDifference,
    /// Requests whose tokens agree; absent where only totals are compared.
    pub agreeing: Option<u64>,
    /// By key and model, in the order of their names.
    pub groups: Vec<MeteredGroup>,
    /// Whole answers that were not metered.
    pub missing: MeteredProblem,
    /// Answers that were cut, with tokens generated, that were not metered.
    pub missing_cut: MeteredProblem,
    /// Rows beyond the first of a request.
    pub double: MeteredProblem,
    /// Rows whose request was not served here.
    pub unknown: MeteredProblem,
    /// Rows without an id, where others have one.
    pub without_id: MeteredProblem,
    /// Rows with tokens of requests that were refused.
    pub refused: MeteredProblem,
    /// Rows with other prompt tokens, but for those below.
    pub prompt_differs: MeteredProblem,
    /// Rows whose prompt tokens are the prompt's and the cached ones again.
    pub cached_twice: MeteredProblem,
    /// Rows whose prompt tokens are the prompt's without the cached ones.
    pub cached_left_out: MeteredProblem,
    /// Rows with other output tokens.
    pub output_differs: MeteredProblem,
    /// Rows without prompt or without output tokens.
    pub not_counted: MeteredProblem,
}

/// Compares them.
pub fn metering(served: &[ServedRequest], rows: &[MeteredRow], cut: CutRequests) -> Metering {
    match rows.iter().any(|row| row.request_id.is_some()) {
        true => by_request(served, rows, cut),
        false => by_totals(served, rows),
    }
}

impl Metering {
    fn new(joined_by: JoinedBy, cut: CutRequests) -> Self {
        Self {
            format_version: METERING_VERSION,
            agrees: false,
            joined_by,
            without_cut: cut == CutRequests::LeftOut && joined_by == JoinedBy::RequestId,
            served: Amounts::default(),
            metered: Amounts::default(),
            difference: AmountsDifference::default(),
            agreeing: None,
            groups: Vec::new(),
            missing: MeteredProblem::default(),
            missing_cut: MeteredProblem::default(),
            double: MeteredProblem::default(),
            unknown: MeteredProblem::default(),
            without_id: MeteredProblem::default(),
            refused: MeteredProblem::default(),
            prompt_differs: MeteredProblem::default(),
            cached_twice: MeteredProblem::default(),
            cached_left_out: MeteredProblem::default(),
            output_differs: MeteredProblem::default(),
            not_counted: MeteredProblem::default(),
        }
    }

    /// What is wrong, in the words of a person, the heaviest first.
    pub fn problems(&self) -> [(&'static str, &MeteredProblem); 11] {
        [
            ("served and not metered", &self.missing),
            ("metered more than once", &self.double),
            ("metered and not served here", &self.unknown),
            ("refused and metered", &self.refused),
            ("cut, and not metered", &self.missing_cut),
            ("cached prompt tokens counted twice", &self.cached_twice),
            ("cached prompt tokens left out", &self.cached_left_out),
            ("other prompt tokens", &self.prompt_differs),
            ("other output tokens", &self.output_differs),
            ("rows without a count of tokens", &self.not_counted),
            ("rows without a request id", &self.without_id),
        ]
    }

    fn concluded(mut self, groups: Groups) -> Self {
        let groups = groups.0.into_iter();
        self.groups = groups
            .map(|((key, model), (served, metered))| {
                self.served.add(served);
                self.metered.add(metered);
                MeteredGroup {
                    key,
                    model,
                    served,
                    metered,
                    difference: metered.less(served),
                }
            })
            .collect();
        self.difference = self.metered.less(self.served);
        let none = AmountsDifference::default();
        let is_even = self.groups.iter().all(|group| group.difference == none);
        let has_none = self
            .problems()
            .iter()
            .all(|(_, problem)| problem.requests == 0);
        self.agrees = is_even && has_none;
        self
    }
}

impl Amounts {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.prompt_tokens += other.prompt_tokens;
        self.output_tokens += other.output_tokens;
    }

    fn less(self, other: Self) -> AmountsDifference {
        let less = |a: u64, b: u64| a as i64 - b as i64;
        AmountsDifference {
            requests: less(self.requests, other.requests),
            prompt_tokens: less(self.prompt_tokens, other.prompt_tokens),
            output_tokens: less(self.output_tokens, other.output_tokens),
        }
    }

    fn of_served(request: &ServedRequest) -> Self {
        Self {
            requests: 1,
            prompt_tokens: request.prompt_tokens.unwrap_or(0),
            output_tokens: request.output_tokens,
        }
    }

    fn of_row(row: &MeteredRow) -> Self {
        Self {
            requests: 1,
            prompt_tokens: row.prompt_tokens.unwrap_or(0),
            output_tokens: row.output_tokens.unwrap_or(0),
        }
    }

    fn tokens(self) -> u64 {
        self.prompt_tokens + self.output_tokens
    }
}

impl MeteredProblem {
    fn note(&mut self, id: &str, tokens: u64) {
        self.requests += 1;
        self.tokens += tokens;
        if self.ids.len() < NAMED && !id.is_empty() {
            self.ids.push(id.to_owned());
        }
    }
}

/// Served and metered, by key and model.
#[derive(Default)]
struct Groups(BTreeMap<(Option<String>, Option<String>), (Amounts, Amounts)>);

impl Groups {
    fn of_row(&mut self, row: &MeteredRow) -> &mut (Amounts, Amounts) {
        let place = (row.key.clone(), row.model.clone());
        self.0.entry(place).or_default()
    }

    fn of_model(&mut self, model: &str) -> &mut (Amounts, Amounts) {
        self.0.entry((None, Some(model.to_owned()))).or_default()
    }
}

fn by_request(served: &[ServedRequest], rows: &[MeteredRow], cut: CutRequests) -> Metering {
    let mut found = Metering::new(JoinedBy::RequestId, cut);
    let mut groups = Groups::default();
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, request) in served.iter().enumerate() {
        let of_id = places.entry(request.request_id.as_str()).or_default();
        of_id.push(place);
    }
    let mut is_metered = vec![false; served.len()];
    let mut agreeing = 0;
    let leaves_out =
        |request: &ServedRequest| request.end == ServedEnd::Cut && cut == CutRequests::LeftOut;
    for row in rows {
        let amounts = Amounts::of_row(row);
        let place = row
            .request_id
            .as_deref()
            .map(|id| (id, places_of(&places, id)));
        let request = match place {
            None => {
                groups.of_row(row).1.add(amounts);
                found.without_id.note("", amounts.tokens());
                continue;
            }
            Some((id, [])) => {
                groups.of_row(row).1.add(amounts);
                found.unknown.note(id, amounts.tokens());
                continue;
            }
            Some((_, places)) => {
                let place = next_of(
                    places,
                    &Left {
                        served,
                        is_metered: &is_metered,
                    },
                    amounts,
                );
                let request = &served[place];
                if leaves_out(request) {
                    is_metered[place] = true;
                    continue;
                }
                groups.of_row(row).1.add(amounts);
                if std::mem::replace(&mut is_metered[place], true) {
                    found.double.note(&request.request_id, amounts.tokens());
                    continue;
                }
                request
            }
        };
        if request.end == ServedEnd::Refused {
            // Nothing was served: a row that says so agrees, if it is a row that costs nothing.
            match amounts.tokens() {
                0 => groups.of_row(row).1.requests -= 1,
                tokens => found.refused.note(&request.request_id, tokens),
            }
            continue;
        }
        groups.of_row(row).0.add(Amounts::of_served(request));
        agreeing += u64::from(differences(&mut found, request, row));
    }
    let both = served.iter().zip(&is_metered);
    for (request, _) in both.filter(|(request, metered)| !**metered && !leaves_out(request)) {
        not_metered(&mut found, &mut groups, request);
    }
    found.agreeing = Some(agreeing);
    found.concluded(groups)
}

/// Notes a request that no row names.
fn not_metered(found: &mut Metering, groups: &mut Groups, request: &ServedRequest) {
    let problem = match request.end {
        ServedEnd::Refused => return,
        ServedEnd::Cut if request.output_tokens == 0 => return,
        ServedEnd::Cut => &mut found.missing_cut,
        ServedEnd::Whole => &mut found.missing,
    };
    let amounts = Amounts::of_served(request);
    problem.note(&request.request_id, amounts.tokens());
    groups.of_model(&request.model).0.add(amounts);
}

/// The requests that an id names, as it stands or without what an API puts in front of it: several where a client has
/// given it more than once.
fn places_of<'a>(places: &'a HashMap<&str, Vec<usize>>, id: &str) -> &'a [usize] {
    let bare = || PREFIXES.iter().find_map(|prefix| id.strip_prefix(prefix));
    let found = places.get(id).or_else(|| places.get(bare()?));
    found.map_or(&[], Vec::as_slice)
}

/// What was served, and which of it rows have named.
struct Left<'a> {
    served: &'a [ServedRequest],
    is_metered: &'a [bool],
}

/// The request of a row among those of its id, of which there are some: the first that no row has named, else the
/// first. One that was refused and sent again under its id is the request of a row that costs nothing.
fn next_of(places: &[usize], of: &Left<'_>, row: Amounts) -> usize {
    let is_its =
        |place: &usize| (of.served[*place].end == ServedEnd::Refused) == (row.tokens() == 0);
    let left = places.iter().filter(|place| !of.is_metered[**place]);
    let found = left.clone().find(|place| is_its(place));
    let found = found.or_else(|| left.clone().next());
    found.copied().unwrap_or(places[0])
}

/// Notes how a row differs from what was served; whether it does not.
fn differences(found: &mut Metering, request: &ServedRequest, row: &MeteredRow) -> bool {
    let id = &request.request_id;
    let (Some(prompt), Some(output)) = (row.prompt_tokens, row.output_tokens) else {
        found
            .not_counted
            .note(id, Amounts::of_served(request).tokens());
        return false;
    };
    let mut agrees = true;
    if let Some(truth) = request.prompt_tokens.filter(|truth| *truth != prompt) {
        agrees = false;
        let cached = request.cached_tokens;
        let problem = match prompt {
            prompt if cached > 0 && prompt == truth + cached => &mut found.cached_twice,
            prompt if cached > 0 && prompt + cached == truth => &mut found.cached_left_out,
            _ => &mut found.prompt_differs,
        };
        problem.note(id, truth.abs_diff(prompt));
    }
    if request.output_tokens != output {
        agrees = false;
        let apart = request.output_tokens.abs_diff(output);
        found.output_differs.note(id, apart);
    }
    agrees
}

fn by_totals(served: &[ServedRequest], rows: &[MeteredRow]) -> Metering {
    let mut found = Metering::new(JoinedBy::Totals, CutRequests::Count);
    let mut groups = Groups::default();
    for request in served
        .iter()
        .filter(|request| request.end != ServedEnd::Refused)
    {
        groups
            .of_model(&request.model)
            .0
            .add(Amounts::of_served(request));
    }
    for row in rows {
        let amounts = Amounts::of_row(row);
        match &row.model {
            Some(model) => groups.of_model(model).1.add(amounts),
            None => groups.0.entry((None, None)).or_default().1.add(amounts),
        }
        if row.prompt_tokens.is_none() || row.output_tokens.is_none() {
            found.not_counted.note("", amounts.tokens());
        }
    }
    found.concluded(groups)
}

#[cfg(test)]
mod tests;
