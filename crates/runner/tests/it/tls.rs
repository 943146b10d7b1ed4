//! TLS against a server with a certificate of its own making.

use crate::engine_support::{Driver, end};
use crate::support::{Ask, engine_config};
use infermeter_client::engine::{Destinations, EngineConfig, Route};
use infermeter_client::tls::{Trust, tls_for};
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

pub type Issuer = CertifiedIssuer<'static, KeyPair>;

pub fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

pub fn server_config(authority: &Issuer, name: &str) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("signed");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate that fits its key");
    Arc::new(config)
}

/// Serves every connection on a thread of its own, as long as the test runs.
pub fn serve(config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                // A client that goes away ends the conversation.
                stream.and_then(|stream| converse(stream, config)).ok();
            });
        }
    });
    address
}

fn converse(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(session, stream));
    loop {
        let mut length = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        io::copy(&mut stream.by_ref().take(length), &mut io::sink())?;
        answer(stream.get_mut())?;
    }
}

/// Three tokens, a TLS record each.
fn answer(stream: &mut impl Write) -> io::Result<()> {
    let mut write = |text: String| {
        stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush())
    };
    let chunk = |data: &str| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8);
    write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned(),
    )?;
    for word in ["one", " two", " three"] {
        write(chunk(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}]}}"#
        )))?;
    }
    write(
        chunk(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
            + &chunk(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":3}}"#)
            + &chunk("[DONE]")
            + "0\r\n\r\n",
    )
}

fn driver(address: SocketAddr, trusted: &Issuer, directory: &Path) -> Driver {
    let file = directory.join("ca.pem");
    std::fs::write(&file, trusted.pem()).expect("written");
    Driver::with(config_over(address, &file))
}

/// TLS with who has a certificate of this file.
fn config_over(address: SocketAddr, trusted: &Path) -> EngineConfig {
    let tls = tls_for("localhost", Trust::And(trusted)).expect("settings");
    let mut config = engine_config(address);
    config.to = Arc::new(Destinations::one(Route::to(address, Some(tls))));
    config
}

#[test]
fn departures_count_ciphertext() {
    if infermeter_sys::stamp::Sentinel::start().is_none() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let ca = authority();
    let address = serve(server_config(&ca, "localhost"));
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).expect("written");
    let mut config = config_over(address, &file);
    config.audit_send = true;
    let mut driver = Driver::with(config);
    for _ in 0..3 {
        let record = driver.exchange(Ask::tokens(3));
        check_answer(&record);
        assert!(record.left.is_some_and(|left| Some(left) < record.finished));
    }
}

fn check_answer(record: &RequestRecord) {
    assert_eq!(end(record), (Outcome::Completed, None));
    assert_eq!((record.chunks.len(), record.output_tokens), (3, Some(3)));
    assert_eq!(record.finish_reason.as_deref(), Some("stop"));
}

#[test]
fn a_handshake_and_two_answers() {
    let directory = tempfile::tempdir().expect("a directory");
    let ca = authority();
    let address = serve(server_config(&ca, "localhost"));
    let mut driver = driver(address, &ca, directory.path());
    let first = driver.exchange(Ask::tokens(3));
    check_answer(&first);
    let tls_done = first.tls_done.expect("a new session");
    assert!(first.connected.is_some_and(|at| at <= tls_done));
    assert!(first.sent.is_some_and(|at| at >= tls_done));
    let second = driver.exchange(Ask::tokens(3));
    check_answer(&second);
    assert_eq!(second.connection, first.connection);
    assert_eq!((second.connected, second.tls_done), (None, None));
}

#[test]
fn a_session_opened_ahead_is_outside_the_request() {
    let directory = tempfile::tempdir().expect("a directory");
    let ca = authority();
    let address = serve(server_config(&ca, "localhost"));
    let mut driver = driver(address, &ca, directory.path());
    driver.open_ahead(2);
    assert_eq!(driver.engine.idle_connections(), 2);
    driver.send(Ask::tokens(3));
    driver.send(Ask::tokens(3));
    for record in driver.finish() {
        check_answer(&record);
        assert_eq!(
            (record.new_connection, record.tls_done),
            (Some(false), None)
        );
    }
}

#[test]
fn an_untrusted_certificate_fails_the_request() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = serve(server_config(&authority(), "localhost"));
    let mut stranger = driver(address, &authority(), directory.path());
    let record = stranger.exchange(Ask::tokens(3));
    assert_eq!(end(&record), (Outcome::Failed, Some(Reason::TlsFailed)));
    assert!(record.connected.is_some() && record.sent.is_none());

    let ca = authority();
    let address = serve(server_config(&ca, "elsewhere.example"));
    let mut other_name = driver(address, &ca, directory.path());
    let record = other_name.exchange(Ask::tokens(3));
    assert_eq!(end(&record), (Outcome::Failed, Some(Reason::TlsFailed)));
}

#[test]
fn a_server_without_tls_fails_the_request() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")?;
        io::copy(&mut stream, &mut io::sink())
    });
    let mut driver = driver(address, &authority(), directory.path());
    let record = driver.exchange(Ask::tokens(3));
    assert_eq!(end(&record), (Outcome::Failed, Some(Reason::TlsFailed)));
    drop(driver);
    // Whether it saw an end or a reset does not matter.
    server.join().expect("no panic").ok();
}
