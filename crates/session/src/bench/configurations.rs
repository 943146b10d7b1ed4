//! The configurations of a bench: a grid of what is varied, or a list; each with the command that serves it.
//!
//! Starts nothing. Invariants: the order is that of the flags, the last one changing fastest; what is varied is in the
//! command, and what is not known in it is left as it is.

use anyhow::{Context, Result, bail};
use infermeter_core::text::{closest, inert};

/// Most configurations: a start each is hours then.
const MOST: usize = 1_000;
/// What stands for all of them in a command.
const FLAGS: &str = "{flags}";
/// A value that leaves the flag out.
const LEFT_OUT: &str = "-";

/// One value of something that is varied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What, as a flag without dashes.
    pub name: String,
    /// Its value; empty: a flag without one; `-`: no such flag.
    pub value: String,
}

/// One configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its number, from 1.
    pub number: usize,
    /// What it has of its own.
    pub settings: Vec<Setting>,
    /// The command that serves it.
    pub command: String,
}

impl Configuration {
    /// `max-num-seqs=64 enforce-eager`.
    pub fn name(&self) -> String {
        let shown = |setting: &Setting| match setting.value.as_str() {
            "" => setting.name.clone(),
            LEFT_OUT => format!("no {}", setting.name),
            value => format!("{}={value}", setting.name),
        };
        match self.settings.is_empty() {
            true => "as it is".to_owned(),
            false => self
                .settings
                .iter()
                .map(shown)
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    /// The same as the name of a directory.
    pub fn directory(&self) -> String {
        let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') {
            true => c,
            false => '-',
        };
        let name: String = self.name().chars().map(plain).take(60).collect();
        format!("c{:03}-{name}", self.number)
    }
}

/// The full grid of `vary`, each `NAME=VALUE,VALUE`, or, where there is a text of a list, its lines of `NAME=VALUE`.
///
/// # Errors
/// Naming what is wrong, and what to write.
pub fn configurations(
    serve: &str,
    vary: &[String],
    list: Option<&str>,
) -> Result<Vec<Configuration>> {
    let all = match list {
        Some(text) => of_list(text)?,
        None => grid(vary)?,
    };
    if all.len() > MOST {
        bail!(
            "{} configurations are more than {MOST}: vary less",
            all.len()
        );
    }
    let names = names(&all);
    used(serve, &names)?;
    for left_out in all.iter().flatten().filter(|one| one.value == LEFT_OUT) {
        let name = &left_out.name;
        if serve.contains(&format!("{{{name}}}")) {
            bail!(
                "{name}={LEFT_OUT} leaves a flag out, and {{{name}}} in --serve is a value alone: write {FLAGS} there, or \
                 an empty value"
            );
        }
    }
    let made = (1..).zip(all).map(|(number, settings)| Configuration {
        number,
        command: command(serve, &settings, &names),
        settings,
    });
    let made: Vec<Configuration> = made.collect();
    for (at, one) in made.iter().enumerate() {
        if let Some(same) = made[..at].iter().find(|other| other.command == one.command) {
            bail!(
                "configurations {} and {} are the same command: leave one out",
                same.number,
                one.number
            );
        }
    }
    Ok(made)
}

fn setting(text: &str) -> Result<Setting> {
    let Some((name, value)) = text.split_once('=') else {
        bail!("`{}` is not NAME=VALUE", inert(text, 80));
    };
    let name = name.trim().trim_start_matches('-');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        bail!(
            "`{}` is not a name: write a flag of the server without its dashes, as in max-num-seqs",
            inert(name, 80)
        );
    }
    Ok(Setting {
        name: name.to_owned(),
        value: value.trim().to_owned(),
    })
}

fn grid(vary: &[String]) -> Result<Vec<Vec<Setting>>> {
    let mut all: Vec<Vec<Setting>> = vec![Vec::new()];
    let mut known: Vec<String> = Vec::new();
    for text in vary {
        let varied = setting(text).context("--vary")?;
        if known.contains(&varied.name) {
            bail!(
                "--vary {}: it is varied already: write its values with commas",
                varied.name
            );
        }
        let values = values(&varied.value);
        if all.len().saturating_mul(values.len()) > MOST {
            bail!(
                "--vary {}: more than {MOST} configurations: vary less",
                varied.name
            );
        }
        let with = |before: &Vec<Setting>, value: &&str| {
            let mut settings = before.clone();
            settings.push(Setting {
                name: varied.name.clone(),
                value: (*value).to_owned(),
            });
            settings
        };
        all = all
            .iter()
            .flat_map(|before| values.iter().map(move |value| with(before, value)))
            .collect();
        known.push(varied.name.clone());
    }
    Ok(all)
}

/// The values of a flag: commas inside the braces, brackets and quotes of JSON separate none. Where these are not closed
/// it is no JSON, and every comma separates.
fn values(text: &str) -> Vec<&str> {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    let mut commas = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '{' | '[' if !is_quoted => depth += 1,
            '}' | ']' if !is_quoted => depth = depth.saturating_sub(1),
            ',' if !is_quoted && depth == 0 => commas.push(at),
            _ => {}
        }
    }
    if depth > 0 || is_quoted {
        return text.split(',').map(str::trim).collect();
    }
    let starts = std::iter::once(0).chain(commas.iter().map(|at| at + 1));
    let ends = commas.iter().copied().chain([text.len()]);
    starts
        .zip(ends)
        .map(|(start, end)| text[start..end].trim())
        .collect()
}

fn of_list(text: &str) -> Result<Vec<Vec<Setting>>> {
    let mut all = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        if line.trim().is_empty() {
            continue;
        }
        let settings: Result<Vec<Setting>> = line.split_whitespace().map(setting).collect();
        let settings = settings.with_context(|| format!("line {number}"))?;
        let is_twice = |at: &usize| {
            let before = &settings[..*at];
            before.iter().any(|other| other.name == settings[*at].name)
        };
        if let Some(at) = (0..settings.len()).find(is_twice) {
            bail!(
                "line {number}: {} stands there twice: write it once",
                settings[at].name
            );
        }
        all.push(settings);
    }
    match all.is_empty() {
        true => {
            bail!("it has no configuration: write one a line, as in max-num-seqs=64 block-size=16")
        }
        false => Ok(all),
    }
}

fn names(all: &[Vec<Setting>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for setting in all.iter().flatten() {
        if !names.contains(&setting.name) {
            names.push(setting.name.clone());
        }
    }
    names
}

/// What is varied has a place in the command, and its placeholders are known.
fn used(serve: &str, names: &[String]) -> Result<()> {
    let all = serve.contains(FLAGS);
    for name in names {
        if !all && !serve.contains(&format!("{{{name}}}")) {
            bail!(
                "--serve has no place for {name}: write {FLAGS} where the server's flags belong, or {{{name}}} for this value"
            );
        }
    }
    for placeholder in placeholders(serve) {
        let is_known = placeholder == "flags" || names.iter().any(|name| name == placeholder);
        let near = closest(placeholder, names.iter().map(String::as_str));
        if let (false, Some(near)) = (is_known, near) {
            bail!("--serve: {{{placeholder}}} is not varied; did you mean `{{{near}}}`?");
        }
    }
    Ok(())
}

/// What stands in braces and could be a name; a shell's own `${NAME}` and JSON are none of ours.
fn placeholders(serve: &str) -> Vec<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut found = Vec::new();
    for (at, _) in serve.match_indices('{') {
        let behind = &serve[at + 1..];
        let name = behind.split('}').next().unwrap_or_default();
        let ended = behind.len() > name.len();
        if ended && !name.is_empty() && name.chars().all(plain) && !serve[..at].ends_with('$') {
            found.push(name);
        }
    }
    found
}

fn command(serve: &str, settings: &[Setting], names: &[String]) -> String {
    let value_of = |name: &str| settings.iter().find(|setting| setting.name == name);
    let mut command = serve.to_owned();
    let mut flags = Vec::new();
    for name in names {
        let placeholder = format!("{{{name}}}");
        let found = value_of(name);
        let value = found.map_or("", |setting| setting.value.as_str());
        if command.contains(&placeholder) {
            command = command.replace(&placeholder, &quoted(value));
            continue;
        }
        match found.map(|setting| setting.value.as_str()) {
            None | Some(LEFT_OUT) => {}
            Some("") => flags.push(dashed(name)),
            Some(value) => flags.push(format!("{} {}", dashed(name), quoted(value))),
        }
    }
    command.replace(FLAGS, &flags.join(" "))
}

/// `--max-num-seqs`, `-c`.
fn dashed(name: &str) -> String {
    match name.len() {
        1 => format!("-{name}"),
        _ => format!("--{name}"),
    }
}

/// A value as one word of a shell.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+@%,".contains(c);
    match value.chars().all(plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(serve: &str, vary: &[&str]) -> Vec<Configuration> {
        let vary: Vec<String> = vary.iter().map(|text| (*text).to_owned()).collect();
        configurations(serve, &vary, None).expect("configurations")
    }

    fn refused(serve: &str, vary: &[&str], word: &str) {
        let vary: Vec<String> = vary.iter().map(|text| (*text).to_owned()).collect();
        let error = configurations(serve, &vary, None).expect_err(word);
        assert!(format!("{error:#}").contains(word), "{error:#}");
    }

    fn commands(all: &[Configuration]) -> Vec<&str> {
        all.iter().map(|one| one.command.as_str()).collect()
    }

    #[test]
    fn a_grid_has_every_combination_the_last_changing_fastest() {
        let all = made(
            "serve m {flags} --port 1",
            &["max-num-seqs=64,128", "--eager=,-"],
        );
        assert_eq!(
            commands(&all),
            [
                "serve m --max-num-seqs 64 --eager --port 1",
                "serve m --max-num-seqs 64 --port 1",
                "serve m --max-num-seqs 128 --eager --port 1",
                "serve m --max-num-seqs 128 --port 1",
            ]
        );
        assert_eq!(all[1].name(), "max-num-seqs=64 no eager");
        assert_eq!(all[1].directory(), "c002-max-num-seqs-64-no-eager");
        let one = made("serve m", &[]);
        assert_eq!((one.len(), one[0].name().as_str()), (1, "as it is"));
    }

    #[test]
    fn a_placeholder_takes_one_value_and_shells_keep_theirs() {
        let all = made(
            r#"X=${HOME} serve --dtype {dtype} --json '{"a": 1}' {flags} -c {c}"#,
            &["dtype=a b,it's", "c=4", "n=1"],
        );
        assert_eq!(
            all[0].command,
            r#"X=${HOME} serve --dtype 'a b' --json '{"a": 1}' -n 1 -c 4"#
        );
        assert!(
            all[1].command.contains(r"--dtype 'it'\''s'"),
            "{}",
            all[1].command
        );
    }

    #[test]
    fn commas_of_json_separate_no_values() {
        let check = |text: &str, expect: &[&str]| assert_eq!(values(text), expect);
        check(
            r#"{"method":"ngram","n":[1,2]},{"a":"},"},-"#,
            &[r#"{"method":"ngram","n":[1,2]}"#, r#"{"a":"},"}"#, "-"],
        );
        check("64, 128,", &["64", "128", ""]);
        check(r#"{"a\"":1,"b":2}"#, &[r#"{"a\"":1,"b":2}"#]);
        check("{a,b", &["{a", "b"]);
        check("", &[""]);
        let all = made("serve {flags}", &[r#"speculative-config={"a":1,"b":2},-"#]);
        assert_eq!(
            commands(&all),
            [r#"serve --speculative-config '{"a":1,"b":2}'"#, "serve "]
        );
    }

    #[test]
    fn a_list_has_a_configuration_a_line() {
        let text = "# small\na=1 b=2\n\na=3 # alone\n";
        let all = configurations("serve {flags}", &[], Some(text)).expect("a list");
        assert_eq!(commands(&all), ["serve -a 1 -b 2", "serve -a 3"]);
        let wrong = configurations("serve {flags}", &[], Some("a=1\nb\n")).expect_err("no value");
        assert!(format!("{wrong:#}").contains("line 2"), "{wrong:#}");
        assert!(configurations("serve {flags}", &[], Some("# none\n")).is_err());
        let twice = configurations("serve {flags}", &[], Some("a=1\nb=1 a=2 b=3\n"));
        let twice = format!("{:#}", twice.expect_err("b stands there twice"));
        assert!(twice.contains("line 2: b stands there twice"), "{twice}");
    }

    #[test]
    fn nonsense_is_refused_with_what_to_write() {
        refused("serve {flags}", &["max-num-seqs"], "not NAME=VALUE");
        refused("serve {flags}", &["=3"], "not a name");
        refused("serve {flags}", &["a b=3"], "not a name");
        refused("serve m", &["max-num-seqs=1,2"], "write {flags}");
        refused(
            "serve {max-num-seq} {flags}",
            &["max-num-seqs=1"],
            "did you mean `{max-num-seqs}`?",
        );
        refused("serve {flags}", &["a=1", "a=2"], "varied already");
        refused("serve {flags}", &["a=1,1"], "the same command");
        refused("serve {a}", &["a=1,-"], "a value alone");
        let many = (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        refused(
            "serve {flags}",
            &[&format!("a={many}"), &format!("b={many}")],
            "more than 1000",
        );
    }
}
