//! The ways to the targets: their addresses or sockets, a proxy before them, TLS.
//!
//! It connects to each address once and sends nothing. Invariant: what it finds has an address for every
//! target, and no credentials in any name.

use crate::experiment::{Experiment, STANDS_ALONE, Server, TrustSpec};
use crate::unusable::unreachable;
use anyhow::{Result, anyhow, bail};
use infermeter_analysis::raised;
use infermeter_client::control::{Reached, reach, try_address};
use infermeter_client::encode::{Headers, Target};
use infermeter_client::engine::{Address, Hop, Route, Sources, Tunnel};
use infermeter_client::tls::{Trust, tls_for};
use infermeter_core::finding::Finding;
use infermeter_probe::waits::Waits;
use infermeter_sys::socket;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The servers, as requests name them; `simulator` is the URL of an embedded one.
///
/// # Errors
/// When one is no URL, or they do not go together.
pub fn targets(server: &Server, simulator: Option<&str>) -> Result<Vec<Target>> {
    let urls: Vec<&str> = match server {
        Server::Simulator(_) => simulator.into_iter().collect(),
        Server::Served(served) => served.urls().collect(),
    };
    let mut targets: Vec<Target> = Vec::new();
    for url in urls {
        if url.starts_with("mock:") {
            bail!(STANDS_ALONE);
        }
        let target = Target::parse(url).map_err(|e| anyhow!("target: {e}"))?;
        if targets.contains(&target) {
            bail!("target: {target} is given twice");
        }
        targets.push(target);
    }
    if proxy(server)?.is_some() {
        if let Some(target) = targets.iter().find(|target| target.socket().is_some()) {
            bail!("--proxy does not go with {target}: a socket of this host is not behind a proxy");
        }
        let https = targets.iter().filter(|target| target.is_https()).count();
        if https != 0 && https != targets.len() {
            bail!(
                "--proxy: give targets of http:// or of https:// alone; proxies treat them differently"
            );
        }
    }
    Ok(targets)
}

/// The proxy on the way to a server.
///
/// # Errors
/// When it is no URL of a proxy that can be used.
pub fn proxy(server: &Server) -> Result<Option<Target>> {
    let Some(url) = server.proxy() else {
        return Ok(None);
    };
    let proxy = Target::parse(url).map_err(|e| anyhow!("--proxy: {e}"))?;
    if proxy.is_https() || proxy.socket().is_some() || !proxy.path("").is_empty() {
        bail!(
            "--proxy: a proxy is spoken to in plain HTTP, and has no path: write \
             http://[USER:PASSWORD@]HOST:PORT"
        );
    }
    Ok(Some(proxy))
}

/// The same targets as requests name them that a proxy forwards, with what it wants to see in `headers`. Where
/// there is TLS the proxy sees none of them: its credentials go with the question for a tunnel.
///
/// # Errors
/// When the proxy cannot be used.
pub(crate) fn through_proxy(
    server: &Server,
    targets: Vec<Target>,
    headers: &mut Headers,
) -> Result<Vec<Target>> {
    let Some(proxy) = proxy(server)? else {
        return Ok(targets);
    };
    let goes_past = |target: &Target| target.is_https() || target.socket().is_some();
    if targets.iter().any(goes_past) {
        return Ok(targets);
    }
    if let Some(value) = proxy.authorization()
        && !headers.has("proxy-authorization")
    {
        let pushed = headers.push("proxy-authorization", value);
        pushed.map_err(|e| anyhow!("--proxy: {e}"))?;
    }
    Ok(targets.into_iter().map(Target::forwarded).collect())
}

/// The ways that were found.
#[derive(Debug, Default)]
pub struct Ways {
    /// One at least.
    pub all: Vec<Way>,
    /// The longest that a name took to resolve, nanoseconds; absent where none had to be.
    pub resolve_ns: Option<i64>,
    /// Addresses of names that do not accept connections, and why.
    refused: Vec<String>,
}

impl Ways {
    /// That addresses get none of the load.
    pub fn left_out(&self) -> Option<Finding> {
        (!self.refused.is_empty()).then(|| left_out(&self.refused))
    }
}

/// One of them.
#[derive(Debug)]
pub struct Way {
    /// The place of its target.
    pub target: usize,
    /// How to get there.
    pub route: Route,
    /// What it is called in records and findings.
    pub name: String,
}

/// Reaches every target.
///
/// # Errors
/// When one has no address that accepts a connection.
pub fn find(
    experiment: &Experiment,
    targets: &[Target],
    timeout: Duration,
    waits: &Waits,
) -> Result<Ways> {
    let sources = &experiment.client.source_addresses;
    usable(sources)?;
    let finder = Finder {
        trust: &experiment.target.trust,
        proxy: proxy(&experiment.target.server)?,
        sources,
        timeout,
        waits,
    };
    let mut ways = Ways::default();
    for (number, target) in targets.iter().enumerate() {
        finder.add(number, target, &mut ways)?;
    }
    Ok(ways)
}

/// Looks whether this host has these addresses.
///
/// # Errors
/// Naming the first that it does not have.
fn usable(sources: &[IpAddr]) -> Result<()> {
    for (number, source) in sources.iter().enumerate() {
        if sources[..number].contains(source) {
            bail!("--source-address {source} is given twice");
        }
        if let Err(error) = socket::try_source(*source) {
            bail!(
                "--source-address {source}: connections cannot come from it ({error}): give an address of this \
                 host; `ip address` shows those that there are"
            );
        }
    }
    Ok(())
}

struct Finder<'a> {
    trust: &'a TrustSpec,
    proxy: Option<Target>,
    /// Where connections come from.
    sources: &'a [IpAddr],
    timeout: Duration,
    waits: &'a Waits,
}

impl Finder<'_> {
    fn add(&self, number: usize, target: &Target, ways: &mut Ways) -> Result<()> {
        let tls = match target.is_https() {
            true => Some(tls_for(target.host(), trust(self.trust))?),
            false => None,
        };
        let proxy = self.proxy.as_ref().filter(|_| target.socket().is_none());
        let hop = hop(proxy, target);
        let addresses = match self.reached(proxy, target)? {
            Found::Socket(address) => vec![address],
            Found::Network(mut reached) => {
                if proxy.is_some() {
                    // A proxy's further addresses are the same proxy.
                    reached.addresses.truncate(1);
                    reached.refused.clear();
                }
                ways.resolve_ns = ways.resolve_ns.max(reached.resolve_ns);
                let named = |(address, why): &(_, String)| format!("{address}: {why}");
                ways.refused.extend(reached.refused.iter().map(named));
                reached.addresses.into_iter().map(Address::Tcp).collect()
            }
        };
        for address in addresses {
            let name = match proxy {
                Some(_) => target.authority(),
                None => address.to_string(),
            };
            let sources = self.sources_to(&address)?;
            ways.all.push(Way {
                target: number,
                route: Route {
                    address,
                    hop: hop.clone(),
                    tls: tls.clone(),
                    sources,
                },
                name,
            });
        }
        Ok(())
    }

    /// The addresses that connections to this one may come from.
    fn sources_to(&self, address: &Address) -> Result<Sources> {
        let own = self.sources.iter().copied();
        let of_family =
            |to: &SocketAddr| Sources::of(own.filter(|own| own.is_ipv4() == to.is_ipv4()));
        let sources = match address {
            Address::Tcp(to) => of_family(to),
            Address::Unix(_) => Sources::default(),
        };
        if !self.sources.is_empty() && sources == Sources::default() {
            bail!(
                "--source-address: none of them is of the kind of {address}, which connections go to"
            );
        }
        Ok(sources)
    }

    /// Connects to the target, or to the proxy before it.
    fn reached(&self, proxy: Option<&Target>, target: &Target) -> Result<Found> {
        let through = proxy.unwrap_or(target);
        let (named, waited) = match proxy {
            Some(proxy) => ("the proxy: ", format!("the proxy {}", proxy.host_header())),
            None => ("", target.host_header()),
        };
        let found = self.waits.during(
            &format!("a connection to {waited}"),
            self.timeout,
            "--connect-timeout",
            || match through.socket() {
                None => reach(through.host(), through.port(), self.timeout).map(Found::Network),
                Some(socket) => {
                    let address = Address::Unix(socket.to_owned());
                    try_address(&address, self.timeout).map(|()| Found::Socket(address))
                }
            },
        );
        Ok(found.map_err(|error| unreachable(target, &format!("{named}{error}")))?)
    }
}

/// Whom the user believes to be the server.
pub(crate) fn trust(spec: &TrustSpec) -> Trust<'_> {
    match spec {
        TrustSpec::Anyone => Trust::Anyone,
        TrustSpec::And(file) => Trust::And(file),
        TrustSpec::Platform => Trust::Platform,
    }
}

fn hop(proxy: Option<&Target>, target: &Target) -> Hop {
    match proxy {
        None => Hop::Server,
        Some(_) if !target.is_https() => Hop::Forward,
        Some(proxy) => Hop::Tunnel(Tunnel {
            authority: target.authority(),
            authorization: proxy.authorization().map(str::to_owned),
        }),
    }
}

/// What accepts connections.
enum Found {
    Socket(Address),
    Network(Reached),
}

fn left_out(refused: &[String]) -> Finding {
    raised::ADDRESS_LEFT_OUT.found(
        "Addresses of the target's name do not accept connections, and get none of the load.",
        infermeter_core::text::inert(&refused.join("; "), 500),
        "Start the servers that are missing, take them out of the name, or give the URLs of those that are \
         meant one by one.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_this_hosts_and_of_the_targets_kind() {
        let addresses = |texts: &[&str]| -> Vec<IpAddr> {
            let parsed = texts.iter().map(|text| text.parse().expect("an address"));
            parsed.collect()
        };
        let refused = |texts: &[&str]| {
            let error = usable(&addresses(texts)).expect_err("refused");
            error.to_string()
        };
        assert!(usable(&addresses(&["127.0.0.8", "127.0.0.9"])).is_ok());
        assert!(refused(&["127.0.0.8", "127.0.0.8"]).contains("given twice"));
        // Set aside for documentation: nobody has it.
        assert!(refused(&["192.0.2.1"]).contains("an address of this host"));
        let own = addresses(&["127.0.0.8", "::1"]);
        let finder = Finder {
            trust: &TrustSpec::Platform,
            proxy: None,
            sources: &own,
            timeout: Duration::ZERO,
            waits: &Waits::default(),
        };
        let to = |text: &str| Address::Tcp(text.parse().expect("an address"));
        let sources = finder.sources_to(&to("127.0.0.1:80")).expect("one of two");
        assert_eq!(sources, Sources::of(addresses(&["127.0.0.8"])));
        let unix = Address::Unix("/tmp/s".into());
        let error = finder.sources_to(&unix).expect_err("no ports there");
        assert!(error.to_string().contains("--source-address"), "{error}");
    }

    #[test]
    fn addresses_that_refuse_are_named() {
        let refused = [
            "10.0.0.2:8000: refused".to_owned(),
            "10.0.0.3:8000: late".to_owned(),
        ];
        let finding = left_out(&refused);
        assert_eq!(finding.code, "address-left-out");
        assert_eq!(
            finding.evidence,
            "10.0.0.2:8000: refused; 10.0.0.3:8000: late"
        );
    }
}
