//! https: a server with a certificate of its own, trusted through `--tls-ca`.

use crate::process::{LIGHT, Scratch, UNPROBED, infermeter, light, run_with};
use crate::server::{Then, good, read};
use infermeter_core::record::Reason;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::BufReader;
use std::net::TcpListener;
use std::sync::Arc;

/// Starts an https server for `name`; returns its port and its authority's certificate.
fn serve(name: &str) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .and_then(|params| params.signed_by(&key, &authority))
        .expect("signed");
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
    (port, authority.pem())
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
    said("http://localhost", "--timeout 5s", 4, &["HTTP"]);
    let untrusted = light(&format!("https://localhost:{port}"), UNPROBED);
    run_with(untrusted, |_| {}).all_fail(Reason::TlsFailed);
}
