//! TLS on the simulator's side: a certificate from files, and a session per connection.
//!
//! Sans-IO: ciphertext in, plain bytes out and back. No client certificates, HTTP/1.1 only.

use crate::config::TlsFiles;
use infermeter_core::text::inert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("{what} {}: {problem}", .path.display())]
    File {
        /// Which of the files.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Certificate and key do not belong together, or are of no kind that TLS knows.
    #[error("TLS cannot be set up: {0}")]
    Settings(#[from] rustls::Error),
}

/// Settings from the files.
pub(crate) fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let bad = |what, path: &Path, problem: String| TlsError::File {
        what,
        path: path.to_owned(),
        problem: inert(&problem, 200),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| bad("certificate", &files.certificate, error.to_string()))?;
    if chain.is_empty() {
        let problem = "no certificate in this file (PEM expected)".to_owned();
        return Err(bad("certificate", &files.certificate, problem));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| bad("key", &files.key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The peer sent what is no TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoTls;

/// What received bytes amounted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// The session goes on.
    Open,
    /// The peer ended the session.
    End,
}

/// One connection's session.
#[derive(Debug)]
pub(crate) struct Session {
    connection: ServerConnection,
    ciphertext: Vec<u8>,
}

impl Session {
    /// A session without any byte.
    pub fn new(config: &Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut connection = ServerConnection::new(Arc::clone(config))?;
        // The connection's own limit holds: bytes are encrypted when they are written.
        connection.set_buffer_limit(None);
        Ok(Self {
            connection,
            ciphertext: Vec::new(),
        })
    }

    /// Takes received bytes; plain ones are appended to `plain`. Afterwards there may be bytes to
    /// send: [`Session::outgoing`].
    pub fn receive(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<Received, NoTls> {
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes).map_err(|_| NoTls)?;
            let state = self.connection.process_new_packets().map_err(|_| NoTls)?;
            let from = plain.len();
            plain.resize(from + state.plaintext_bytes_to_read(), 0);
            self.connection
                .reader()
                .read_exact(&mut plain[from..])
                .map_err(|_| NoTls)?;
            if state.peer_has_closed() {
                return Ok(Received::End);
            }
        }
        Ok(Received::Open)
    }

    /// Encrypts; the result goes out with everything else that is due.
    pub fn encrypt(&mut self, plain: &[u8]) -> &[u8] {
        // A writer without limit takes everything.
        let _ = self.connection.writer().write_all(plain);
        self.outgoing()
    }

    /// The end of the session, as bytes.
    pub fn end(&mut self) -> &[u8] {
        self.connection.send_close_notify();
        self.outgoing()
    }

    /// Bytes that are due to be sent.
    pub fn outgoing(&mut self) -> &[u8] {
        self.ciphertext.clear();
        while self.connection.wants_write() {
            // Writing to a vector cannot fail.
            let _ = self.connection.write_tls(&mut self.ciphertext);
        }
        &self.ciphertext
    }
}
