//! The start-up self-test: says in words when WebRTC cannot work on this host, or will be short of something.
//!
//! [`probe`] looks at the host (a shell); [`judge`] turns what it saw into findings (pure). Errors stop the program, warnings are logged.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::limits::{OPEN_FILES_RESERVE, UDP_BUFFER_WANTED, UDP_ECHO_TIMEOUT};

/// 2024-01-01. An earlier clock makes tokens and certificates invalid and media time useless.
const CLOCK_MIN_UNIX_S: u64 = 1_704_067_200;

/// What [`probe`] saw.
#[derive(Debug)]
pub struct Host {
    pub unix_s: u64,
    /// Addresses that could not be bound.
    pub unbound: Vec<(Transport, SocketAddr, io::ErrorKind)>,
    /// Why a datagram to ourselves did not come back.
    pub udp_echo: Result<(), io::ErrorKind>,
    /// Public addresses to which the host has no route.
    pub unrouted: Vec<IpAddr>,
    /// Whether any way leads out of this host.
    pub has_outside_address: bool,
    /// `None` where the system does not tell.
    pub rmem_max: Option<u64>,
    pub wmem_max: Option<u64>,
    pub open_files: Option<u64>,
}

/// What cannot be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Http,
    MediaTcp,
    MediaUdp,
}

/// One thing an operator should know, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The program cannot do its work.
    Error(String),
    /// It can, but will be short of something.
    Warning(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(text) => write!(f, "error: {text}"),
            Self::Warning(text) => write!(f, "warning: {text}"),
        }
    }
}

/// Looks at the host. Raises the open-file limit of this process as far as it may; binds nothing for longer than this call.
#[expect(clippy::disallowed_methods, reason = "a shell: judges the clock itself")]
pub fn probe(config: &Config) -> Host {
    let mut unbound = Vec::new();
    if let Err(error) = TcpListener::bind(config.listen) {
        unbound.push((Transport::Http, config.listen, error.kind()));
    }
    for address in media_addresses(config) {
        if let Err(error) = UdpSocket::bind(address) {
            unbound.push((Transport::MediaUdp, address, error.kind()));
        }
        if config.media_tcp
            && let Err(error) = TcpListener::bind(address)
        {
            unbound.push((Transport::MediaTcp, address, error.kind()));
        }
    }
    let loopback = if config.media_v4.is_some() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
    Host {
        unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        unbound,
        udp_echo: udp_echo(loopback).map_err(|error| error.kind()),
        unrouted: config.public_ips.iter().copied().filter(|&ip| !has_route(ip)).collect(),
        // Addresses of the documentation ranges (RFC 5737, RFC 3849): nothing is sent, only the routing table is asked.
        has_outside_address: has_route([192, 0, 2, 1].into()) || has_route(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
        rmem_max: sysctl("rmem_max"),
        wmem_max: sysctl("wmem_max"),
        open_files: raise_open_files(),
    }
}

/// What an operator should know about `host`, errors first.
pub fn judge(config: &Config, host: &Host) -> Vec<Finding> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    if host.unix_s < CLOCK_MIN_UNIX_S {
        errors.push("the clock of this host is before 2024: set it (tokens, certificates and media time need it)".to_owned());
    }
    for &(transport, address, kind) in &host.unbound {
        let words = cannot_bind(transport, address, kind);
        // A host without IPv6 serves IPv4.
        let is_spare = transport != Transport::Http && address.is_ipv6() && config.media_v4.is_some() && kind != io::ErrorKind::AddrInUse;
        let said = if is_spare { &mut warnings } else { &mut errors };
        // An address that is missing is missing for every worker.
        if !said.contains(&words) {
            said.push(words);
        }
    }
    if let Err(kind) = host.udp_echo {
        errors.push(format!("UDP does not work on this host: a datagram to ourselves did not come back ({kind}); look at its firewall"));
    }
    for ip in &host.unrouted {
        errors.push(format!("public_ip: there is no route to {ip} from this host, so its address family does not work here"));
    }
    if !config.listen.ip().is_loopback() {
        warnings.extend(shortages_of_a_public_server(config, host));
    }
    // A viewer's WebSocket, and its media where they come by TCP.
    let each = 1 + u64::from(config.media_tcp);
    let wanted = u64::from(config.max_viewers) * each + OPEN_FILES_RESERVE;
    if let Some(most) = host.open_files.filter(|&most| most < wanted) {
        warnings
            .push(format!("only {most} open files are allowed, {wanted} are needed for {} viewers: raise `ulimit -n`", config.max_viewers));
    }
    errors.into_iter().map(Finding::Error).chain(warnings.into_iter().map(Finding::Warning)).collect()
}

fn shortages_of_a_public_server(config: &Config, host: &Host) -> Vec<String> {
    let mut short = Vec::new();
    if !host.has_outside_address && config.public_ips.is_empty() {
        short.push("this host has no address but loopback: browsers elsewhere will get no media".to_owned());
    }
    if [config.media_v4.map(IpAddr::V4), config.media_v6.map(IpAddr::V6)].into_iter().flatten().all(|ip| ip.is_loopback()) {
        short.push("media_ip is loopback while `listen` is not: browsers elsewhere will get pages and no media".to_owned());
    }
    for (name, value) in [("rmem_max", host.rmem_max), ("wmem_max", host.wmem_max)] {
        if let Some(value) = value.filter(|&value| value < UDP_BUFFER_WANTED) {
            short.push(format!(
                "net.core.{name} is {value}: bursts will lose packets; `sysctl -w net.core.{name}={UDP_BUFFER_WANTED}` or more helps"
            ));
        }
    }
    short
}

fn cannot_bind(transport: Transport, address: SocketAddr, kind: io::ErrorKind) -> String {
    let (name, key) = match transport {
        Transport::Http => ("TCP", "listen"),
        Transport::MediaTcp => ("TCP", "media_port"),
        Transport::MediaUdp => ("UDP", "media_port"),
    };
    match kind {
        io::ErrorKind::AddrInUse => format!("{key}: {name} port {} is taken on {}: choose another", address.port(), address.ip()),
        io::ErrorKind::AddrNotAvailable => format!("{key}: this host has no address {}", address.ip()),
        io::ErrorKind::PermissionDenied => {
            format!("{key}: this user may not bind {name} port {}: choose one from 1024 on, or grant CAP_NET_BIND_SERVICE", address.port())
        }
        other => format!("{key}: {name} {address} cannot be bound: {other}"),
    }
}

/// Every address that the workers will bind; none when the system chooses the ports.
fn media_addresses(config: &Config) -> Vec<SocketAddr> {
    if config.media_port == 0 {
        return Vec::new();
    }
    let ips = [config.media_v4.map(IpAddr::V4), config.media_v6.map(IpAddr::V6)];
    let ports = (0..config.workers).map(|worker| config.media_port + u16::from(worker));
    ports.flat_map(|port| ips.into_iter().flatten().map(move |ip| SocketAddr::new(ip, port))).collect()
}

fn udp_echo(loopback: IpAddr) -> io::Result<()> {
    let [one, other] = [UdpSocket::bind((loopback, 0))?, UdpSocket::bind((loopback, 0))?];
    other.set_read_timeout(Some(UDP_ECHO_TIMEOUT))?;
    one.send_to(b"courtside", other.local_addr()?)?;
    let mut received = [0; 16];
    let (length, _) = other.recv_from(&mut received)?;
    if &received[..length] == b"courtside" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Connecting a UDP socket asks the routing table and sends nothing.
fn has_route(ip: IpAddr) -> bool {
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((ip, 9))).is_ok()
}

fn sysctl(name: &str) -> Option<u64> {
    std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok()?.trim().parse().ok()
}

/// The soft limit is a default for programs that use `select`; we may have what the hard limit allows.
fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KEYS, Origin, Raw};

    fn config(settings: &[(&str, &str)]) -> Config {
        let mut raw = Raw::default();
        for (name, value) in settings {
            let key = KEYS.iter().find(|key| key.toml == *name).unwrap();
            raw.offer(key, vec![(*value).to_owned()], Origin::Flag(key.flag));
        }
        Config::resolve(&raw, Vec::new()).unwrap()
    }

    fn healthy() -> Host {
        Host {
            unix_s: CLOCK_MIN_UNIX_S,
            unbound: Vec::new(),
            udp_echo: Ok(()),
            unrouted: Vec::new(),
            has_outside_address: true,
            rmem_max: Some(UDP_BUFFER_WANTED),
            wmem_max: None,
            open_files: Some(1_000_000),
        }
    }

    #[test]
    fn a_healthy_host_gives_no_finding() {
        assert_eq!(judge(&config(&[("listen", "0.0.0.0:7880")]), &healthy()), []);
    }

    #[test]
    fn what_stops_webrtc_is_an_error_in_words() {
        let address: SocketAddr = "127.0.0.1:7900".parse().unwrap();
        let host = Host {
            unix_s: 0,
            unbound: vec![(Transport::MediaUdp, address, io::ErrorKind::AddrInUse)],
            udp_echo: Err(io::ErrorKind::TimedOut),
            unrouted: vec![[203, 0, 113, 1].into()],
            ..healthy()
        };
        let findings = judge(&config(&[]), &host);
        assert!(findings.iter().all(|finding| matches!(finding, Finding::Error(_))));
        let text = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for expected in ["clock", "UDP port 7900 is taken", "UDP does not work", "no route to 203.0.113.1"] {
            assert!(text.contains(expected), "{expected} not in {text}");
        }
    }

    #[test]
    fn a_port_that_is_taken_for_tcp_alone_is_told_as_such() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, port) = (taken.local_addr().unwrap(), taken.local_addr().unwrap().port().to_string());
        let settings = [("listen", "127.0.0.1:0"), ("media_ip", "127.0.0.1"), ("media_port", &port), ("workers", "1")];
        let host = probe(&config(&settings));
        assert_eq!(host.unbound, [(Transport::MediaTcp, address, io::ErrorKind::AddrInUse)]);
        let text = judge(&config(&settings), &host).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(text.contains(&format!("media_port: TCP port {port} is taken")), "{text}");
        let udp_alone = [settings[0], settings[1], settings[2], settings[3], ("media_tcp", "false")];
        assert_eq!(probe(&config(&udp_alone)).unbound, []);
    }

    #[test]
    fn shortages_are_warnings_and_concern_public_servers() {
        let host =
            Host { has_outside_address: false, rmem_max: Some(212_992), wmem_max: Some(212_992), open_files: Some(1024), ..healthy() };
        let public = judge(&config(&[("listen", "0.0.0.0:7880"), ("media_ip", "127.0.0.1")]), &host);
        assert_eq!(public.len(), 5, "{public:?}");
        assert!(public.iter().all(|finding| matches!(finding, Finding::Warning(_))));
        assert_eq!(judge(&config(&[]), &host).len(), 1, "loopback: only the open files");
    }

    #[test]
    fn a_host_without_ipv6_is_served_over_ipv4() {
        let six: SocketAddr = "[::]:7900".parse().unwrap();
        let host = Host { unbound: vec![(Transport::MediaUdp, six, io::ErrorKind::AddrNotAvailable)], ..healthy() };
        let findings = judge(&config(&[("listen", "0.0.0.0:7880")]), &host);
        assert!(matches!(findings.as_slice(), [Finding::Warning(_)]), "{findings:?}");
    }

    #[test]
    fn a_taken_port_is_seen_on_the_real_host() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let config = config(&[("listen", "127.0.0.1:0"), ("media_ip", "127.0.0.1"), ("media_port", &port), ("workers", "1")]);
        let host = probe(&config);
        assert_eq!(host.unbound, [(Transport::MediaUdp, taken.local_addr().unwrap(), io::ErrorKind::AddrInUse)]);
    }
}
