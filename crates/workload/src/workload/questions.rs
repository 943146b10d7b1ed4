//! Requests that carry a question: it takes the place of the end of the prompt.
//!
//! A question hides in its class: the class, and where the prompt is long enough its length, are those that were drawn.
//! The filler before it is shorter by what the question takes. Its answer ends by itself, and has no form that the class
//! would give it; it is sampled as all others are. What is asked, and whether an answer is right, is not known here.
//! Invariant: which requests carry one is a function of the questions' seed and the id; what they ask does not depend on the
//! salt.

use super::Workload;
use super::source::Source;
use crate::counter::TokenCounter;
use crate::tokenizer::TokenizerError;
use infermeter_answers::canary::Canary;
use infermeter_answers::eval::Row;
use infermeter_answers::questions::{Carried, Questions};
use infermeter_core::plan::MIN_PROMPT_TOKENS;
use infermeter_core::request::{BodyMember, Message, RequestContent, RequestId, RequestSpec, Role};
use std::sync::{Arc, OnceLock};

/// Members of the body that force a length: a question is answered as long as it takes.
const FORCING: [&str; 2] = ["ignore_eos", "min_tokens"];

/// Stands between the filler and a row of an evaluation. Canaries say it themselves.
const PREFACE: &str = "Ignore the text above.";

/// Questions, and what counts their tokens.
#[derive(Debug)]
pub(super) struct Riding {
    questions: Questions,
    counter: TokenCounter,
    /// Tokens of each row of the evaluations, once they were counted: rows come again, and may be long.
    rows: Vec<OnceLock<u32>>,
}

impl Riding {
    /// What a request asks, and the tokens of all that it adds to a prompt.
    fn counted(&self, id: RequestId, shape: Shape) -> Option<(Carried, u32)> {
        let carried = self.questions.of(id)?;
        let tokens = match (carried.canary(), carried.row()) {
            (Some(canary), _) => self.of_canary(canary),
            (None, Some(row)) => {
                let counted = self.rows.get(carried.question.row as usize);
                let count = || self.of_row(row, shape);
                counted.map_or_else(count, |counted| *counted.get_or_init(count))
            }
            (None, None) => 0,
        };
        Some((carried, tokens))
    }

    fn of_canary(&self, canary: &Canary) -> u32 {
        let needle = canary.needle.as_deref().map_or(0, |text| self.behind(text));
        self.behind(&canary.text) + needle
    }

    fn of_row(&self, row: &Row, shape: Shape) -> u32 {
        let own = shape.messages(row);
        let tokens = |(place, message): (usize, &Message)| match place {
            0 => self.behind(&format!("{PREFACE} {}", message.text)),
            _ => self.tokens(&message.text),
        };
        own.iter()
            .enumerate()
            .map(tokens)
            .fold(0, u32::saturating_add)
    }

    /// Tokens of a text that stands behind another one.
    fn behind(&self, text: &str) -> u32 {
        self.tokens(&format!(" {text}"))
    }

    fn tokens(&self, text: &str) -> u32 {
        u32::try_from(self.counter.count(text)).unwrap_or(u32::MAX)
    }
}

/// What an API takes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Its messages.
    Messages,
    /// One text.
    Text,
}

impl Shape {
    fn messages(self, row: &Row) -> Vec<Message> {
        match self {
            Self::Messages => row.messages().to_vec(),
            Self::Text => vec![Message::new(Role::User, row.text())],
        }
    }
}

impl Workload {
    /// The same requests, of which some carry a question. Loads the tokenizer's vocabulary, which counts them.
    ///
    /// # Errors
    /// When a built-in vocabulary does not load.
    pub fn with_questions(mut self, questions: Questions) -> Result<Self, TokenizerError> {
        let counter = TokenCounter::load(&self.tokenizer)?;
        let rows: u32 = questions.evals().iter().map(|eval| eval.rows).sum();
        self.riding = Some(Arc::new(Riding {
            questions,
            counter,
            rows: (0..rows).map(|_| OnceLock::new()).collect(),
        }));
        Ok(self)
    }

    /// The questions of its requests; absent where none carries one.
    pub fn questions(&self) -> Option<&Questions> {
        self.riding.as_deref().map(|riding| &riding.questions)
    }

    /// What request `id` asks at its end.
    pub fn asked(&self, id: RequestId) -> Option<Carried> {
        self.questions()?.of(id)
    }

    /// The request with room for its question, where it carries one.
    pub(super) fn asking(&self, mut spec: RequestSpec) -> RequestSpec {
        let Some((carried, tokens)) = self.counted(spec.id) else {
            return spec;
        };
        let needed = tokens.saturating_add(self.template_tokens + MIN_PROMPT_TOKENS);
        spec.prompt_tokens = match self.makes_room() {
            true => spec.prompt_tokens.max(needed),
            false => spec.prompt_tokens.saturating_add(tokens),
        };
        spec.output_tokens = spec.output_tokens.max(carried.answer_tokens());
        spec
    }

    /// The filler of a prompt can be shortened: its text is made up, and shares nothing.
    fn makes_room(&self) -> bool {
        let made = matches!(self.source, Source::Drawn(_) | Source::Rows(_));
        made && self.prefixes.is_none()
    }

    /// What a row becomes under its API.
    pub(super) fn shape(&self) -> Shape {
        match self.endpoint.has_messages() {
            true => Shape::Messages,
            false => Shape::Text,
        }
    }

    fn counted(&self, id: RequestId) -> Option<(Carried, u32)> {
        self.riding.as_deref()?.counted(id, self.shape())
    }

    /// What is left for the filler, and the question; `None` where the request carries none.
    pub(super) fn question_of(&self, spec: &RequestSpec) -> Option<(RequestSpec, Carried)> {
        let (carried, tokens) = self.counted(spec.id)?;
        let filler = RequestSpec {
            prompt_tokens: spec.prompt_tokens.saturating_sub(tokens),
            ..*spec
        };
        Some((filler, carried))
    }
}

/// Puts a question behind the last message, and what it asks for into it.
pub(super) fn ask(content: &mut RequestContent, carried: &Carried, shape: Shape) {
    let RequestContent::Prompt(prompt) = content else {
        return;
    };
    if let Some(canary) = carried.canary()
        && let Some(last) = prompt.messages.last_mut()
    {
        put_canary(&mut last.text, canary);
        prompt.members.extend(canary.members.iter().cloned());
    }
    if let Some(row) = carried.row() {
        put_row(&mut prompt.messages, shape.messages(row));
    }
    prompt.members.extend(FORCING.map(BodyMember::left_out));
}

fn put_canary(text: &mut String, canary: &Canary) {
    if let Some(needle) = &canary.needle {
        let place = sentence_end(text, canary.depth);
        text.insert_str(place, &format!(" {needle}"));
    }
    text.push(' ');
    text.push_str(&canary.text);
}

/// A row's messages, the filler in front of the first one. A row's instructions join those that are there: few templates
/// take two messages of them.
fn put_row(messages: &mut Vec<Message>, own: Vec<Message>) {
    let mut filler = messages.pop();
    for mut message in own {
        let instructs = |message: &Message| message.role == Role::System;
        if filler.is_some()
            && instructs(&message)
            && let Some(shared) = messages.last_mut().filter(|last| instructs(last))
        {
            shared.text.push(' ');
            shared.text.push_str(&message.text);
            continue;
        }
        if let Some(filler) = filler.take() {
            message.text = format!("{} {PREFACE} {}", filler.text, message.text);
            message.images = filler.images;
        }
        messages.push(message);
    }
}

/// The end of the sentence that begins before this share of a text; its end where there is none.
fn sentence_end(text: &str, depth: f64) -> usize {
    let mut from = ((text.len() as f64 * depth) as usize).min(text.len());
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..]
        .find(". ")
        .map_or(text.len(), |stop| from + stop + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;
    use infermeter_answers::canary::{ANSWER_TOKENS, Abilities};
    use infermeter_answers::eval::Eval;
    use infermeter_core::answer::QuestionKind;
    use infermeter_core::plan::Endpoint;

    fn workload(lengths: &str, tokenizer: &str) -> Workload {
        let kind = lengths.parse().expect("lengths");
        let tokenizer = Tokenizer::open(tokenizer).expect("built in");
        let plain = Workload::from_plan(&kind, 1, tokenizer).expect("lengths");
        plain
            .with_questions(Questions::new(7, 0.5))
            .expect("a vocabulary")
    }

    fn canary(workload: &Workload, id: RequestId) -> Option<Canary> {
        workload.asked(id)?.canary().cloned()
    }

    #[test]
    fn prompts_have_the_length_that_they_say() {
        for tokenizer in Tokenizer::NAMES {
            let workload = workload("fixed:200,40", tokenizer);
            let counter = TokenCounter::load(workload.tokenizer()).expect("a vocabulary");
            let mut asked = 0;
            for id in 0..60 {
                let spec = workload.spec(id);
                let content = workload.content(&spec, &[]).expect("a prompt");
                let text = content.texts().concat();
                assert_eq!(counter.count(&text) as u32, spec.prompt_tokens, "{text}");
                assert_eq!(spec.prompt_tokens, 200);
                let Some(canary) = canary(&workload, id) else {
                    assert_eq!((content.members().len(), spec.output_tokens), (0, 40));
                    continue;
                };
                asked += 1;
                assert!(text.ends_with(&canary.text));
                assert_eq!(spec.output_tokens, ANSWER_TOKENS);
                assert!(content.members().iter().all(BodyMember::is_left_out));
                if canary.kind == QuestionKind::Needle {
                    let needle = canary.needle.expect("one");
                    assert_eq!(text.matches(&needle).count(), 1);
                }
            }
            assert!((20..=40).contains(&asked), "{asked}");
        }
    }

    #[test]
    fn short_prompts_grow_and_other_requests_stay() {
        let workload = workload("fixed:16,8", "o200k");
        let kind = "fixed:16,8".parse().expect("lengths");
        let tokenizer = Tokenizer::open("o200k").expect("built in");
        let plain = Workload::from_plan(&kind, 1, tokenizer).expect("lengths");
        for id in 0..40 {
            let spec = workload.spec(id);
            if canary(&workload, id).is_some() {
                assert!(spec.prompt_tokens > 16);
            } else {
                assert_eq!(spec, plain.spec(id));
                assert_eq!(workload.content(&spec, &[]), plain.content(&spec, &[]));
            }
        }
        assert_ne!(workload.hash(), plain.hash());
    }

    #[test]
    fn another_salt_asks_the_same() {
        let one = workload("fixed:120,40", "o200k");
        let other = one.clone().with_salt(9);
        let id = (0..40)
            .find(|id| canary(&one, *id).is_some())
            .expect("one of them");
        let texts = |w: &Workload| {
            w.content(&w.spec(id), &[])
                .expect("a prompt")
                .texts()
                .concat()
        };
        assert_ne!(texts(&one), texts(&other));
        assert_eq!(canary(&one, id), canary(&other, id));
    }

    /// Rows of all shapes in half of the requests.
    fn with_rows(lengths: &str, tokenizer: &str, endpoint: Endpoint) -> Workload {
        let rows = concat!(
            r#"{"prompt": "\u00bfCu\u00e1nto es 6 por 7?", "answer": 42, "kind": "number"}"#,
            "\n",
            r#"{"prompt": "(a) one\n(b) two", "answer": "B", "kind": "choice", "max_tokens": 30}"#,
            "\n",
            r#"{"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "One?"},
                {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Two?"}],
                "answer": "no", "kind": "exact"}"#,
        );
        let rows = rows.replace("\n                ", " ");
        let eval = Eval::read(rows.as_bytes(), "rows.jsonl").expect("rows");
        let kind = lengths.parse().expect("lengths");
        let tokenizer = Tokenizer::open(tokenizer).expect("built in");
        let plain = Workload::from_plan(&kind, 1, tokenizer).expect("lengths");
        let plain = plain.with_prefix(None, endpoint).expect("no prefix");
        let questions = Questions::new(7, 0.0).with_eval(Arc::new(eval), 0.5);
        plain.with_questions(questions).expect("a vocabulary")
    }

    #[test]
    fn rows_of_evaluations_have_the_length_that_they_say_in_every_shape() {
        for tokenizer in Tokenizer::NAMES {
            for endpoint in [Endpoint::Chat, Endpoint::Completions] {
                let workload = with_rows("fixed:200,400", tokenizer, endpoint);
                let counter = TokenCounter::load(workload.tokenizer()).expect("a vocabulary");
                for id in 0..30 {
                    let spec = workload.spec(id);
                    let content = workload.content(&spec, &[]).expect("a prompt");
                    let tokens: usize =
                        content.texts().iter().map(|text| counter.count(text)).sum();
                    assert_eq!(
                        (tokens as u32, spec.prompt_tokens),
                        (200, 200),
                        "{content:?}"
                    );
                    assert_eq!(spec.output_tokens, 400);
                    let Some(carried) = workload.asked(id) else {
                        assert_eq!(content.messages().len(), 1);
                        continue;
                    };
                    let row = carried.row().expect("a row");
                    let asked = match endpoint {
                        Endpoint::Chat => row.messages().len(),
                        _ => 1,
                    };
                    assert_eq!(content.messages().len(), asked);
                    let last = row.messages().last().expect("a message");
                    assert!(content.texts().concat().ends_with(&last.text));
                    assert!(content.texts()[0].starts_with(&workload.slot(&spec)));
                }
            }
        }
    }

    #[test]
    fn an_answer_is_given_the_tokens_that_its_row_asks_for() {
        let workload = with_rows("fixed:100,8", "o200k", Endpoint::Chat);
        let given = |id| {
            Some((
                workload.asked(id)?.answer_tokens(),
                workload.spec(id).output_tokens,
            ))
        };
        let given: Vec<(u32, u32)> = (0..40).filter_map(given).collect();
        assert!(
            given.iter().all(|(asked, given)| asked == given),
            "{given:?}"
        );
        assert!(given.iter().any(|(asked, _)| *asked == 30));
    }

    #[test]
    fn the_instructions_of_a_row_join_those_that_are_shared() {
        let mut messages = vec![
            Message::new(Role::System, "All."),
            Message::new(Role::User, "Filler."),
        ];
        let own = vec![
            Message::new(Role::System, "Be short."),
            Message::new(Role::User, "Two?"),
        ];
        put_row(&mut messages, own);
        let texts: Vec<&str> = messages
            .iter()
            .map(|message| message.text.as_str())
            .collect();
        assert_eq!(
            texts,
            ["All. Be short.", "Filler. Ignore the text above. Two?"]
        );
    }

    #[test]
    fn canaries_bring_their_tools() {
        let kind = "fixed:120,40".parse().expect("lengths");
        let tokenizer = Tokenizer::open("o200k").expect("built in");
        let plain = Workload::from_plan(&kind, 1, tokenizer).expect("lengths");
        let questions = Questions::new(7, 1.0).with_abilities(Abilities::Tools);
        let workload = plain.with_questions(questions).expect("a vocabulary");
        for id in 0..40 {
            let content = workload.content(&workload.spec(id), &[]).expect("a prompt");
            let is_tool = canary(&workload, id).expect("all have one").kind == QuestionKind::Tool;
            assert_eq!(
                content
                    .members()
                    .iter()
                    .any(|member| &*member.name == "tools"),
                is_tool
            );
        }
    }
}
