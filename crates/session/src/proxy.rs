//! Proxies that the environment names: infermeter connects to the target itself, and says so.
//!
//! Invariant: a variable is named, its value never (it may hold a password).

use infermeter_analysis::raised;
use infermeter_client::encode::Target;
use infermeter_core::finding::Finding;
use std::net::IpAddr;

/// That the environment names a proxy for this target, which is not used.
pub(crate) fn unused(
    target: &Target,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<Finding> {
    let set = |name: &&str| variable(name).is_some_and(|value| !value.trim().is_empty());
    let own: [&str; 2] = match target.is_https() {
        true => ["https_proxy", "HTTPS_PROXY"],
        false => ["http_proxy", "HTTP_PROXY"],
    };
    let names = own.into_iter().chain(["all_proxy", "ALL_PROXY"]);
    let named: Vec<&str> = names.filter(set).collect();
    if named.is_empty() {
        return None;
    }
    let excluded = ["no_proxy", "NO_PROXY"]
        .iter()
        .filter_map(|name| variable(name));
    let (host, port) = (target.host(), target.port());
    if excluded.into_iter().any(|list| excludes(&list, host, port)) {
        return None;
    }
    Some(raised::PROXY_UNUSED.found(
        "The environment names a proxy, and the load does not go through it.",
        format!("set: {}", named.join(", ")),
        "Give the proxy with --proxy where the load is to go through it; unset the variable, or name the \
         host in NO_PROXY, if this is intended.",
    ))
}

/// Whether a list of `NO_PROXY` holds a host: `*`, names with all below them, addresses, networks.
fn excludes(list: &str, host: &str, port: u16) -> bool {
    let entries = list.split([',', ' ']).map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .any(|entry| entry == "*" || matches(entry, host, port))
}

fn matches(entry: &str, host: &str, port: u16) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    if let Some(address) = address {
        let bare = entry.trim_start_matches('[').replace(']', "");
        if let Some((network, bits)) = bare.split_once('/') {
            let network: Option<IpAddr> = network.parse().ok();
            return network
                .zip(bits.parse().ok())
                .is_some_and(|(network, bits)| contains(network, bits, address));
        }
        let with_port = bare.rsplit_once(':').and_then(|(ip, p)| {
            let same_port = p.parse() == Ok(port);
            same_port.then(|| ip.parse().ok()).flatten()
        });
        return [bare.parse().ok(), with_port].contains(&Some(address));
    }
    let (name, only) = match entry.split_once(':') {
        Some((name, only)) => (name, only.parse().ok()),
        None => (entry, Some(port)),
    };
    let name = name.trim_start_matches("*.").trim_start_matches('.');
    let name = name.to_ascii_lowercase();
    let below = host.strip_suffix(&*name).is_some_and(|h| h.ends_with('.'));
    only == Some(port) && (host == name || below)
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(bits))
                .unwrap_or(0);
            bits <= 32 && network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(bits))
                .unwrap_or(0);
            bits <= 128 && network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, set: &[(&str, &str)], named: Option<&str>) {
        let target = Target::parse(url).expect("a target");
        let variable = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let found = unused(&target, &variable);
        assert_eq!(
            found.as_ref().map(|f| f.evidence.as_str()),
            named,
            "{set:?}"
        );
        let said = format!("{found:?}");
        assert!(!said.contains("secret"), "{said}");
    }

    #[test]
    fn a_proxy_for_the_scheme_is_named_without_its_value() {
        let proxy = "http://u:secret@proxy:3128";
        let http = "http://127.0.0.1:8000";
        check(http, &[], None);
        check(http, &[("HTTP_PROXY", "")], None);
        check(http, &[("HTTP_PROXY", proxy)], Some("set: HTTP_PROXY"));
        check(http, &[("https_proxy", proxy)], None);
        let both = [("http_proxy", proxy), ("ALL_PROXY", proxy)];
        check(http, &both, Some("set: http_proxy, ALL_PROXY"));
        check(
            "https://h",
            &[("HTTPS_PROXY", proxy)],
            Some("set: HTTPS_PROXY"),
        );
    }

    #[test]
    fn hosts_that_no_proxy_excludes_are_no_note() {
        let with = |list| [("HTTP_PROXY", "http://p"), ("no_proxy", list)];
        let address = "http://127.0.0.1:8000";
        for list in ["*", "127.0.0.1", "a,127.0.0.0/8", "127.0.0.1:8000"] {
            check(address, &with(list), None);
        }
        for list in ["10.0.0.0/8", "127.0.0.2", "127.0.0.1:80", "localhost"] {
            check(address, &with(list), Some("set: HTTP_PROXY"));
        }
        let name = "http://llm.example.com:8000";
        for list in [
            "example.com",
            ".Example.com",
            "*.example.com",
            "llm.example.com:8000",
        ] {
            check(name, &with(list), None);
        }
        for list in ["ample.com", "other.com", "example.com:80"] {
            check(name, &with(list), Some("set: HTTP_PROXY"));
        }
        check("http://[::1]:8000", &with("::1"), None);
        check("http://[::1]:8000", &with("::/0"), None);
    }
}
