//! The simulator behind TLS.

use crate::client::{chat_body, fast, start};
use infermeter_mock::truth;
use infermeter_mock::{Config, ServeError, TlsFiles, spawn_in_thread};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// Files of a certificate for 127.0.0.1, and a client's settings that trust it.
fn certificate(directory: &Path) -> (TlsFiles, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let files = TlsFiles {
        certificate: directory.join("cert.pem"),
        key: directory.join("key.pem"),
    };
    std::fs::write(&files.certificate, cert.pem()).expect("written");
    std::fs::write(&files.key, signing_key.serialize_pem()).expect("written");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (files, Arc::new(client))
}

fn request(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn answers_are_encrypted_and_logged_like_plain_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, client) = certificate(directory.path());
    let mut config: Config = fast();
    config.tls = Some(files);
    let log = directory.path().join("truth.jsonl");
    config.truth = Some(log.clone());
    let mock = start(config);
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(client, name).expect("a session");
    let socket = TcpStream::connect(mock.address()).expect("loopback");
    let mut stream = StreamOwned::new(connection, socket);
    let request = request(&chat_body(true, 9));
    stream.write_all(request.as_bytes()).expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an orderly end");
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("[DONE]"));

    let mut plain = TcpStream::connect(mock.address()).expect("loopback");
    plain.write_all(request.as_bytes()).expect("written");
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"));

    let stats = mock.stop().expect("no error");
    assert_eq!(
        (stats.finished, stats.tls_errors, stats.generations),
        (1, 1, 1)
    );
    let truth = truth::read(&log).expect("a whole log");
    let request = &truth.requests[0];
    assert_eq!(request.tokens_ns.len(), 9);
    assert_eq!(request.bytes as usize, text.len());
    assert!(request.tokens_ns.windows(2).all(|w| w[0] < w[1]));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, _) = certificate(directory.path());
    let missing = directory.path().join("missing.pem");
    for (certificate, key, part) in [
        (&missing, &files.key, "certificate"),
        (&files.certificate, &missing, "key"),
        (&files.key, &files.key, "no certificate in this file"),
    ] {
        let mut config = fast();
        config.tls = Some(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        });
        let error = spawn_in_thread(config).expect_err("no TLS");
        assert!(matches!(error, ServeError::Tls(_)));
        assert!(error.to_string().contains(part), "{error}");
    }
}
