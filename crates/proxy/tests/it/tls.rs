//! TLS on both sides.

use crate::server::{GET, PATIENCE};
use crate::sides::{Running, settings};
use infermeter_proxy::{Outcome, Settings, Upstream, UpstreamTls, server_tls};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

struct Certificate {
    der: CertificateDer<'static>,
    files: [PathBuf; 2],
    _directory: tempfile::TempDir,
}

fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let directory = tempfile::tempdir().expect("a directory");
    let files = ["cert.pem", "key.pem"].map(|file| directory.path().join(file));
    std::fs::write(&files[0], made.cert.pem()).expect("written");
    std::fs::write(&files[1], made.signing_key.serialize_pem()).expect("written");
    Certificate {
        der: made.cert.der().clone(),
        files,
        _directory: directory,
    }
}

fn trusting(certificate: &Certificate) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der.clone()).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .expect("versions");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// Answers one request over TLS; its port.
fn primary(config: Arc<ServerConfig>, body: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(config.clone()).expect("a session");
            let mut tls = StreamOwned::new(session, stream);
            let mut read = Vec::new();
            let mut byte = [0];
            while !read.ends_with(b"\r\n\r\n") && matches!(tls.read(&mut byte), Ok(1)) {
                read.extend(byte);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = tls
                .write_all(head.as_bytes())
                .and_then(|()| tls.write_all(&body));
            // Holds the connection until the proxy ends it.
            let _ = tls.read(&mut byte);
        }
    });
    port
}

#[test]
fn both_sides_speak_tls_and_bytes_stay_the_same() {
    let (at_primary, at_proxy) = (certificate(), certificate());
    let [cert, key] = &at_primary.files;
    let body: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let port = primary(server_tls(cert, key).expect("files"), body.clone());
    let upstream = Upstream {
        tls: Some(UpstreamTls {
            config: trusting(&at_primary),
            name: localhost(),
        }),
        ..Upstream::resolve("127.0.0.1", port).expect("an address")
    };
    let [cert, key] = &at_proxy.files;
    let running = Running::start(Settings {
        tls: Some(server_tls(cert, key).expect("files")),
        ..settings(upstream)
    });
    let stream = std::net::TcpStream::connect(running.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let session = ClientConnection::new(trusting(&at_proxy), localhost()).expect("a session");
    let mut client = StreamOwned::new(session, stream);
    client.write_all(GET.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(&body) {
        match client.read(&mut buffer) {
            Ok(len @ 1..) => answer.extend_from_slice(&buffer[..len]),
            other => panic!("{other:?} after {} bytes", answer.len()),
        }
    }
    let side = running.next().primary;
    assert_eq!((side.outcome, side.body_len), (Outcome::Complete, 300_000));
    assert!(side.tls_done > side.connected);
    // Plain HTTP on a port of TLS is no session.
    let mut plain = crate::server::Client::connect(running.address());
    plain.send(GET);
    let _ = plain.rest();
    crate::server::until(|| running.handle.counts().tls_failed == 1);
}

#[test]
fn a_certificate_that_is_not_trusted_is_no_connection() {
    let (real, other) = (certificate(), certificate());
    let [cert, key] = &real.files;
    let port = primary(server_tls(cert, key).expect("files"), b"ok".to_vec());
    let upstream = Upstream {
        tls: Some(UpstreamTls {
            config: trusting(&other),
            name: localhost(),
        }),
        ..Upstream::resolve("127.0.0.1", port).expect("an address")
    };
    let running = Running::start(settings(upstream));
    let answer = crate::server::Client::connect(running.address()).ask(GET);
    assert_eq!(answer.status(), 502);
    assert_eq!(running.next().primary.outcome, Outcome::ConnectFailed);
}
