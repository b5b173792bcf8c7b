//! Where a registry may send us. It names further hosts (redirects to storage, a token service), and an attacker's registry would name
//! hosts that only this machine can reach: what answers on loopback, in the local network, or to a cloud's machines.
//!
//! The registry itself is the user's word and may be anywhere. Others must be public, or as near as the registry itself is. Names are
//! judged by the addresses they have at the moment of the connection, so that no second look-up can differ from the first.

use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs as _};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Anybody's.
    Public,
    /// A local network's.
    Private,
    /// One wire's: where clouds tell machines their credentials.
    LinkLocal,
    /// This machine's.
    Loopback,
    /// No host's: unspecified, multicast, reserved.
    Special,
}

impl Class {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let octets = v4.octets();
                match octets {
                    [0 | 224..=255, ..] => Class::Special,
                    [127, ..] => Class::Loopback,
                    [169, 254, ..] => Class::LinkLocal,
                    [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18 | 19, ..] | [192, 0, 0, _] => {
                        Class::Private
                    }
                    _ => Class::Public,
                }
            }
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    fn of_v6(v6: Ipv6Addr) -> Self {
        match v6.segments() {
            // NAT64 and 6to4 lead to the IPv4 address that they hold.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                Self::of(IpAddr::from([high.to_be_bytes(), low.to_be_bytes()].concat().try_into().unwrap_or([0; 4])))
            }
            _ if v6.is_loopback() => Class::Loopback,
            [0xfe80..=0xfebf, ..] => Class::LinkLocal,
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Class::Private,
            [0xff00..=0xffff, ..] | [0, 0, 0, 0, 0, 0, ..] => Class::Special,
            _ => Class::Public,
        }
    }

    /// What a person would call it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Class::Public => "public",
            Class::Private => "in a private network",
            Class::LinkLocal => "link-local",
            Class::Loopback => "this machine",
            Class::Special => "no host's address",
        }
    }
}

/// Which addresses may be connected to.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// All.
    Anywhere,
    /// Public ones and those of these classes.
    Near(Vec<Class>),
}

impl Reach {
    /// As near as `host` is.
    pub(super) fn of(host: &str) -> Self {
        let addresses = (host.trim_start_matches('[').trim_end_matches(']'), 443).to_socket_addrs();
        Reach::Near(addresses.into_iter().flatten().map(|address| Class::of(address.ip())).collect())
    }

    pub(super) fn check(&self, address: IpAddr) -> Result<(), OutOfReach> {
        let class = Class::of(address);
        match self {
            Reach::Near(classes) if class != Class::Public && !classes.contains(&class) => Err(OutOfReach { address, class }),
            _ => Ok(()),
        }
    }

    /// Judges a host that is written as an address; a name is judged when it is resolved.
    pub(super) fn check_host(&self, host: &str) -> Result<(), OutOfReach> {
        let host = if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host };
        host.trim_start_matches('[').trim_end_matches(']').parse().map_or(Ok(()), |address| self.check(address))
    }
}

/// An address that the registry may not send us to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its address {address} is {}", .class.as_str())]
pub(super) struct OutOfReach {
    address: IpAddr,
    class: Class,
}

/// Resolves names, and gives only addresses within reach.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) reach: Reach,
    pub(super) resolver: DefaultResolver,
}

impl Resolver for Guarded {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        // The proxy is the user's word as the registry is.
        let is_proxy = config.proxy().is_some_and(|proxy| Some(proxy.host()) == uri.host());
        if !is_proxy {
            addresses
                .iter()
                .try_for_each(|address| self.reach.check(address.ip()))
                .map_err(|refused| ureq::Error::Other(Box::new(refused)))?;
        }
        Ok(addresses)
    }
}

/// Whether `host` is this machine by its name alone.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address| Class::of(address) == Class::Loopback)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let table = [
            (
                Class::Public,
                &["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1", "100.128.0.1"][..],
            ),
            (Class::Private, &["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]),
            (Class::LinkLocal, &["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "2002:a9fe:a9fe::1"]),
            (Class::Loopback, &["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]),
            (Class::Special, &["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"]),
        ];
        for (class, addresses) in table {
            for address in addresses {
                assert_eq!(Class::of(address.parse().unwrap()), class, "{address}");
            }
        }
    }

    #[test]
    fn others_must_be_public_or_as_near_as_the_registry() {
        let may = |registry: &[Class], address: &str| Reach::Near(registry.to_vec()).check(address.parse().unwrap()).is_ok();
        for internal in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "0.0.0.0"] {
            assert!(!may(&[Class::Public], internal) && !may(&[], internal), "{internal}");
        }
        assert!(may(&[Class::Public], "8.8.8.8") && may(&[Class::Loopback], "8.8.8.8"));
        assert!(may(&[Class::Private], "10.9.9.9") && !may(&[Class::Private], "169.254.169.254") && !may(&[Class::Loopback], "10.0.0.1"));
        assert!(Reach::Anywhere.check("127.0.0.1".parse().unwrap()).is_ok());
        assert!(Reach::of("[::1]").check_host("127.0.0.1").is_ok() && Reach::of("127.0.0.1").check_host("[fe80::1]").is_err());
        let refused = Reach::Near(vec![]).check_host("169.254.169.254").unwrap_err();
        assert_eq!(refused.to_string(), "its address 169.254.169.254 is link-local");
    }
}
