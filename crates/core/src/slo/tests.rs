//! The language of objectives: what is read, printed and refused.

use super::*;
use proptest::prelude::*;

fn slo(text: &str) -> Slo {
    text.parse().expect(text)
}

#[test]
fn reads_and_prints() {
    let expect = Slo {
        of: Measure {
            figure: Figure::Latency(Latency {
                metric: SloMetric::Ttft,
                statistic: Statistic::Percentile(99.0),
                origin: None,
            }),
            class: None,
        },
        limit: Limit::Time(Allowance::fixed(Span::millis(500))),
    };
    assert_eq!(slo("ttft.p99<500ms"), expect);
    for text in [
        "ttft.p99<500ms",
        "itl.p99.9<50ms",
        "ttft.mean<200ms",
        "e2e.max<30s",
        "ttft.p99{class=chat}<500ms",
        "ttft.p99{class=\"my class\",origin=send}<500ms",
        "ttft.p99<200ms+200us/input_token",
        "error_rate<0.1%",
        "error_rate{class=chat}<1%",
        "throughput>=20/s",
        "output_throughput>=1000.5/s",
        "goodput{class=chat}>=3/s",
        "attainment(ttft<500ms, tpot<50ms)>=99%",
        "attainment(ttft{origin=send}<200ms+1ms/input_token, itl.max<1s){class=a/b-1.0}>=99.9%",
        "attainment(fluidity(500ms/50ms)>=100%)>=99%",
        "fluidity.p99>=90%",
        "fluidity(500ms/50ms).mean>=99%",
        "answers.corrupted<0.1%",
        "answers.corrupted{class=chat}<1%",
        "canary.accuracy>=99%",
        "eval.accuracy>=60%",
        "reference.equal>=99%",
    ] {
        assert_eq!(slo(text).to_string(), text);
    }
    for (text, expect) in [
        (" ITL.p99.9 <= 50ms ", "itl.p99.9<50ms"),
        ("ttft.p99 ≤ 1s", "ttft.p99<1s"),
        ("ttft.p99<1e+3ms", "ttft.p99<1s"),
        (
            "ttft.p99 < 200ms + 0.2 ms / input_tokens",
            "ttft.p99<200ms+200us/input_token",
        ),
        ("throughput > 20 req/s", "throughput>=20/s"),
        ("goodput>20", "goodput>=20/s"),
        ("canary.accuracy>99%", "canary.accuracy>=99%"),
        ("Answers.Corrupted <= 0.1 %", "answers.corrupted<0.1%"),
        (
            "attainment( ttft < 500ms ,tpot<50ms ) > 99 %",
            "attainment(ttft<500ms, tpot<50ms)>=99%",
        ),
        (
            "ttft.p99{ origin = send , class = chat }<1s",
            "ttft.p99{class=chat,origin=send}<1s",
        ),
    ] {
        assert_eq!(slo(text).to_string(), expect);
    }
}

#[track_caller]
fn wrong(text: &str, at: usize, expect: &str) {
    let error = text.parse::<Slo>().expect_err(text).to_string();
    assert!(error.contains(expect), "{error}");
    assert!(error.contains(&format!("at character {at},")), "{error}");
}

#[test]
fn says_what_is_wrong_and_where() {
    wrong("", 1, "the name of a metric is missing");
    wrong("ttft<1s", 5, "write ttft.p99, ttft.mean or ttft.max");
    wrong("ttft<1s", 5, "attainment(ttft<500ms)>=99%");
    wrong("tttf.p99<1s", 1, "unknown metric `tttf`: one of ttft");
    wrong("tttf.p99<1s", 1, "did you mean `ttft`?");
    wrong("latency.p99<1s", 1, "did you mean `e2e`?");
    wrong("ttft.99<1s", 6, "`99` is not a percentile: write p50");
    wrong("ttft.p100<1s", 6, "is not a percentile");
    wrong("ttft.median<1s", 6, "did you mean `p50`?");
    wrong("ttft.p99<1", 10, "`1` is not a span of time");
    wrong("ttft.p99", 9, "`<` and a limit are missing after ttft.p99");
    wrong(
        "ttft.p99>1s",
        9,
        "less of ttft.p99 is better: write ttft.p99<LIMIT",
    );
    wrong("throughput<20", 11, "more of throughput is better");
    wrong("ttft.p99<1s x", 10, "`1s x` is not a span of time");
    wrong(
        "tpot.p99<1s+1ms/input_token",
        10,
        "does not grow with the prompt",
    );
    wrong("ttft.p99<1s+1ms/token", 10, "`/token` is unknown");
    wrong(
        "error_rate<0.01",
        12,
        "is not a percentage: write 0 to 100 and %",
    );
    wrong("error_rate<101%", 12, "is not a percentage");
    wrong("attainment(ttft<1s)>=0%", 22, "asks for nothing");
    wrong("throughput>-1", 12, "is not a rate");
    wrong("throughput>20 apples", 12, "is not a rate");
    wrong("attainment>=99%", 11, "`(` is missing after attainment");
    wrong(
        "attainment(ttft.p99<1s)>=99%",
        16,
        "a request has one value of ttft",
    );
    wrong(
        "attainment(itl<1s)>=99%",
        15,
        "a request has many values of itl",
    );
    wrong("attainment(ttft<1s", 19, "`,` is missing");
    wrong(
        "attainment(ttft{class=a}<1s)>=99%",
        16,
        "write it after the last `)`",
    );
    wrong("ttft.p99{klass=chat}<1s", 10, "did you mean `class`?");
    wrong("ttft.p99{class=a,class=b}<1s", 18, "stands there twice");
    wrong("ttft.p99{class=}<1s", 16, "the name of a class is missing");
    wrong(
        "ttft.p99{origin=sent}<1s",
        17,
        "unknown origin `sent`: intended or send",
    );
    wrong(
        "tpot.p99{origin=send}<1s",
        9,
        "tpot is not counted from an origin",
    );
    wrong(
        "error_rate{origin=send}<1%",
        11,
        "error_rate is not counted from an origin",
    );
    wrong(
        "output_throughput{class=a}>1",
        18,
        "is not counted by class",
    );
    wrong("answers.p99<1%", 8, "write answers.corrupted<0.1%");
    wrong("canary<1%", 7, "write canary.accuracy>99%");
    wrong(
        "canaries.accuracy>99%",
        1,
        "did you mean `canary.accuracy`?",
    );
    wrong("eval.accuracy<60%", 14, "more of eval.accuracy is better");
    wrong(
        "answers.corrupted>1%",
        18,
        "less of answers.corrupted is better",
    );
    wrong(
        "reference.equal{origin=send}>9%",
        16,
        "is not counted from an origin",
    );
    wrong("eval.accuracy>0%", 15, "asks for nothing");
    wrong("session.p99<1s", 8, "write session.e2e.p90<60s");
    wrong("session.e2e<1s", 12, "write session.e2e.p99");
    wrong("fluidity(5/6).p99>1%", 10, "is not a pair of deadlines");
    wrong("é.p99<1s", 1, "the name of a metric is missing");
    wrong(&"a".repeat(3_000), 1, "longer than 2000 bytes");
}

#[test]
fn what_an_objective_needs_of_the_answers() {
    let check = |text: &str, stream: Option<&str>, tokens: Option<&str>| {
        let of = slo(text).of;
        assert_eq!(
            (of.needs_stream(), of.needs_tokens()),
            (stream, tokens),
            "{text}"
        );
    };
    check("ttft.p99<1s", Some("ttft"), Some("ttft"));
    check("ntpot.mean<1s", None, Some("ntpot"));
    check("e2e.max<1s", None, None);
    check("session.e2e.p90<60s", None, None);
    check("error_rate<1%", None, None);
    check("throughput>1", None, None);
    check("output_throughput>1", None, Some("output_throughput"));
    check("fluidity.mean>99%", Some("fluidity"), Some("fluidity"));
    check(
        "attainment(e2e<1s, itl.max<1s)>99%",
        Some("itl"),
        Some("itl"),
    );
    assert!(slo("fluidity.mean>99%").of.needs_deadlines());
    assert!(!slo("fluidity(1s/1s).mean>99%").of.needs_deadlines());
}

#[test]
fn conditions_and_limits_of_single_requests() {
    let conditions = |text: &str| {
        let all = slo(text).conditions().into_iter();
        all.map(|condition| condition.to_string())
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(conditions("ttft.p99<1s"), "ttft<1s");
    assert_eq!(conditions("itl.p90{class=chat}<1s"), "itl.p90<1s");
    assert_eq!(conditions("fluidity.p99>90%"), "fluidity>=90%");
    assert_eq!(
        conditions("attainment(ttft<1s, e2e<9s)>99%"),
        "ttft<1s; e2e<9s"
    );
    assert_eq!(conditions("error_rate<1%"), "");
    assert_eq!(conditions("goodput>1"), "");
    let limits = |text: &str| slo(text).limits_of(SloMetric::Ttft).collect::<Vec<_>>();
    assert_eq!(
        limits("attainment(ttft<1s, tpot<2s)>99%"),
        [Span::seconds(1)]
    );
    assert_eq!(limits("ttft.p99<1s+1ms/input_token"), []);
    assert_eq!(limits("ttft.p99{class=chat}<1s"), []);
}

fn percent(least: u32) -> impl Strategy<Value = Percent> {
    (least..=100_000_u32).prop_map(|n| Percent(f64::from(n) / 1_000.0))
}

fn statistic() -> impl Strategy<Value = Statistic> {
    prop_oneof![
        (1..9_999_u32).prop_map(|n| Statistic::Percentile(f64::from(n) / 100.0)),
        Just(Statistic::Mean),
        Just(Statistic::Max),
    ]
}

fn deadlines() -> impl Strategy<Value = Option<Deadlines>> {
    proptest::option::of(
        (1..i64::MAX, 1..i64::MAX).prop_map(|(first, next)| Deadlines {
            first: Span(first),
            next: Span(next),
        }),
    )
}

fn latency() -> impl Strategy<Value = (Latency, Allowance)> {
    let origin = proptest::option::of(proptest::sample::select(&Origin::ALL[..]));
    let metric = proptest::sample::select(&SloMetric::NAMES[..]);
    let times = (0..i64::MAX, 0..i64::MAX);
    (metric, statistic(), origin, times).prop_map(|((_, metric), statistic, origin, times)| {
        let (base, each) = times;
        let latency = Latency {
            metric,
            statistic,
            origin: origin.filter(|_| metric.has_origin()),
        };
        let grows = metric.grows_with_prompt();
        let per_input_token = Span(if grows { each } else { 0 });
        let base = Span(base);
        (
            latency,
            Allowance {
                base,
                per_input_token,
            },
        )
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        latency().prop_map(|(latency, most)| Condition::Latency {
            metric: latency.metric,
            own: latency.metric.is_of_tokens().then_some(latency.statistic),
            origin: latency.origin,
            most,
        }),
        (deadlines(), percent(0))
            .prop_map(|(deadlines, least)| Condition::Fluidity { deadlines, least }),
    ]
}

fn objective() -> impl Strategy<Value = Slo> {
    let rate = (0.001..1e9_f64).prop_map(Limit::PerSecond);
    const SHARES: [AnswerShare; 4] = [
        AnswerShare::Corrupted,
        AnswerShare::Canaries,
        AnswerShare::Evals,
        AnswerShare::Equal,
    ];
    const RATES: [RateName; 2] = [RateName::Throughput, RateName::Goodput];
    let figure = prop_oneof![
        latency().prop_map(|(latency, most)| (Figure::Latency(latency), Limit::Time(most))),
        (deadlines(), statistic(), percent(1)).prop_map(|(deadlines, statistic, least)| {
            let figure = Figure::Fluidity {
                deadlines,
                statistic,
            };
            (figure, Limit::Share(least))
        }),
        (
            proptest::collection::vec(condition(), 1..=MAX_CONDITIONS),
            percent(1)
        )
            .prop_map(|(all, least)| (Figure::Attainment(all), Limit::Share(least))),
        percent(0).prop_map(|most| (Figure::ErrorRate, Limit::Share(most))),
        (proptest::sample::select(&SHARES[..]), percent(1))
            .prop_map(|(share, limit)| (Figure::Answers(share), Limit::Share(limit))),
        (proptest::sample::select(&RATES[..]), rate)
            .prop_map(|(rate, limit)| (Figure::Rate(rate), limit)),
    ];
    let class = proptest::option::of("[^\"\\p{C}]{1,20}");
    (figure, class).prop_map(|((figure, limit), class)| Slo {
        of: Measure { figure, class },
        limit,
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(slo in objective()) {
        let text = slo.to_string();
        if text.len() < 2_000 {
            prop_assert_eq!(text.parse(), Ok(slo), "{}", text);
        }
    }

    #[test]
    fn no_text_panics_and_what_reads_prints_and_reads(text in "(ttft|itl|attainment|fluidity|goodput|[a-z]{0,4})[({.,<>=} \\pLp0-9%/ms+]{0,30}") {
        if let Ok(slo) = text.parse::<Slo>() {
            prop_assert_eq!(slo.to_string().parse(), Ok(slo));
        }
    }
}

#[test]
fn a_figure_alone_reads_and_prints() {
    for text in [
        "ttft.p99",
        "ttft.p95{class=chat}",
        "error_rate",
        "attainment(ttft<500ms)",
    ] {
        assert_eq!(text.parse::<Measure>().expect(text).to_string(), text);
    }
    let said = "ttft.p99<5ms"
        .parse::<Measure>()
        .expect_err("an objective")
        .to_string();
    assert!(
        said.contains("is not a figure: at character 9, nothing more is expected"),
        "{said}"
    );
}
