//! Whether the answers that were timed are answers: what was found of each, by kind, load and class, and how many questions
//! were answered rightly under load and alone.
//!
//! Facts of single answers come from the record; no text is needed. Invariant: a share of answers counts those that were
//! checked, and says how many that were.

mod canaries;
mod equal;
mod evals;
mod levels;
mod parts;
mod references;
mod shares;
mod shifts;

pub use canaries::{CanarySummary, KindAccuracy, PairedAccuracy};
pub use equal::EqualAnswers;
pub use evals::EvalSummary;
pub use levels::LoadLevel;
pub use references::{Divergence, Likeness, ReferenceSummary, SignTest};
pub(crate) use references::{LEAST_PAIRS, by_test, early, is_early};
pub use shifts::{FinishShift, LengthPair, LengthShift};

pub(crate) use shares::{flags, is_asked_for};

use self::parts::Parts;
use crate::figure::Share;
use crate::requests::share_of;
use crate::run::Run;
use infermeter_core::answer::{AnswerFacts, Doubt, Doubts, Writing};
use infermeter_core::finish::FinishReason;
use infermeter_core::request::RequestId;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::load_at_send::loads_at_send;
use infermeter_metrics::population::Population;
use infermeter_stats::fisher_greater;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests that are named for what was found.
pub(crate) const EXAMPLES: usize = 5;

/// What was found of the answers of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswersSummary {
    /// Completed answers whose text was read.
    pub checked: u64,
    /// Completed answers whose text was not: they were not kept, or had none.
    pub unchecked: u64,
    /// Of those whose length was forced, only the beginning was judged.
    pub judged_in_part: u64,
    /// Those that no sound server gives.
    pub corrupted: Option<Share>,
    /// Each doubt that occurs, the most frequent first.
    pub doubts: Vec<DoubtCount>,
    /// Equal answers to different prompts.
    pub equal: EqualAnswers,
    /// By requests in flight when the request was sent.
    pub levels: Vec<LoadLevel>,
    /// Corruption at high load against low load; absent with too few of either.
    pub under_load: Option<UnderLoad>,
    /// By class, where there are several.
    pub classes: Vec<ClassAnswers>,
    /// Answers in another writing system than most, by requests; absent where no system has most.
    pub other_writing: Option<OtherWriting>,
    /// Of answers of a model that reasons, those that show no reasoning.
    pub without_reasoning: Option<Share>,
    /// Questions with known answers; absent where none were asked.
    pub canaries: Option<CanarySummary>,
    /// Lengths at high load against low load; absent with too few of either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_shift: Option<LengthShift>,
    /// How answers end at high load against low load; absent with too few of either, and where all end alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_shift: Option<FinishShift>,
    /// Evaluations that rode in the load, by file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evals: Vec<EvalSummary>,
    /// Answers beside those to the same prompts asked alone; absent where none were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<ReferenceSummary>,
}

/// How often a doubt occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DoubtCount {
    /// Its name.
    pub doubt: String,
    /// It makes an answer a corrupted one.
    pub corrupts: bool,
    /// Answers.
    pub answers: u64,
    /// Some of their requests, by number.
    pub examples: Vec<RequestId>,
}

/// The answers of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassAnswers {
    /// Its name.
    pub class: String,
    /// Those that no sound server gives.
    pub corrupted: Share,
}

/// Corrupted answers, or wrong ones of questions, at high load and at low load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnderLoad {
    /// More requests in flight than these count as high load.
    pub above: u32,
    /// Answers at low load.
    pub low: u64,
    /// Corrupted, or wrong, ones among them.
    pub low_corrupted: u64,
    /// Answers at high load.
    pub high: u64,
    /// Corrupted, or wrong, ones among them.
    pub high_corrupted: u64,
    /// Fisher's exact test, one-sided: as many more at high load by chance.
    pub p_value: f64,
}

/// Answers in another writing system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherWriting {
    /// That of most answers.
    pub most: String,
    /// Answers whose system is known.
    pub known: u64,
    /// Those in another one.
    pub other: u64,
    /// Some of their requests, by number.
    pub examples: Vec<RequestId>,
}

/// A measured request whose answer was checked.
pub(crate) struct Checked<'a> {
    pub request: &'a RequestFacts,
    pub answer: &'a AnswerFacts,
    /// Requests in flight at its send.
    pub load: u32,
}

impl AnswersSummary {
    /// Of the measured requests; `None` where no answer was to be checked.
    pub(crate) fn of(run: &Run, population: &Population<'_>) -> Option<Self> {
        if !run.manifest.plan.checks_answers() {
            return None;
        }
        let checked = checked(run);
        let completed = population.completed().count() as u64;
        let flags = |of: &dyn Fn(&Checked<'_>) -> bool| -> Vec<f64> {
            checked
                .iter()
                .map(|one| f64::from(u8::from(of(one))))
                .collect()
        };
        let levels = levels::levels(&checked);
        Some(Self {
            checked: checked.len() as u64,
            unchecked: completed.saturating_sub(checked.len() as u64),
            judged_in_part: counted(&checked, Doubt::NotJudgedPart),
            corrupted: share_of(&flags(&is_corrupted)),
            doubts: doubts(&checked),
            equal: EqualAnswers::of(&checked),
            under_load: UnderLoad::of(&checked),
            levels,
            classes: classes(run, &checked),
            other_writing: other_writing(&checked),
            without_reasoning: without_reasoning(&checked),
            canaries: CanarySummary::of(run, &checked),
            length_shift: LengthShift::of(&checked),
            finish_shift: FinishShift::of(&checked),
            evals: evals::evals(run, &checked),
            references: ReferenceSummary::of(run, &checked),
        })
    }

    /// Answers with a doubt.
    pub fn with(&self, doubt: Doubt) -> Option<&DoubtCount> {
        self.doubts
            .iter()
            .find(|found| found.doubt == doubt.as_str())
    }
}

fn checked(run: &Run) -> Vec<Checked<'_>> {
    let requests = &run.collected.requests;
    let loads = loads_at_send(requests);
    let mut found: Vec<Checked<'_>> = requests
        .iter()
        .zip(loads)
        .filter(|(request, _)| request.phase == infermeter_core::schedule::Phase::Measure)
        .filter_map(|(request, load)| {
            Some(Checked {
                request,
                answer: request.answer.as_deref()?,
                load: load?,
            })
        })
        .collect();
    found.sort_by_key(|one| (one.request.intended, one.request.id));
    found
}

fn is_corrupted(one: &Checked<'_>) -> bool {
    one.answer.doubts.are_corrupt()
}

fn counted(checked: &[Checked<'_>], doubt: Doubt) -> u64 {
    let with = checked
        .iter()
        .filter(|one| one.answer.doubts.contains(doubt));
    with.count() as u64
}

fn doubts(checked: &[Checked<'_>]) -> Vec<DoubtCount> {
    let told = Doubt::ALL
        .into_iter()
        .filter(|doubt| *doubt != Doubt::NotJudgedPart);
    let of = |doubt: Doubt| {
        let with = || {
            checked
                .iter()
                .filter(|one| one.answer.doubts.contains(doubt))
        };
        DoubtCount {
            doubt: doubt.as_str().to_owned(),
            corrupts: doubt.is_corruption(),
            answers: with().count() as u64,
            examples: with().map(|one| one.request.id).take(EXAMPLES).collect(),
        }
    };
    let mut all: Vec<DoubtCount> = told.map(of).filter(|found| found.answers > 0).collect();
    all.sort_by_key(|found| (!found.corrupts, std::cmp::Reverse(found.answers)));
    all
}

fn classes(run: &Run, checked: &[Checked<'_>]) -> Vec<ClassAnswers> {
    let names = &run.manifest.classes;
    if names.len() < 2 {
        return Vec::new();
    }
    let of = |(index, name): (usize, &String)| {
        let own = checked
            .iter()
            .filter(|one| usize::from(one.request.class) == index);
        let flags = own.map(|one| f64::from(u8::from(is_corrupted(one))));
        Some(ClassAnswers {
            class: name.clone(),
            corrupted: share_of(&flags.collect::<Vec<f64>>())?,
        })
    };
    names.iter().enumerate().filter_map(of).collect()
}

impl UnderLoad {
    fn of(checked: &[Checked<'_>]) -> Option<Self> {
        Some(Self::of_parts(&Parts::of(checked.iter())?, is_corrupted))
    }

    /// How many of each part are so, and the test.
    fn of_parts(parts: &Parts<'_, '_>, so: impl Fn(&Checked<'_>) -> bool) -> Self {
        let (low, high) = (parts.low.len() as u64, parts.high.len() as u64);
        let (low_corrupted, high_corrupted) = parts.count(so);
        Self {
            above: parts.above,
            low,
            low_corrupted,
            high,
            high_corrupted,
            p_value: fisher_greater(high_corrupted, high, low_corrupted, low),
        }
    }
}

/// A writing system is that of most answers from this share on.
const MOST: f64 = 0.6;

fn other_writing(checked: &[Checked<'_>]) -> Option<OtherWriting> {
    let known: Vec<(RequestId, Writing)> = checked
        .iter()
        .filter_map(|one| Some((one.request.id, one.answer.script?)))
        .collect();
    let count = |writing: Writing| known.iter().filter(|(_, own)| *own == writing).count();
    let most = Writing::ALL
        .into_iter()
        .max_by_key(|writing| count(*writing))?;
    let of_most = count(most);
    let others = || known.iter().filter(|(_, own)| *own != most);
    (of_most as f64 >= MOST * known.len() as f64 && of_most < known.len()).then(|| OtherWriting {
        most: most.as_str().to_owned(),
        known: known.len() as u64,
        other: others().count() as u64,
        examples: others().map(|(id, _)| *id).take(EXAMPLES).collect(),
    })
}

/// Absent where the model does not reason: fewer than half of the answers do.
fn without_reasoning(checked: &[Checked<'_>]) -> Option<Share> {
    // Reasoning comes first, so an answer that was cut has shown it; a tool's call may need no thought.
    let in_text = ["stop", "length"].map(|reason| Some(FinishReason::of(reason)));
    let plain = checked
        .iter()
        .filter(|one| in_text.contains(&one.request.finish));
    let without: Vec<f64> = plain
        .map(|one| f64::from(u8::from(!one.request.chunks.reasoning)))
        .collect();
    let share = share_of(&without)?;
    (share.value < 0.5).then_some(share)
}

/// Everything that makes an answer a corrupted one, in words of a list.
pub(crate) fn corruption_words(summary: &AnswersSummary) -> String {
    let corrupting = summary.doubts.iter().filter(|found| found.corrupts);
    let words = corrupting.map(|found| format!("{} {}", found.answers, found.doubt));
    words.collect::<Vec<_>>().join(", ")
}

/// Doubts of a text form; nothing where it says none.
pub(crate) fn read_doubts(names: &[String]) -> Doubts {
    names.iter().filter_map(|name| Doubt::parse(name)).collect()
}
