//! Every kind of document at every width: no line is torn, no cell is lost, names may be wide.

use infermeter_analysis::capacity::{
    Asked, Backtest, Balancing, Capacity, Demand, EngineFit, FitUse, FleetSize, Level, LimitedBy,
    ObjectiveAt, Predicted,
};
use infermeter_analysis::doctor::{Checked, Checkup, Status, Subject};
use infermeter_analysis::{
    Claim, CompareSpec, Comparison, LoadRounds, Repeated, Round, SideRun, SloStatus, Turns, judge,
    summarize_log,
};
use infermeter_core::certificate::{
    Certificate, ClientSettings, Cost, Errors, FORMAT_VERSION, Joined, Limit, LimitEnd, LoadKind,
    Machine, Rung, SimulatorSide, Spoiler, Spoilt, Spread, Transport,
};
use infermeter_core::finding::{Finding, Severity, Verdict};
use infermeter_core::record::{Reason, StampSource};
use infermeter_core::run::RunLog;
use infermeter_core::schedule::Phase;
use infermeter_metrics::fixture::{Run, ms};
use infermeter_report::svg::{Theme, picture};
use infermeter_report::{
    Align, Block, Cell, Column, Document, Entries, Format, Grade, Item, Row, Screen, Section,
    Spark, Table, Tone, View, answer_line, of_audit, of_capacity, of_certificate, of_checkup,
    of_comparison, of_repeated, of_run,
};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

const WIDTHS: [usize; 6] = [40, 60, 80, 100, 120, 200];

fn render(document: &Document, width: usize) -> String {
    let screen = Screen {
        width,
        ..Screen::default()
    };
    Format::Terminal.render(document, screen)
}

/// As it is written in a table: what joins a number and its unit is shown as a space.
fn plain(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

/// The words of `text` that end up on a line of their own, wherever it is broken.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(' ').filter(|word| !word.is_empty()).map(plain)
}

/// Whether a line is too wide although it could have been broken.
fn is_torn(line: &str, document_words: &[String], width: usize) -> bool {
    let alone = line.trim();
    line.width() > width && !document_words.iter().any(|word| word == alone)
}

fn said(block: &Block) -> Vec<String> {
    match block {
        Block::Heading(text) | Block::Text(_, text) => words(text).collect(),
        Block::Entries(entries) => {
            let texts = entries
                .iter()
                .flat_map(|e| e.texts.iter().chain([&e.label]));
            texts
                .flat_map(|text| words(text).collect::<Vec<_>>())
                .collect()
        }
        Block::Items(items) => {
            let texts = items.iter().flat_map(|i| i.codes.iter().chain([&i.text]));
            texts
                .flat_map(|text| words(text).collect::<Vec<_>>())
                .collect()
        }
        Block::Findings(all) => {
            let texts = all
                .iter()
                .flat_map(|f| [&f.code, &f.message, &f.evidence, &f.advice]);
            texts
                .flat_map(|text| words(text).collect::<Vec<_>>())
                .collect()
        }
        Block::Table(table) => table
            .rows
            .iter()
            .flat_map(|row| words(&row.label))
            .collect(),
        Block::Spark(spark) => words(&spark.caption).collect(),
        Block::Chart(_) => Vec::new(),
    }
}

/// Every chart has its marks where numbers are, and a page holds all of them.
fn drawn(document: &Document) {
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    let mut slugs: Vec<&str> = Vec::new();
    for block in blocks {
        if let Block::Chart(chart) = block {
            let svg = picture(chart, 860.0, Theme::Light);
            for broken in ["NaN", "inf ", "\"inf"] {
                assert!(!svg.contains(broken), "{}: {broken}", chart.slug);
            }
            assert!(
                !slugs.contains(&chart.slug.as_str()),
                "{} twice",
                chart.slug
            );
            slugs.push(&chart.slug);
        }
    }
    let page = Format::Html.render(document, Screen::default());
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

/// The slugs of a document's charts.
fn charts(document: &Document) -> Vec<&str> {
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    let charts = blocks.filter_map(|block| match block {
        Block::Chart(chart) => Some(chart.slug.as_str()),
        _ => None,
    });
    charts.collect()
}

/// The document at every width: lines fit, and each row's cells are whole and together.
fn check(document: &Document) {
    drawn(document);
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    let mut all: Vec<String> = blocks.clone().flat_map(said).collect();
    all.extend(words(&document.title));
    for section in &document.sections {
        all.extend(words(&section.heading));
    }
    for width in WIDTHS {
        let text = render(document, width);
        for line in text.lines() {
            assert!(!is_torn(line, &all, width), "{width}: {line}\n{text}");
        }
        let tables = blocks.clone().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        });
        for table in tables {
            whole(table, &text);
        }
    }
}

/// Values, notes and intervals of a row are on lines of the text, unbroken and in order, unless a line
/// says that there was no room for their column.
fn whole(table: &Table, text: &str) {
    let said: Vec<&str> = text.split_whitespace().collect();
    let said = said.join(" ");
    let gone = said.split("No room for ").skip(1);
    let gone = |column: &Column| {
        let names = gone.clone().filter_map(|rest| rest.split_once(':'));
        let mut names = names.flat_map(|(names, _)| names.split(", "));
        column.goes.is_some() && names.any(|name| name == column.name)
    };
    for row in &table.rows {
        let cells = row.cells.iter().zip(&table.columns);
        for (cell, _) in cells.filter(|(_, column)| !gone(column)) {
            let mark = if cell.grade == Grade::Indicative {
                "~"
            } else {
                ""
            };
            let value = cell.value.as_ref().map(|value| format!("{mark}{value}"));
            let parts = [value, cell.note.clone(), cell.interval.clone()];
            for part in parts.into_iter().flatten() {
                let part = plain(&part);
                assert!(
                    text.lines().any(|line| line.contains(&part)),
                    "{part} of {} in\n{text}",
                    row.label
                );
            }
        }
    }
}

fn of_log(log: &RunLog) -> Document {
    let (run, summary) = summarize_log(log);
    let findings = judge(&run, &summary);
    let verdict = Verdict::of(&findings);
    of_run(&summary, verdict, &findings, &log.manifest, View::Full)
}

#[test]
fn runs_fit() {
    let mut run = Run::steady(1_300, 20.0, 50);
    check(&of_log(&run.clone().build()));
    for i in 0..40 {
        run.failed(i * 1_600, Reason::HttpStatus);
    }
    let plan = &mut run.manifest().plan;
    plan.publication = true;
    plan.target = format!(
        "http://a-very-long-name.of-a-server.example/{}",
        "x".repeat(70)
    );
    for objective in ["ttft.p99<500ms", "e2e.p99.9<550ms"] {
        plan.slo.push(objective.parse().expect("an objective"));
    }
    run.manifest().classes = vec![
        "聊天补全模型测试".to_owned(),
        "class-with-a-long-name".repeat(2),
    ];
    let mut log = run.build();
    log.records.iter_mut().step_by(3).for_each(|r| r.class = 1);
    check(&of_log(&log));
    log.records.retain(|r| r.phase == Phase::Measure);
    log.records.truncate(3);
    check(&of_log(&log));
}

#[test]
fn a_closed_loop_fits() {
    let mut run = Run::closed(32, 60);
    for i in 0..1_200 {
        run.stream(i * 50, ms(50 + i % 37), ms(30), 40)
            .tokens_per_chunk(3);
    }
    check(&of_log(&run.build()));
}

#[test]
fn repeated_runs_fit() {
    let of = |shift: i64| {
        let mut run = Run::steady(1_300, 20.0, 20);
        run.stream(100, ms(60 + shift), ms(10), 50);
        (summarize_log(&run.build()).1, Verdict::Valid)
    };
    let repeated = Repeated::of(&[of(0), of(3), of(9)]);
    let findings = repeated.findings(true);
    let document = of_repeated(&repeated, &[], Verdict::of(&findings), &findings);
    check(&document);
    assert_eq!(charts(&document), ["runs", "runs-in-order"]);
}

#[test]
fn a_comparison_fits() {
    let of = |shift: i64| {
        let mut run = Run::steady(1_300, 20.0, 20);
        run.stream(100, ms(60 + shift), ms(10), 50);
        summarize_log(&run.build()).1
    };
    let summaries = [of(0), of(9)];
    let run = |summary| SideRun {
        summary,
        verdict: Verdict::Valid,
        setup: None,
    };
    let asked = CompareSpec {
        sides: ["http://a-server.example:8000", "聊天补全模型"]
            .map(str::to_owned)
            .to_vec(),
        primary: ["ttft.p50", "e2e.mean", "ttfo.p50"]
            .map(|name| name.parse().expect(name))
            .to_vec(),
        margin: 0.03,
        claims: vec![Claim::declared(
            "chunked_prefill".parse().expect("known"),
            0,
            1,
        )],
    };
    let load = LoadRounds {
        load: "20 requests/s".to_owned(),
        rounds: (1..=8)
            .map(|number| Round {
                number,
                runs: summaries.iter().map(run).map(Some).collect(),
            })
            .collect(),
    };
    let found = Comparison::of(&asked, &[load], Turns::InTurn);
    let document = of_comparison(&found, &found.outlook());
    check(&document);
    let shown = render(&document, 100);
    for word in [
        "cannot tell",
        "not tested",
        "Side by side at 20 requests/s, 8 rounds",
    ] {
        assert!(shown.contains(word), "{shown}");
    }
    assert!(answer_line(&found).contains("ttfo.p50 not tested"));
}

#[test]
fn an_audit_fits() {
    use infermeter_audit::{Side, audit, import};
    let text = r#"{"completed": 20, "duration": 4.0, "total_token_throughput": 100.0,
        "request_rate": 5.0, "failed": 0, "mean_itl_ms": 10.0, "p99_itl_ms": 20.0}"#;
    let mut results = import::read(text.as_bytes()).expect("a result");
    results[0].source = "結果/".repeat(30);
    let document = of_audit(&audit(&[Side {
        name: "side".to_owned(),
        results,
    }]));
    check(&document);
    assert_eq!(charts(&document), ["scores"]);
}

fn rung(name: &str, kind: LoadKind, per_s: f64) -> Rung {
    let spread = |us: f64| {
        Some(Spread {
            n: 1_000,
            p50_us: us,
            p99_us: Some(us * 4.0),
            max_us: us * 1_200.0,
        })
    };
    let errors = Errors {
        ttft: spread(40.0),
        chunk: spread(12.0),
        itl: None,
    };
    Rung {
        name: name.to_owned(),
        kind,
        transport: Transport::Plain,
        asked_per_s: Some(per_s),
        events_per_s: per_s,
        requests_per_s: per_s / 50.0,
        bytes_per_event: Some(312.4),
        joined: Joined::default(),
        kernel: Some(errors),
        program: Some(errors),
        send_lag: spread(35.0),
        uncertain_share: Some(0.0123),
        cost: Cost {
            cpu_us_per_event: Some(12_345.6),
            cpu_us_per_request: Some(98.7),
            busiest_thread: Some(0.95),
            run_queue_wait_share: None,
        },
        simulator: SimulatorSide {
            busy: Some(0.5),
            run_queue_wait_share: None,
            step_lateness_p99_us: None,
            lost_ms: None,
        },
        foreign_cores: None,
        spoilt: (kind == LoadKind::Bytes).then(|| Spoilt {
            by: Spoiler::OtherLoad,
            evidence: "0.40 cores busy with other work or stolen".to_owned(),
        }),
    }
}

/// A certificate with a rung of every kind that is told apart.
fn certificate() -> Certificate {
    let limit = |bound_us, ended| Limit {
        kind: LoadKind::Streams,
        transport: Transport::Tls,
        stamps: StampSource::Kernel,
        bound_us,
        proven: None,
        ended,
    };
    Certificate {
        format_version: FORMAT_VERSION,
        infermeter_version: "0".to_owned(),
        created: "2026-11-22T16:40:00Z".to_owned(),
        machine: Machine {
            cpu: Some("A processor with a very long model name @ 2.10GHz".to_owned()),
            cores: Some(2),
            kernel: Some("6.18.1".to_owned()),
            ..Machine::default()
        },
        client: ClientSettings {
            threads: 1,
            io: "epoll".to_owned(),
            kernel_stamps: true,
            burn: None,
        },
        interrupted: true,
        rungs: vec![
            rung("streams:1600x50", LoadKind::Streams, 78_400.0),
            rung("bytes:4096", LoadKind::Bytes, 2_450.0),
            rung("null:64", LoadKind::Null, 1_234_567.0),
        ],
        limits: vec![
            limit(100.0, LimitEnd::Exceeded),
            limit(1e3, LimitEnd::LadderEnd),
        ],
    }
}

#[test]
fn a_certificate_fits() {
    let document = of_certificate(&certificate());
    check(&document);
    insta::assert_snapshot!(render(&document, 100));
}

/// Words, some of them wide, joined or longer than a line.
/// A level of a simulated Llama 70B, with the TTFT that it had.
fn level(rate: f64, ttft_ms: f64, attainment: f64) -> Level {
    let status = match ttft_ms <= 95.0 {
        true => SloStatus::Met,
        false => SloStatus::Missed,
    };
    Level {
        rate,
        runs: 1,
        status,
        sure: true,
        attainment: Some(attainment),
        completed: (rate * 40.0) as u64,
        requests: (rate * 40.0) as u64,
        input_tokens: Some(256.0),
        output_tokens: Some(24.0),
        mean_power_w: Some(5_321.0),
        objectives: vec![ObjectiveAt {
            objective: "ttft.p90<95ms".to_owned(),
            status,
            measured: Some(ttft_ms),
            without: None,
            limit: 95.0,
            unit: "ms".into(),
        }],
        probes: Vec::new(),
    }
}

fn engine() -> FitUse {
    let predicted = |name: &str, unit, measured, predicted| Predicted {
        name: name.to_owned(),
        unit,
        measured,
        low: Some(measured * 0.97),
        high: None,
        predicted,
    };
    FitUse::Yes {
        fit: EngineFit {
            base_ms: 31.0,
            per_sequence_us: 95.9,
            per_kv_token_ns: 13.8,
            per_prompt_token_us: 35.0,
            jitter: 0.0,
            delay_ms: 0.0,
            limit: LimitedBy::Nothing,
            steps: 51_234,
            most_sequences: 34,
            rates: vec![5.0, 10.0, 15.0, 30.0],
        },
        backtest: Backtest {
            rate: 15.0,
            figures: vec![
                predicted("ttft.p50", "ms", 65.292_741, 65.478_454),
                predicted("ttft.p99", "ms", 112.863_222, 112.745_593),
                predicted("attainment", "", 0.953_3, 0.953_3),
            ],
        },
    }
}

#[test]
fn a_capacity_plan_fits() {
    let asked = Asked {
        target_rates: vec![40.0, 100.0, 1_000.0],
        growth: 1.5,
        headroom: 0.2,
        gpu_hour: Some(2.5),
        gpus_per_instance: Some(8),
        kwh: Some(0.25),
    };
    let mut levels = vec![
        level(5.0, 70.1, 0.99),
        level(15.0, 85.2, 0.953),
        level(30.0, 101.8, 0.801),
    ];
    levels[1].sure = false;
    let demand = Demand::of_profile(&"diurnal:10..100/24h".parse().expect("a profile"), 1);
    let objectives = vec!["ttft.p90<95ms".to_owned()];
    let mut capacity = Capacity::of(asked, objectives, levels, Some(&demand));
    capacity.engine = Some(engine());
    for sizing in &mut capacity.sizings {
        let size = |balancing| FleetSize {
            balancing,
            instances: Some(4),
            trials: Vec::new(),
        };
        sizing.simulated = [Balancing::RoundRobin, Balancing::LeastLoaded]
            .map(size)
            .into();
    }
    let document = of_capacity(&capacity);
    check(&document);
    let expect = [
        "instances-by-rate",
        "cost-by-rate",
        "instances-by-hour",
        "load-by-hour",
    ];
    assert_eq!(charts(&document), expect);
    assert!(
        document.answers[0].contains("requests/s with"),
        "{:?}",
        document.answers
    );
    let text = render(&document, 120);
    for words in [
        "5 instances, or 15 at 95 % confidence: 40 GPUs, or 120",
        "held out: 15 requests/s",
        "Not covered",
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        8 => "[a-z]{1,12}",
        2 => "[0-9]{1,3}\u{a0}ms",
        1 => "[聊天补全]{1,9}",
        1 => "[a-z/]{30,130}",
    ];
    prop::collection::vec(word, 0..25).prop_map(|words| words.join(" "))
}

fn cell() -> impl Strategy<Value = Cell> {
    let interval = prop::option::of("\\[[0-9]{1,5},\u{a0}[0-9]{1,5}\\]");
    ("[0-9]{1,7}", interval, 0..4).prop_map(|(value, interval, kind)| match kind {
        0 => Cell::noted(format!("needs {value}")),
        1 => Cell {
            grade: Grade::Indicative,
            interval,
            ..Cell::of(value)
        },
        _ => Cell {
            interval,
            ..Cell::of(value)
        },
    })
}

fn table() -> impl Strategy<Value = Table> {
    let column = ("[a-z0-9]{0,8}", "[xy]?", any::<bool>()).prop_map(|(name, group, left)| Column {
        group,
        name,
        align: if left { Align::Left } else { Align::Right },
        goes: None,
    });
    (1_usize..14, 1_usize..5).prop_flat_map(move |(columns, rows)| {
        let row = (text(), prop::collection::vec(cell(), columns));
        let row = row.prop_map(|(label, cells)| Row { label, cells });
        (
            "[a-z]{0,9}",
            prop::collection::vec(column.clone(), columns),
            prop::collection::vec(row, rows),
        )
            .prop_map(|(corner, columns, rows)| Table {
                corner,
                columns,
                rows,
            })
    })
}

fn block() -> impl Strategy<Value = Block> {
    let entries = prop::collection::vec(("[a-z 聊]{1,30}", text()), 1..4).prop_map(|pairs| {
        let mut entries = Entries::default();
        for (label, text) in pairs {
            entries.add(label, text);
        }
        entries.into()
    });
    let spark = (prop::collection::vec(0_u64..9, 1..200), text()).prop_map(|(counts, caption)| {
        Block::Spark(Spark {
            label: "Over time".to_owned(),
            counts,
            caption,
        })
    });
    prop_oneof![
        3 => table().prop_map(Block::Table),
        1 => entries,
        1 => spark,
        1 => text().prop_map(|text| Block::Text(Tone::Aside, text)),
        1 => text().prop_map(|text| Block::Items(vec![Item { text, codes: Vec::new() }])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_fits(blocks in prop::collection::vec(block(), 1..4), heading in text()) {
        let mut section = Section::new(heading);
        blocks.into_iter().for_each(|block| section.push(block));
        let mut document = Document::titled("Title");
        document.push(section);
        check(&document);
    }
}

#[test]
fn a_checkup_fits() {
    let checked = |subject, status, name| Checked {
        name,
        subject,
        status,
        seen:
            "others keep 2.00 of 2 cores busy, over 1.0 s; 99 % of the last 10 s something waited"
                .to_owned(),
        matters: "Whatever else runs on the client's cores delays its sends and its stamps.",
        fix: Some("ulimit -Hn 50072 (as root); docker run --ulimit nofile=50072:50072".to_owned()),
    };
    check(&of_checkup(&Checkup {
        format_version: 1,
        infermeter_version: "1".to_owned(),
        target: Some("http://a-host-with-a-name.example.com:8000".to_owned()),
        worst: Status::Problem,
        checks: vec![
            checked(Subject::Host, Status::Problem, "other-load"),
            checked(Subject::Client, Status::Warning, "descriptors"),
            checked(Subject::Target, Status::Unknown, "server-metrics"),
        ],
    }));
}

#[test]
fn a_finding_fits() {
    let finding = Finding {
        code: "a-code".to_owned(),
        severity: Severity::Warning,
        scope: None,
        dimension: None,
        message: "Something was found that takes more than a line to be told of.".to_owned(),
        evidence: "x".repeat(120),
        advice: "Do something about it, and then look whether it is still there.".to_owned(),
    };
    let log = Run::steady(60, 2.0, 5).build();
    let (_, summary) = summarize_log(&log);
    let findings = [finding];
    let document = of_run(
        &summary,
        Verdict::Questionable,
        &findings,
        &log.manifest,
        View::Summary,
    );
    for width in WIDTHS {
        for line in render(&document, width).lines() {
            assert!(
                line.width() <= width || !line.trim().contains(' '),
                "{width}: {line}"
            );
        }
    }
}
