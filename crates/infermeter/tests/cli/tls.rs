//! https: a server with a certificate of its own, trusted through `--tls-ca`.

use crate::process::{LIGHT, Run, Scratch, UNPROBED, infermeter, light, run_with};
use crate::server::{Server, Then, good, read};
use infermeter_core::record::Reason;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::BufReader;
use std::net::TcpListener;
use std::sync::Arc;

/// Starts an https server for `name`; returns its port and its authority's certificate.
pub fn serve(name: &str) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .and_then(|params| params.signed_by(&key, &authority))
        .expect("signed");
    (serve_as(&certificate, &key), authority.pem())
}

/// Starts an https server that shows a certificate of its own making, changed by `change`; returns
/// its port and the certificate.
fn serve_own(name: &str, change: impl FnOnce(&mut CertificateParams)) -> (u16, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    change(&mut params);
    let certificate = params.self_signed(&key).expect("signed");
    (serve_as(&certificate, &key), certificate.pem())
}

/// As `openssl req -x509` makes it.
fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

fn serve_as(certificate: &Certificate, key: &KeyPair) -> u16 {
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("a certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let session = ServerConnection::new(config).expect("a session");
                let mut input = BufReader::new(StreamOwned::new(session, stream));
                let mut earlier = 0;
                while let Some(request) = read(&mut input, 0, earlier) {
                    if good(&request, input.get_mut()) == Then::Close {
                        return;
                    }
                    earlier += 1;
                }
            });
        }
    });
    port
}

/// No request of the load got a TLS session, each with this in its words. (Connections opened ahead
/// fail first; what is due soon after waits for the next attempt.)
#[track_caller]
fn no_session(run: &Run, said: &str) {
    assert_eq!(run.ran.code, Some(4), "{:#?}", run.ran);
    for record in run.measured() {
        let error = record.error.expect("an error");
        let known = [Reason::TlsFailed, Reason::ConnectBackoff];
        assert!(known.contains(&error.reason), "{error:?}");
        assert!(error.text.contains(said), "{error:?}");
    }
}

#[test]
fn a_trusted_server_is_measured_and_its_handshakes_recorded() {
    let (port, pem) = serve("localhost");
    let scratch = Scratch::new();
    let ca = scratch.file("ca.pem", &pem);
    let target = format!("https://localhost:{port}");
    // Connections are not kept: measured requests open their own.
    let run = run_with(
        light(&target, &format!("--tls-ca {ca} --keepalive 0")),
        |_| {},
    );
    let measured = run.completes();
    for record in measured.iter().filter(|r| r.new_connection == Some(true)) {
        assert!(record.connected.is_some() && record.tls_done > record.connected);
        assert!(record.tls_done <= record.sent);
    }
    assert_eq!(run.manifest()["environment"]["target"]["url"], target);
    let reused = run_with(light(&target, &format!("--tls-ca {ca}")), |_| {});
    reused.completes();
}

#[test]
fn what_is_not_trusted_is_not_measured() {
    let (port, pem) = serve("localhost");
    let scratch = Scratch::new();
    let ca = scratch.file("ca.pem", &pem);
    let said = |target: &str, more: &str, code: i32, words: &[&str]| {
        infermeter(&format!("run {target}:{port} {LIGHT} {more}")).fails(code, words);
    };
    said("https://localhost", "", 4, &["TLS", "--tls-ca"]);
    let trusted = format!("--tls-ca {ca}");
    // The certificate is for another name.
    said("https://127.0.0.1", &trusted, 4, &["TLS", "certificate"]);
    said(
        "https://localhost",
        "--tls-ca /nowhere.pem",
        2,
        &["--tls-ca", "/nowhere.pem"],
    );
    let empty = scratch.file("empty.pem", "nothing\n");
    said(
        "https://localhost",
        &format!("--tls-ca {empty}"),
        2,
        &["--tls-ca", "PEM"],
    );
    // Clear text on a TLS port.
    let speaks = format!("the port speaks TLS: write https://localhost:{port}");
    said("http://localhost", "--timeout 5s", 4, &[&speaks]);
    let untrusted = light(&format!("https://localhost:{port}"), UNPROBED);
    no_session(&run_with(untrusted, |_| {}), "certificate");
}

#[test]
fn a_servers_own_certificate_is_trusted_where_it_is_given() {
    let scratch = Scratch::new();
    for (make, name) in [
        (authority as fn(&mut CertificateParams), "ca"),
        (|_| {}, "plain"),
    ] {
        let (port, pem) = serve_own("localhost", make);
        let file = scratch.file(name, &pem);
        let target = format!("https://localhost:{port}");
        let run = run_with(light(&target, &format!("--tls-ca {file}")), |_| {});
        run.completes();
        // Only for its own name, and only where it is the one that was given.
        let other = format!("run https://127.0.0.1:{port} {LIGHT} --tls-ca {file}");
        infermeter(&other).fails(4, &["TLS", "name that the certificate carries"]);
        let (_, stranger) = serve_own("localhost", make);
        let stranger = scratch.file("stranger", &stranger);
        let line = format!("run {target} {LIGHT} --tls-ca {stranger}");
        infermeter(&line).fails(4, &["TLS", "--tls-ca FILE", "--tls-insecure"]);
    }
}

#[test]
fn a_certificate_that_is_given_must_be_valid_now() {
    let scratch = Scratch::new();
    for (from, to) in [(2001, 2002), (2200, 2201)] {
        let (port, pem) = serve_own("localhost", |params| {
            authority(params);
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        });
        let file = scratch.file("old.pem", &pem);
        let line = format!("run https://localhost:{port} {LIGHT} --tls-ca {file}");
        infermeter(&line).fails(4, &["TLS", "clock"]);
    }
}

#[test]
fn any_certificate_is_believed_with_a_warning() {
    let (port, _) = serve_own("elsewhere", |params| {
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let target = format!("https://localhost:{port}");
    let metrics = format!("--server-metrics https://127.0.0.1:{port}/metrics");
    let run = run_with(light(&target, &format!("--tls-insecure {metrics}")), |_| {});
    run.completes();
    assert_eq!(run.finding("tls-unverified")["severity"], "warning");
    // The page is asked for under the same trust: what is missing is the page.
    let why = &run.manifest()["environment"]["target"]["server_metrics"]["not_available"];
    assert_eq!(why, "status 404");
}

#[test]
fn the_other_scheme_is_named_in_trials_and_in_failures_of_the_load() {
    let clear = Server::start(good);
    let https = clear.url.replace("http://", "https://");
    let plain = format!("the port speaks plain HTTP: write {}", clear.url);
    infermeter(&format!("run {https} {LIGHT}")).fails(4, &["TLS", &plain]);
    no_session(&run_with(light(&https, UNPROBED), |_| {}), "write http://");

    let (port, _) = serve("localhost");
    let http = format!("http://localhost:{port}");
    let run = run_with(light(&http, UNPROBED), |_| {});
    assert_eq!(run.ran.code, Some(4));
    assert!(run.ran.out.contains("https://"), "{}", run.ran.out);
}
