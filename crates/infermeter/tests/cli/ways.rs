//! The ways to servers: several addresses, sockets of this host, proxies.

use crate::process::{
    LIGHT, Mock, Run, Scratch, command, everything_in, infermeter, light, mock, ran, run_with,
    words,
};
use infermeter_core::record::{Outcome, Reason, RequestRecord, StampSource};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

fn measured(arguments: &str) -> Run {
    run_with(light("", arguments), |_| {})
}

/// The table of results by address, as `--full` prints it.
fn by_address(run: &Run) -> Vec<(String, u64, u64)> {
    let breakdown = run.manifest()["summary"]["breakdown"].clone();
    let all = breakdown.as_array().expect("a list").clone();
    let own = all
        .iter()
        .find(|b| b["key"] == "address")
        .expect("by address");
    let bands = own["bands"].as_array().expect("bands").iter();
    let count = |band: &serde_json::Value, name: &str| band["measured"][name].as_u64();
    bands
        .map(|band| {
            let name = band["band"].as_str().expect("a name").to_owned();
            let counts = (count(band, "completed"), count(band, "failed"));
            (name, counts.0.unwrap_or(0), counts.1.unwrap_or(0))
        })
        .collect()
}

/// An address that refuses connections, or did a moment ago.
fn dead() -> String {
    let held = TcpListener::bind("127.0.0.1:0").expect("loopback");
    held.local_addr().expect("bound").to_string()
}

#[test]
fn two_targets_share_the_load_and_are_shown_apart() {
    let other = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    for how in ["round-robin", "least-in-flight"] {
        let run = measured(&format!("{} {} --balance {how}", mock(), other.url));
        let records = run.completes();
        assert!(records.iter().all(|r| r.address.is_some()));
        let names = run.manifest()["addresses"].clone();
        let own = |url: &str| url.strip_prefix("http://").map(str::to_owned);
        assert_eq!(names[0].as_str(), own(mock()).as_deref());
        assert_eq!(names[1].as_str(), own(&other.url).as_deref());
        if how == "round-robin" {
            let counts = by_address(&run)
                .into_iter()
                .map(|(_, n, failed)| (n, failed));
            assert_eq!(counts.collect::<Vec<_>>(), [(3, 0), (3, 0)]);
            let shown = infermeter(&format!("report {} --full", run.dir.display()));
            assert!(shown.out.contains("By address"), "{}", shown.out);
        }
    }
}

#[test]
fn a_target_that_goes_down_is_named() {
    let scratch = Scratch::new();
    let socket = scratch.path("engine.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    // It accepts the connection that the command tries it with, and is gone afterwards.
    thread::spawn(move || drop(listener.accept()));
    let target = format!("unix:{}", socket.display());
    let run = measured(&format!(
        "{} {target} --model mock/fixed --no-probe",
        mock()
    ));
    let failed: Vec<RequestRecord> = run.measured();
    let down = |r: &&RequestRecord| r.address == Some(1);
    let served = |r: &&RequestRecord| r.address == Some(0) && r.outcome == Outcome::Completed;
    assert_eq!(failed.iter().filter(served).count(), 3);
    assert_eq!(failed.iter().filter(down).count(), 3);
    let finding = run.finding("address-down");
    let said = finding["evidence"].as_str().expect("a text");
    assert!(
        said.contains(&format!("{target}: 3 of 3 requests")),
        "{said}"
    );
    assert_eq!(by_address(&run)[1], (target, 0, 3));
}

#[test]
fn targets_that_do_not_go_together_are_refused() {
    let url = mock();
    for (arguments, words) in [
        (format!("{url} {url}"), "given twice"),
        (format!("{url} mock:fixed"), "stands alone"),
        (format!("mock:fixed {url}"), "stands alone"),
        (format!("{url} localhost:1"), "http://"),
        ("unix:engine.sock".to_owned(), "not the path of a socket"),
        (format!("unix:/x --proxy {url}"), "does not go with unix:/x"),
        (format!("mock:fixed --proxy {url}"), "--proxy"),
        (format!("{url} --proxy https://h:1"), "plain HTTP"),
        (format!("{url} --proxy socks5://h:1"), "--proxy"),
        (format!("{url} https://h --proxy http://h:1"), "alone"),
        (format!("{url} --balance fair"), "round-robin"),
    ] {
        infermeter(&format!("run {arguments} {LIGHT}")).fails(2, &[words]);
    }
    let dead = dead();
    let line = format!("run {url} http://{dead} {LIGHT}");
    infermeter(&line).fails(4, &[&dead, "cannot be reached"]);
}

#[test]
fn a_simulator_behind_a_socket_is_measured_with_the_programs_stamps() {
    let scratch = Scratch::new();
    let socket = scratch.path("engine.sock");
    let place = format!("unix:{}", socket.display());
    let served = Mock::at(&format!(
        "--listen {place} --preset fixed --ttft 2ms --step 1ms"
    ));
    assert_eq!(served.url, place);
    let run = measured(&place);
    let records = run.completes();
    let program = |r: &RequestRecord| r.stamp_source == Some(StampSource::Program);
    assert!(records.iter().all(program));
    run.finding("program-stamps");
    let manifest = run.manifest();
    assert_eq!(manifest["addresses"][0], place.as_str());
    assert_eq!(manifest["environment"]["target"]["same_host"], true);
    // A second one at the same place is an error; what a killed one left is not.
    let second = infermeter(&format!("mock --listen {place}"));
    second.fails(2, &["--listen", "listens there already"]);
    infermeter(&format!("run {place} {LIGHT} --io uring")).fails(2, &["--io uring", "stamps"]);
    drop(served);
    assert!(infermeter(&format!("run {place} {LIGHT}")).code == Some(4));
    let again = Mock::at(&format!(
        "--listen {place} --preset fixed --ttft 2ms --step 1ms"
    ));
    measured(&again.url).completes();
}

#[test]
fn a_socket_that_is_not_there_is_not_measured() {
    let scratch = Scratch::new();
    let missing = scratch.path("missing.sock");
    let line = format!("run unix:{} {LIGHT}", missing.display());
    infermeter(&line).fails(4, &["cannot be reached", "No such file"]);
}

/// A proxy: forwards requests and opens tunnels, for those with these credentials. Tells the first line of
/// each connection.
fn proxy(credentials: Option<&'static str>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    let (told, lines) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let told = told.clone();
            thread::spawn(move || serve(stream, credentials, &told));
        }
    });
    (address, lines)
}

fn serve(
    mut client: TcpStream,
    credentials: Option<&str>,
    told: &Sender<String>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    told.send(line.clone()).map_err(io::Error::other)?;
    let wanted = credentials.map(|wanted| format!("proxy-authorization: {wanted}\r\n"));
    if wanted.is_some_and(|wanted| !head.contains(&wanted)) {
        return client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    }
    let place = line.split(' ').nth(1).unwrap_or_default();
    let place = place.strip_prefix("http://").unwrap_or(place);
    let authority = place.split('/').next().unwrap_or_default();
    let Ok(mut server) = TcpStream::connect(authority) else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    };
    if line.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    } else {
        // Servers take the whole URL, too, but for a simulator that does not.
        server.write_all(head.replace(&format!("http://{authority}"), "").as_bytes())?;
    }
    let (mut up, mut down) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || io::copy(&mut up, &mut server));
    io::copy(&mut down, &mut client).map(drop)
}

#[test]
fn plain_requests_are_forwarded_by_a_proxy_with_credentials_that_no_file_holds() {
    let (address, lines) = proxy(Some("Basic dXNlcjpzM2NyM3QtcGFzcw=="));
    let proxied = format!("--proxy http://user:s3cr3t-pass@{address} --keepalive 0");
    let run = run_with(light(mock(), &proxied), |_| {});
    run.completes();
    let lines: Vec<String> = lines.try_iter().collect();
    let whole = format!("POST {}/v1/chat/completions HTTP/1.1", mock());
    assert!(
        lines.iter().filter(|line| **line == whole).count() >= 6,
        "{lines:?}"
    );
    assert!(lines.contains(&format!("GET {}/v1/models HTTP/1.1", mock())));
    assert_eq!(
        run.manifest()["plan"]["proxy"],
        format!("http://***@{address}")
    );
    let all = everything_in(&run.dir);
    for secret in ["s3cr3t", "dXNlcjpz"] {
        let found = all.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!found && !run.ran.out.contains(secret) && !run.ran.err.contains(secret));
    }
}

#[test]
fn a_proxy_that_refuses_or_is_not_there_is_told_from_the_target() {
    let (address, _lines) = proxy(Some("Basic none"));
    let target = format!("run {} {LIGHT}", mock());
    let refused = infermeter(&format!("{target} --proxy http://{address}"));
    refused.fails(4, &["407", "--proxy"]);
    let https = format!("run https://localhost:1 {LIGHT} --tls-insecure");
    let refused = infermeter(&format!("{https} --proxy http://{address}"));
    refused.fails(4, &["the proxy refuses the credentials", "USER:PASSWORD"]);
    let (address, _lines) = proxy(None);
    let no_way = infermeter(&format!("{https} --proxy http://{address}"));
    no_way.fails(4, &["the proxy gives no way to localhost:1", "502"]);
    let dead = dead();
    let absent = infermeter(&format!("{target} --proxy http://{dead}"));
    absent.fails(4, &["the proxy", &dead]);
}

#[test]
fn https_goes_through_a_tunnel() {
    let (port, pem) = crate::tls::serve("localhost");
    let scratch = Scratch::new();
    let ca = scratch.file("ca.pem", &pem);
    let (address, lines) = proxy(None);
    let target = format!("https://localhost:{port}");
    let more = format!("--tls-ca {ca} --proxy http://{address} --keepalive 0");
    let run = run_with(light(&target, &more), |_| {});
    for record in run.completes() {
        assert!(record.new_connection == Some(false) || record.tls_done > record.connected);
    }
    let connect = format!("CONNECT localhost:{port} HTTP/1.1");
    assert!(lines.try_iter().all(|line| line == connect));
}

#[test]
fn a_proxy_that_gives_no_way_fails_the_load() {
    let (address, _lines) = proxy(None);
    let more = format!("--proxy http://{address} --no-probe --model m --tls-insecure");
    let run = run_with(light("https://localhost:1", &more), |_| {});
    let known = [Reason::ConnectFailed, Reason::ConnectBackoff];
    for record in run.measured() {
        let error = record.error.expect("an error");
        assert!(known.contains(&error.reason), "{error:?}");
        assert!(error.text.contains("status 502"), "{error:?}");
    }
}

/// The binary as a user who owns nothing, where this process may become one; as it is where it is none already
/// of those who may do everything.
fn without_rights(arguments: &[String]) -> Option<Command> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        return Some(command(arguments));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(env!("CARGO_BIN_EXE_infermeter"));
    let mut trial = Command::new("setpriv");
    trial.args(command.get_args()).arg("--version");
    let works = trial.output().is_ok_and(|output| output.status.success());
    works.then(|| {
        command.args(arguments);
        command
    })
}

#[test]
fn a_socket_that_may_not_be_opened_says_so() {
    let scratch = Scratch::new();
    let socket = scratch.path("engine.sock");
    let _listener = UnixListener::bind(&socket).expect("bound");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    };
    open(socket.parent().expect("a folder"), 0o777);
    open(&socket, 0o000);
    let (target, out) = (socket.display(), scratch.path("run"));
    let line = format!("run unix:{target} {LIGHT} --out {}", out.display());
    let Some(command) = without_rights(&words(&line)) else {
        // Nobody here is without rights.
        return;
    };
    ran(command).fails(4, &["cannot be reached", "Permission denied"]);
}
