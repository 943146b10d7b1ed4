//! Workloads as they are written, printed and refused.

use super::*;

fn workload(text: &str) -> WorkloadKind {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn workloads_read_and_print() {
    for text in [
        "chat",
        "code-generation",
        "long-context-qa",
        "summarization",
        "fixed:100,20",
        "uniform:100..2000,64..256",
        "normal:500/100,200/50.5",
        "lognormal:220/0.8,160/0.8",
        "lognormal:220/0.8/16..4000,160/0.8/1..2000,rho=0.4",
        "gamma:220/1.5,fixed:64",
        "zipf:1.2/16..4000,uniform:1..9,rho=-1",
        "empirical:lengths, of mine.csv",
        "mix:chat=0.7,code-generation=0.3",
        "mix:fixed:64,128=1,lognormal:220/0.8,160/0.8,rho=0.4=2,empirical:a,b.csv=3",
    ] {
        assert_eq!(workload(text).to_string(), text);
    }
    assert_eq!(workload("fixed: 64 , 128").to_string(), "fixed:64,128");
    assert_eq!(workload("fixed:64,fixed:128").to_string(), "fixed:64,128");
}

#[test]
fn classes_are_named() {
    assert_eq!(workload("chat").classes(), ["chat"]);
    assert_eq!(workload("gamma:220/1.5,fixed:64").classes(), ["gamma"]);
    assert_eq!(workload("empirical:f.csv").classes(), ["empirical"]);
    assert_eq!(
        workload("mix:chat=0.7,fixed:64,128=0.3").classes(),
        ["chat", "fixed:64,128"]
    );
}

fn check(text: &str, expect: &str) {
    let error = text.parse::<WorkloadKind>().expect_err(text).to_string();
    assert!(error.starts_with(expect), "{text}: {error}");
}

#[test]
fn what_is_no_workload_says_where_and_why() {
    check(
        "chatt",
        "character 1, `chatt`: unknown workload; did you mean `chat`? One of chat, code-generation",
    );
    check("", "character 1, nothing: unknown workload: one of chat");
    check("fixed", "character 1, `fixed`: parameters are missing");
    check("chat:5", "character 1, `chat:5`: `chat` has no parameters");
    check(
        "empirical:",
        "character 1, `empirical:`: parameters are missing",
    );
    check(
        "fixed:1,1",
        "character 7, `1`: a whole number of tokens, IN at least 16 and at most 4,000,000, is \
         needed, as in fixed:128,64",
    );
    check(
        "fixed:16,0",
        "character 10, `0`: a whole number of tokens, OUT at least 1",
    );
    check(
        "fixed:16",
        "character 9, nothing: the answers' lengths after a comma are missing",
    );
    check(
        "uniform:100,5..9",
        "character 9, `100`: a range LEAST..MOST of tokens",
    );
    check(
        "uniform:100..50,5..9",
        "character 9, `100..50`: a range LEAST..MOST",
    );
    check(
        "uniform:20..50,0..9",
        "character 16, `0..9`: a range LEAST..MOST",
    );
    check(
        "normal:500,200/50",
        "character 8, `500`: the standard deviation after a `/` is needed",
    );
    check(
        "lognormal:220/9,160/0.8",
        "character 15, `9`: sigma from 0.001 to 5 is needed",
    );
    check(
        "lognormal:220/0.8/300..4000,160/0.8",
        "character 19, `300..4000`: a range that holds the median 220 is needed",
    );
    check(
        "gamma:220/0,1/1",
        "character 11, `0`: coefficient of variation from 0.01 to 10",
    );
    check(
        "zipf:1.2,1/1..9",
        "character 6, `1.2`: the range of lengths after a `/`",
    );
    check(
        "zipf:1/16..4000000,1/1..9",
        "character 8, `16..4000000`: a range of at most 1,000,000",
    );
    check(
        "fixed:16,normel:3/1",
        "character 10, `normel`: lengths of answers are needed",
    );
    check(
        "uniform:20..50,1..9,rho=2",
        "character 21, `rho=2`: only a correlation from -1 to 1 may follow",
    );
    check(
        "uniform:20..50,1..9,7",
        "character 21, `7`: only a correlation",
    );
    check(
        "fixed:16,uniform:1..9,rho=0.5",
        "character 23, `rho=0.5`: a fixed length has no",
    );
    check(
        "uniform:20..50,1..9,rho=0,1",
        "character 27, `1`: nothing may follow rho",
    );
    check(
        "mix:chat=0.7",
        "character 5, `chat=0.7`: at least two classes",
    );
    check(
        "mix:chat,code-generation",
        "character 5, `chat,code-generation`: a class and its weight",
    );
    check(
        "mix:chat=0.7,code=0.3",
        "character 14, `code`: unknown workload; did you mean `code-generation`?",
    );
    check(
        "mix:chat=0.7,chat=0.3",
        "character 14, `chat`: each class is given once",
    );
    check(
        "mix:chat=0.7,fixed:1,2=0.3",
        "character 20, `1`: a whole number of tokens",
    );
    check(
        "mix:chat=1,mix:chat=1",
        "character 12, `mix:chat`: a mixture holds no other mixture",
    );
}
