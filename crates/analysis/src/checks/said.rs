//! What answers say: corrupted ones, those of other requests, those that a question shows to be wrong.
//!
//! All of it rests on checks that were asked for. Invariant: without them there is no finding here.

use super::beside::Scores;
use super::{Check, NOTE, WARNING, count, counted, percent};
use crate::answers::{AnswersSummary, CanarySummary, DoubtCount, corruption_words};
use crate::limits;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::answer::{Doubt, QuestionKind};
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::plan::TextManner;
use infermeter_core::request::RequestId;
use infermeter_core::run::{SoloEnd, SoloPass};

/// The advice for most of them.
const LOOK: &str = "Look at these answers (--save-responses keeps them), ask the same alone, and find out from which load on it \
     happens: `infermeter sweep ... --check-answers --canaries 5%`.";

const fn of_answers(code: &'static str, weight: Weight, test: super::Ask) -> Check {
    Check {
        code,
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight,
        limit: None,
        test,
    }
}

/// Answers that no sound server gives.
pub const ANSWERS_CORRUPTED: Check = Check {
    limit: Some(limits::CORRUPTED),
    ..of_answers(
        "answers-corrupted",
        Weight::UpTo(Severity::Error),
        corrupted,
    )
};

fn corrupted(_: &Run, summary: &Summary) -> Option<Finding> {
    let answers = summary.answers.as_ref()?;
    let share = answers.corrupted.as_ref().filter(|share| share.count > 0)?;
    let severity = match share.low {
        Some(low) if low > limits::CORRUPTED => Severity::Error,
        _ if share.value > limits::CORRUPTED_NOTE => Severity::Warning,
        _ => Severity::Note,
    };
    Some(ANSWERS_CORRUPTED.weighing(
        severity,
        "Some answers are none: the figures count them as if they were.",
        format!(
            "{} of {} checked answers ({}): {}; requests {}.",
            count(share.count as u64),
            count(answers.checked),
            percent(share.value),
            corruption_words(answers),
            ids(&corrupt_examples(answers)),
        ),
        LOOK,
    ))
}

fn corrupt_examples(answers: &AnswersSummary) -> Vec<RequestId> {
    let corrupting = answers.doubts.iter().filter(|found| found.corrupts);
    let mut all: Vec<RequestId> = corrupting
        .flat_map(|found| found.examples.iter().copied())
        .collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(5);
    all
}

fn ids(all: &[RequestId]) -> String {
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// More of them at high load.
pub const ANSWERS_CORRUPTED_UNDER_LOAD: Check = of_answers(
    "answers-corrupted-under-load",
    WARNING,
    corrupted_under_load,
);

fn corrupted_under_load(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary.answers.as_ref()?.under_load.as_ref()?;
    (found.p_value < limits::ANSWER_TEST).then(|| {
        ANSWERS_CORRUPTED_UNDER_LOAD.found(
            "Answers are corrupted under load: the server is fast where it is wrong.",
            format!(
                "{} of {} answers that were asked for with more than {} in flight, {} of {} others; Fisher's exact \
                 test: p = {:.2e}.",
                count(found.high_corrupted),
                count(found.high),
                found.above,
                count(found.low_corrupted),
                count(found.low),
                found.p_value
            ),
            LOOK,
        )
    })
}

/// The marker of another request.
pub const ANSWERS_CROSSED: Check = of_answers("answers-crossed", WARNING, crossed);

fn crossed(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = with(summary, Doubt::ForeignMarker)?;
    Some(ANSWERS_CROSSED.found(
        "Answers hold what another request was asked to say: requests get each other's answers.",
        format!(
            "{} with a marker that is not their own; requests {}.",
            counted(found.answers, "answer"),
            ids(&found.examples)
        ),
        "Stop: this is a leak between users. Look for a race in the transfer of the KV cache, in a router, or in the order of \
         answers on a shared connection.",
    ))
}

fn with(summary: &Summary, doubt: Doubt) -> Option<&DoubtCount> {
    summary.answers.as_ref()?.with(doubt)
}

/// Fewer right answers under load than alone.
pub const CANARY_ACCURACY_FALLS: Check =
    of_answers("canary-accuracy-falls", WARNING, accuracy_falls);

fn accuracy_falls(_: &Run, summary: &Summary) -> Option<Finding> {
    let canaries = canaries(summary)?;
    let scores = Scores {
        right: canaries.right.as_ref()?,
        alone: canaries.right_before.as_ref(),
        paired: canaries.paired.as_ref(),
        under_load: canaries.under_load.as_ref(),
    };
    scores.falls().map(|told| {
        CANARY_ACCURACY_FALLS.found(
            "Questions that the model answers alone, or at low load, are answered wrongly under load.",
            format!("Canaries: {told}; requests {}.", ids(&canaries.wrong_examples)),
            LOOK,
        )
    })
}

fn canaries(summary: &Summary) -> Option<&CanarySummary> {
    summary.answers.as_ref()?.canaries.as_ref()
}

/// Needles are missed where other questions are answered.
pub const PROMPT_TRUNCATED: Check = of_answers("prompt-truncated", WARNING, truncated);

/// Needles that a judgement needs.
const LEAST_NEEDLES: u64 = 6;

fn truncated(_: &Run, summary: &Summary) -> Option<Finding> {
    let canaries = canaries(summary)?;
    let sum = |needles: bool| {
        let own = canaries
            .kinds
            .iter()
            .filter(|k| (k.kind == QuestionKind::Needle) == needles);
        own.fold((0, 0), |(right, all), kind| {
            (right + kind.right, all + kind.judged)
        })
    };
    let ((found, needles), (right, others)) = (sum(true), sum(false));
    if needles < LEAST_NEEDLES {
        return None;
    }
    let p_value =
        infermeter_stats::fisher_greater(needles - found, needles, others - right, others);
    (p_value < limits::ANSWER_TEST).then(|| {
        PROMPT_TRUNCATED.found(
            "What stands inside of prompts is not found, although other questions are answered: prompts are cut.",
            format!(
                "{} of {} needles found, {} of {} other questions answered rightly; Fisher's exact test: p = {p_value:.2e}.",
                count(found),
                count(needles),
                count(right),
                count(others)
            ),
            "Look for a limit of the prompt's length in the server or in a gateway, and for a compression of prompts.",
        )
    })
}

/// One answer to different prompts.
pub const ANSWERS_EQUAL: Check = of_answers("answers-equal", WARNING, equal);

/// Equal answers from which on they are no chance.
const LEAST_EQUAL: u64 = 4;

fn equal(_: &Run, summary: &Summary) -> Option<Finding> {
    let equal = &summary.answers.as_ref()?.equal;
    (equal.answers >= LEAST_EQUAL).then(|| {
        ANSWERS_EQUAL.found(
            "Different prompts got the same answer, word for word: something answers from a cache that takes one for another.",
            format!(
                "{} of {} compared answers share {}; requests {}.",
                count(equal.answers),
                count(equal.compared),
                counted(equal.texts, "text"),
                ids(&equal.examples)
            ),
            "Turn off caches of responses by meaning or by length in the gateway, and measure again: --prefix bust does not help \
             against them.",
        )
    })
}

/// Errors with status 200.
pub const ANSWERS_REFUSED_IN_TEXT: Check =
    of_answers("answers-refused-in-text", WARNING, refused_in_text);

fn refused_in_text(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = with(summary, Doubt::ErrorText)?;
    Some(ANSWERS_REFUSED_IN_TEXT.found(
        "Some answers are messages of an error, sent as if they were the model's: they count as completed, and they are quick.",
        format!("{}; requests {}.", counted(found.answers, "answer"), ids(&found.examples)),
        "Find out who sends them (a gateway, a limit of its rate), and have it answer with a status that says so.",
    ))
}

/// Another language than most.
pub const ANSWERS_LANGUAGE_SHIFT: Check =
    of_answers("answers-language-shift", WARNING, language_shift);

/// Answers in another writing system, and their share, from which on they are no chance.
const LEAST_OTHER: u64 = 4;
const OTHER: f64 = 0.005;

fn language_shift(run: &Run, summary: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    // Prompts of people may be of any language.
    let own =
        plan.text == TextManner::Tidy && plan.dataset.is_none() && plan.workload_file.is_none();
    let found = summary
        .answers
        .as_ref()?
        .other_writing
        .as_ref()
        .filter(|_| own)?;
    let share = found.other as f64 / found.known as f64;
    (found.other >= LEAST_OTHER && share > OTHER).then(|| {
        ANSWERS_LANGUAGE_SHIFT.found(
            "Some answers are in another writing system than the others, and than their prompts.",
            format!(
                "{} of {} answers; most are {}; requests {}.",
                count(found.other),
                count(found.known),
                found.most,
                ids(&found.examples)
            ),
            LOOK,
        )
    })
}

/// The first chunk shows nothing.
pub const FIRST_TOKEN_BLANK: Check = Check {
    dimension: Dimension::MetricDesign,
    ..of_answers("first-token-blank", WARNING, first_blank)
};

fn first_blank(_: &Run, summary: &Summary) -> Option<Finding> {
    let answers = summary.answers.as_ref()?;
    let found = answers.with(Doubt::BlankStart)?;
    (found.answers * 2 > answers.checked).then(|| {
        FIRST_TOKEN_BLANK.found(
            "Answers begin with a chunk that shows nothing: TTFT is the time to that chunk, and no token of the answer.",
            format!(
                "{} of {} checked answers; requests {}.",
                count(found.answers),
                count(answers.checked),
                ids(&found.examples)
            ),
            "Compare the second chunk instead (chunk gap at position 1), and find out what sends the first one.",
        )
    })
}

/// JSON that is none, or not what was asked for.
pub const SCHEMA_BROKEN: Check = of_answers("schema-broken", WARNING, schema_broken);

fn schema_broken(_: &Run, summary: &Summary) -> Option<Finding> {
    either(summary, [Doubt::NotJson, Doubt::SchemaBroken]).map(|(n, examples)| {
        SCHEMA_BROKEN.found(
            "Some answers break the form that they were asked to have.",
            format!("{}; requests {}.", counted(n, "answer"), ids(&examples)),
            "Look whether the server applies response_format at all, and under load: some fall back to free text.",
        )
    })
}

/// Calls of tools that do not exist, or with wrong arguments.
pub const TOOLS_WRONG: Check = of_answers("tools-wrong", WARNING, tools_wrong);

fn tools_wrong(_: &Run, summary: &Summary) -> Option<Finding> {
    either(summary, [Doubt::ToolUnknown, Doubt::ToolArguments]).map(|(n, examples)| {
        TOOLS_WRONG.found(
            "Some answers call tools that were not given, or with arguments that these do not have.",
            format!("{}; requests {}.", counted(n, "answer"), ids(&examples)),
            "Look at the parser of tool calls in the server, and whether it belongs to the model.",
        )
    })
}

fn either(summary: &Summary, doubts: [Doubt; 2]) -> Option<(u64, Vec<RequestId>)> {
    let found: Vec<&DoubtCount> = doubts
        .into_iter()
        .filter_map(|d| with(summary, d))
        .collect();
    let examples = found
        .iter()
        .flat_map(|one| one.examples.iter().copied())
        .take(5);
    let n = found.iter().map(|one| one.answers).sum();
    (n > 0).then(|| (n, examples.collect()))
}

/// What should not be seen.
pub const REASONING_LEAKS: Check = of_answers("reasoning-leaks", WARNING, leaks);

fn leaks(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = with(summary, Doubt::ReasoningLeak)?;
    Some(REASONING_LEAKS.found(
        "Reasoning, or a token of the chat template, stands in the text of answers.",
        format!("{}; requests {}.", counted(found.answers, "answer"), ids(&found.examples)),
        "Give the server the parser for this model's reasoning and tools, and its own chat template.",
    ))
}

/// A model that reasons did not.
pub const REASONING_MISSING: Check = of_answers("reasoning-missing", WARNING, missing);

/// Answers without reasoning from which on they are no chance.
const LEAST_WITHOUT: usize = 4;

fn missing(_: &Run, summary: &Summary) -> Option<Finding> {
    let share = summary.answers.as_ref()?.without_reasoning.as_ref()?;
    (share.count >= LEAST_WITHOUT).then(|| {
        REASONING_MISSING.found(
            "Most answers show the model's reasoning, and some come without it: they are quicker, and of another kind.",
            format!(
                "{} of {} answers in text ({}).",
                count(share.count as u64),
                count(share.n as u64),
                percent(share.value)
            ),
            "Look for a limit of reasoning under load, or for a second model behind the same name.",
        )
    })
}

/// Texts that nobody could read.
pub const ANSWERS_NOT_CHECKED: Check = of_answers(
    "answers-not-checked",
    Weight::UpTo(Severity::Warning),
    not_checked,
);

fn not_checked(run: &Run, summary: &Summary) -> Option<Finding> {
    let answers = summary.answers.as_ref()?;
    let plan = &run.manifest.plan;
    // A publication asks for the checks by itself: a record from before there were any is not blamed.
    let asked = plan.check_answers || plan.canaries.is_some() || answers.checked > 0;
    if !asked {
        return None;
    }
    let silent = with(summary, Doubt::NoText).map_or(0, |found| found.answers);
    let without = answers.unchecked + silent;
    let all = answers.checked + answers.unchecked;
    (without > 0).then(|| {
        let severity = match without * 2 > all {
            true => Severity::Warning,
            false => Severity::Note,
        };
        ANSWERS_NOT_CHECKED.weighing(
            severity,
            "Answers were to be checked, and some have no text that could be.",
            format!("{} of {} completed answers.", count(without), count(all)),
            "A server that sends token ids alone, or a record from before its texts were kept, cannot be checked: have the \
             server send text.",
        )
    })
}

/// A pass that did not come to its end.
pub(super) const SOLO_CUT_SHORT: Check = of_answers("solo-cut-short", NOTE, cut_short);

fn cut_short(run: &Run, _: &Summary) -> Option<Finding> {
    let solo = run.manifest.solo.as_ref()?;
    let passes = [("before", &solo.before), ("after", &solo.after)];
    let short = |(when, pass): &(&str, &Option<SoloPass>)| {
        let pass = pass
            .as_ref()
            .filter(|pass| pass.ended_by != SoloEnd::AllAsked)?;
        let why = match (pass.ended_by, &pass.problem) {
            (_, Some(problem)) => problem.clone(),
            (SoloEnd::Time, None) => "its time was over".to_owned(),
            _ => "it was stopped".to_owned(),
        };
        Some(format!(
            "{when} the load {} of {} were answered ({why})",
            pass.answers.len(),
            pass.wanted
        ))
    };
    let told: Vec<String> = passes.iter().filter_map(short).collect();
    (!told.is_empty()).then(|| {
        SOLO_CUT_SHORT.found(
            "Fewer questions were asked alone than ride in the load: the comparison rests on these.",
            format!("Canaries alone: {}.", told.join("; ")),
            "Nothing to do where there are enough pairs; else ask for shorter answers, or for fewer canaries.",
        )
    })
}

/// The model's own weakness.
pub const CANARY_ACCURACY_LOW: Check = of_answers("canary-accuracy-low", NOTE, accuracy_low);

fn accuracy_low(_: &Run, summary: &Summary) -> Option<Finding> {
    let alone = canaries(summary)?.right_before.as_ref()?;
    (alone.value < limits::CAPABLE).then(|| {
        CANARY_ACCURACY_LOW.found(
            "The model answers many of the small questions wrongly even alone: its answers under load are compared with that.",
            format!("{} of {} right alone ({}).", alone.count, alone.n, percent(alone.value)),
            "Nothing to do for the comparison; a weak model shows corruption later.",
        )
    })
}

/// Refusals.
pub const CANARIES_REFUSED: Check = of_answers("canaries-refused", NOTE, refused);

fn refused(_: &Run, summary: &Summary) -> Option<Finding> {
    let canaries = canaries(summary)?;
    (canaries.refused * 10 > canaries.answered && canaries.refused > 1).then(|| {
        CANARIES_REFUSED.found(
            "The model refuses some of the small questions: they show nothing.",
            format!(
                "{} of {}.",
                count(canaries.refused),
                counted(canaries.answered, "question")
            ),
            "Look at a system prompt or a filter in front of the model.",
        )
    })
}

/// Too few to see anything.
pub(super) const CANARIES_TOO_FEW: Check = of_answers("canaries-too-few", NOTE, too_few);

fn too_few(_: &Run, summary: &Summary) -> Option<Finding> {
    let canaries = canaries(summary)?;
    (canaries.answered < canaries.needed).then(|| {
        CANARIES_TOO_FEW.found(
            "There are fewer canaries than it takes to see that one answer in a hundred is wrong.",
            format!(
                "{} were answered; they would show it in {} of the runs, {} in 95 %.",
                count(canaries.answered),
                percent(canaries.power),
                count(canaries.needed)
            ),
            "Measure longer, or give a greater share with --canaries.",
        )
    })
}
