//! Flags of every command that serves as a proxy: where it listens, TLS towards users, limits.
//!
//! Whom it serves from is the command's own. Invariant: what is not given is the proxy's own default.

use infermeter_core::key::When::Given;
use infermeter_core::key::{Form, Rule};
use infermeter_core::keys;
use infermeter_core::plan::Expose;
use infermeter_core::units::Span;
use infermeter_proxy::{HalfClosed, Limits, Reach};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

keys! {
    /// Flags of a command that serves as a proxy.
    pub struct ProxyArgs {
        listen: Expose = Expose(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)), Serving, "ADDR",
            "Listen here: IP:PORT, or a port alone for the loopback; port 0 takes a free one"
            .form(Form::RequiredFlag).common().example(":8080");
        allow_remote: bool = false, Serving, "",
            "Listen on other addresses than those of the loopback, too: whoever reaches the proxy reaches the server \
             behind it"
            .common();
        tls_cert: Option<PathBuf> = None, Serving, "FILE",
            "Serve TLS with this certificate (PEM)"
            .example("cert.pem").rules(&[Rule::needs(&[Given("tls-key")], "")]);
        tls_key: Option<PathBuf> = None, Serving, "FILE",
            "Private key of the certificate (PEM)"
            .example("key.pem").rules(&[Rule::needs(&[Given("tls-cert")], "")]);
        max_connections: u32 = 4096, Serving, "N",
            "Users' connections at once; one more gets the status 503"
            .example("256").least(1.0);
        max_body: u64 = 67_108_864, Serving, "BYTES",
            "Longest body of a request; one that is longer gets the status 413"
            .example("1000000").least(1.0);
        answer_timeout: Span = Span::seconds(600), Serving, "TIME",
            "Longest wait for the head of an answer; the user then gets the status 504"
            .example("60s").above(0.0);
        silence_timeout: Span = Span::seconds(300), Serving, "TIME",
            "Longest silence of the server within an answer; it is then cut off"
            .example("30s").above(0.0);
        serve_half_closed: bool = false, Serving, "",
            "Answer users who have closed the sending half of their connection, instead of taking them for gone";
        keep_header: Vec<String> = Vec::new(), Serving, "NAME",
            "Keep this header of requests and answers, too; may be given several times. One that may carry a key is \
             never kept"
            .example("x-tenant");
        proxy_cores: Vec<usize> = Vec::new(), Serving, "LIST",
            "Cores to run on, as in 0,2: the first for users and their server, the last for the shadow"
            .example("0,2");
    }
}

impl ProxyArgs {
    /// Who may reach it.
    pub(crate) fn reach(&self) -> Reach {
        match self.allow_remote {
            true => Reach::Anyone,
            false => Reach::Loopback,
        }
    }

    /// What a user is who has closed the sending half.
    pub(crate) fn half_closed(&self) -> HalfClosed {
        match self.serve_half_closed {
            true => HalfClosed::Reading,
            false => HalfClosed::Gone,
        }
    }

    /// The limits that were given; the others are the proxy's.
    pub(crate) fn limits(&self) -> Limits {
        let time = |span: Span| Duration::from_nanos(u64::try_from(span.ns()).unwrap_or(0));
        Limits {
            connections: self.max_connections as usize,
            body_bytes: self.max_body,
            head_wait: time(self.answer_timeout),
            upstream_silence: time(self.silence_timeout),
            ..Limits::default()
        }
    }
}
