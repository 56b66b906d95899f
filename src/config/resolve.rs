//! The resolved configuration, and every reason why there is none.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::keys::{KEYS, Key};
use crate::config::parse::{self, Expected};
use crate::config::raw::{Origin, Raw};
use crate::limits;

/// Everything the program needs to know to start. See `docs/configuration.md` for meanings.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// Worker `i` binds `media_port + i`; 0: any free ports.
    pub media_port: u16,
    /// Media over TCP too, on the same port numbers.
    pub media_tcp: bool,
    /// What the media sockets bind; at least one of the two is set.
    pub media_v4: Option<Ipv4Addr>,
    pub media_v6: Option<Ipv6Addr>,
    /// Empty: what is bound is announced.
    pub public_ips: Vec<IpAddr>,
    /// Where worker 0 is announced, worker `i` at this port plus `i`; when there are any, nothing else is announced.
    pub advertise: Vec<SocketAddr>,
    /// Without a slash at the end.
    pub public_url: Option<String>,
    pub workers: u8,
    pub max_viewers: u32,
    /// Mbit/s.
    pub max_egress_mbps: Option<u32>,
    /// `None`: the default bound, and none for loopback.
    pub connections_per_address: Option<u32>,
    pub data_dir: PathBuf,
    /// `None`: SQLite in the data directory. A secret because it may have a password.
    pub database_url: Option<Secret>,
    /// Anybody may make an account.
    pub open_sign_up: bool,
    /// `None`: letters are written to the log.
    pub mail: Option<MailConfig>,
    pub open_publish: bool,
    pub open_view: bool,
    pub tls: Tls,
    /// STUN and TURN URLs.
    pub ice_servers: Vec<String>,
    pub turn_secret: Option<Secret>,
    /// Empty: this node is alone. One: a server. Several: a cluster. URLs may contain passwords.
    pub redis: Vec<Secret>,
    /// How long chats are kept in the store.
    pub chat_kept_days: u32,
    /// `None`: no HLS.
    pub hls: Option<HlsConfig>,
    pub log: LogConfig,
}

/// Whether and how HTTP is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    Off,
    Files {
        cert: PathBuf,
        key: PathBuf,
    },
    /// Names besides localhost and the loopback addresses.
    SelfSigned {
        sans: Vec<String>,
    },
}

/// How letters are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailConfig {
    pub smtp_url: Secret,
    /// A mailbox: an address, perhaps with a name.
    pub from: String,
}

/// The HLS fallback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HlsConfig {
    /// Length of a part, ms.
    pub part_ms: u32,
    /// `None`: sound is Opus alone.
    pub encoder: Option<String>,
    /// A picture of one layer, or one that players do not take, is made in several sizes.
    pub ladder: bool,
    /// `None`: nothing is recorded.
    pub dvr: Option<DvrConfig>,
}

/// Recordings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DvrConfig {
    /// `None`: in the data directory.
    pub dir: Option<PathBuf>,
    /// `None`: media are in the directory too.
    pub bucket: Option<String>,
    pub window: Duration,
    pub bytes_max: u64,
    pub retention: Duration,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// A text that never reaches a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The TOML spelling.
    pub key: String,
    /// Where the wrong value came from; `None` when a value is missing.
    pub origin: Option<Origin>,
    /// Completes "`key` ...".
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} ({origin}): {}", self.key, self.what),
            None => write!(f, "{}: {}", self.key, self.what),
        }
    }
}

/// Everything that is wrong, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Config {
    /// Resolves raw texts. `problems` are those found while reading them.
    ///
    /// # Errors
    /// All problems together.
    pub fn resolve(raw: &Raw, problems: Vec<Problem>) -> Result<Self, ConfigErrors> {
        let mut read = Reader { raw, problems };
        let listen = read.one("listen", parse::socket_address);
        let media_port = read.one("media_port", parse::port);
        let media_tcp = read.one("media_tcp", parse::switch);
        let mut media_ips = read.many("media_ip", parse::ip);
        let public_ips = read.many("public_ip", parse::public_ip);
        let advertise = read.many("advertise", parse::advertised);
        let public_url = read.optional("public_url", parse::origin);
        let workers = read.optional("workers", parse::workers).unwrap_or_else(cores);
        let max_viewers = read.one("max_viewers", parse::count);
        let max_egress_mbps = read.optional("max_egress_mbps", parse::count);
        let connections_per_address = read.optional("connections_per_address", parse::count);
        let data_dir = read.one("data_dir", parse::path);
        let database_url = read.optional("database_url", parse::database_url).map(Secret);
        let open_sign_up = read.one("open_sign_up", parse::switch);
        let mail = read.mail();
        let open_publish = read.one("open_publish", parse::switch);
        let open_view = read.one("open_view", parse::switch);
        let tls = read.tls();
        let ice_servers = read.many("ice_server", parse::ice_url);
        let turn_secret = read.optional("turn_secret", parse::secret).map(Secret);
        let redis = read.many("redis", parse::redis_url).into_iter().map(Secret).collect();
        let chat_kept_days = read.one("chat_kept_days", parse::days);
        let filter = read.one("log", parse::filter);
        let format = read.one("log_format", |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("`text` or `json`"),
        });

        if let (Some(first), true) = (media_port, media_port != Some(0))
            && u32::from(first) + u32::from(workers) > 65_536
        {
            read.wrong("media_port", format!("{first} leaves no room for {workers} workers: the last port is 65535"));
        }
        if let (Some(first), Some(listen), Some(true)) = (media_port, listen, media_tcp)
            && first != 0
            && (u32::from(first)..u32::from(first) + u32::from(workers)).contains(&u32::from(listen.port()))
        {
            read.wrong(
                "media_port",
                format!(
                    "{first} and {workers} workers take TCP port {} from `listen`: choose another, or `media_tcp = false`",
                    listen.port()
                ),
            );
        }
        if let Some(first) = advertise.iter().find(|first| u32::from(first.port()) + u32::from(workers) > 65_536) {
            read.wrong("advertise", format!("{first} leaves no room for {workers} workers: the last port is 65535"));
        }
        if media_ips.is_empty() {
            // Wider than HTTP on purpose: Firefox sends no ICE check to a loopback candidate, and an unauthenticated datagram gets no answer.
            media_ips = vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        }
        let media_v4: Vec<_> = media_ips.iter().filter_map(|ip| if let IpAddr::V4(v4) = ip { Some(*v4) } else { None }).collect();
        let media_v6: Vec<_> = media_ips.iter().filter_map(|ip| if let IpAddr::V6(v6) = ip { Some(*v6) } else { None }).collect();
        if media_v4.len() > 1 || media_v6.len() > 1 {
            read.wrong("media_ip", "must be at most one IPv4 and one IPv6 address (0.0.0.0 and [::] stand for all)".to_owned());
        }
        let (media_v4, media_v6) = (media_v4.first().copied(), media_v6.first().copied());
        let hls = read.hls();
        if turn_secret.is_none() && ice_servers.iter().any(|url| url.starts_with("turn")) {
            read.missing("turn_secret", "must be set when `ice_server` names a TURN server");
        }

        let (Some(listen), Some(media_port), Some(max_viewers), Some(data_dir), Some(chat_kept_days)) =
            (listen, media_port, max_viewers, data_dir, chat_kept_days)
        else {
            return Err(ConfigErrors(read.problems));
        };
        let switches = (media_tcp, open_publish, open_view, open_sign_up);
        let ((Some(media_tcp), Some(open_publish), Some(open_view), Some(open_sign_up)), Some(tls), Some(filter), Some(format)) =
            (switches, tls, filter, format)
        else {
            return Err(ConfigErrors(read.problems));
        };
        let Some(hls) = hls.filter(|_| read.problems.is_empty()) else { return Err(ConfigErrors(read.problems)) };
        Ok(Self {
            listen,
            media_port,
            media_tcp,
            media_v4,
            media_v6,
            public_ips,
            advertise,
            public_url,
            workers,
            max_viewers,
            max_egress_mbps,
            connections_per_address,
            data_dir,
            database_url,
            open_sign_up,
            mail,
            open_publish,
            open_view,
            tls,
            ice_servers,
            turn_secret,
            redis,
            chat_kept_days,
            hls,
            log: LogConfig { filter, format },
        })
    }
}

fn cores() -> u8 {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores.min(limits::WORKERS_MAX) as u8
}

/// Reads keys and keeps going when one is wrong: `None` then stands for a value, and a problem is noted.
struct Reader<'raw> {
    raw: &'raw Raw,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn one<T>(&mut self, toml: &'static str, parse: impl Fn(&str) -> Result<T, Expected>) -> Option<T> {
        match self.raw.get(toml) {
            Some((values, origin)) => {
                let text = values.first().map_or("", String::as_str);
                parse(text).map_err(|expected| self.refuse(toml, origin, text, expected)).ok()
            }
            None => {
                let default = key(toml).default.expect("keys read by `one` have a default");
                Some(parse(default).unwrap_or_else(|expected| panic!("the default of {toml} must be {expected}")))
            }
        }
    }

    fn optional<T>(&mut self, toml: &'static str, parse: impl Fn(&str) -> Result<T, Expected>) -> Option<T> {
        self.raw.get(toml).is_some().then(|| self.one(toml, parse)).flatten()
    }

    fn many<T>(&mut self, toml: &'static str, parse: impl Fn(&str) -> Result<T, Expected>) -> Vec<T> {
        let Some((values, origin)) = self.raw.get(toml) else { return Vec::new() };
        let mut parsed = Vec::new();
        for text in values {
            match parse(text) {
                Ok(value) => parsed.push(value),
                Err(expected) => self.refuse(toml, origin, text, expected),
            }
        }
        parsed
    }

    fn tls(&mut self) -> Option<Tls> {
        let cert = self.optional("tls_cert", parse::path);
        let key = self.optional("tls_key", parse::path);
        let self_signed = self.one("tls_self_signed", parse::switch)?;
        let sans = self.many("tls_san", parse::host);
        match (cert, key, self_signed) {
            (Some(_), _, true) | (_, Some(_), true) => {
                self.wrong("tls_self_signed", "must be false when `tls_cert` and `tls_key` are set".to_owned());
                None
            }
            (Some(cert), Some(key), false) => Some(Tls::Files { cert, key }),
            (Some(_), None, false) => {
                self.missing("tls_key", "must be set together with `tls_cert`");
                None
            }
            (None, Some(_), false) => {
                self.missing("tls_cert", "must be set together with `tls_key`");
                None
            }
            (None, None, true) => Some(Tls::SelfSigned { sans }),
            (None, None, false) if !sans.is_empty() => {
                self.wrong("tls_san", "must go with `tls_self_signed`".to_owned());
                None
            }
            (None, None, false) => Some(Tls::Off),
        }
    }

    fn hls(&mut self) -> Option<Option<HlsConfig>> {
        let is_on = self.one("hls", parse::switch);
        let part_ms = self.one("hls_part_ms", parse::part_ms);
        let encoder = self.one("hls_encoder", parse::program)?;
        let ladder = self.one("hls_ladder", parse::switch)?;
        let dvr = self.dvr()?;
        if is_on == Some(false) && dvr.is_some() {
            self.wrong("dvr", "needs `hls`".to_owned());
        }
        let config = HlsConfig { part_ms: part_ms?, encoder, ladder, dvr };
        Some(is_on?.then_some(config))
    }

    fn dvr(&mut self) -> Option<Option<DvrConfig>> {
        let is_on = self.one("dvr", parse::switch);
        let dir = self.optional("dvr_dir", parse::path);
        let bucket = self.optional("dvr_bucket", parse::bucket);
        let window_min = self.one("dvr_window_min", parse::window_min);
        let max_gb = self.one("dvr_max_gb", parse::gigabytes);
        let kept_hours = self.one("replay_kept_hours", parse::hours);
        let config = DvrConfig {
            dir,
            bucket,
            window: Duration::from_secs(window_min? * 60),
            bytes_max: max_gb? * 1_000_000_000,
            retention: Duration::from_secs(kept_hours? * 3600),
        };
        Some(is_on?.then_some(config))
    }

    fn mail(&mut self) -> Option<MailConfig> {
        let smtp_url = self.optional("smtp_url", parse::smtp_url);
        let from = self.optional("mail_from", parse::mailbox);
        match (smtp_url, from) {
            (Some(smtp_url), Some(from)) => Some(MailConfig { smtp_url: Secret(smtp_url), from }),
            (Some(_), None) if self.raw.get("mail_from").is_none() => {
                self.missing("mail_from", "must be set together with `smtp_url`");
                None
            }
            _ => None,
        }
    }

    fn refuse(&mut self, toml: &'static str, origin: &Origin, text: &str, expected: Expected) {
        // A mistyped secret is still nearly the secret.
        let shown = if key(toml).is_secret() { "the value given".to_owned() } else { format!("`{text}`") };
        self.problems.push(Problem {
            key: toml.to_owned(),
            origin: Some(origin.clone()),
            what: format!("{shown} is not right; it must be {expected}"),
        });
    }

    fn wrong(&mut self, toml: &'static str, what: String) {
        let origin = self.raw.get(toml).map(|(_, origin)| origin.clone());
        self.problems.push(Problem { key: toml.to_owned(), origin, what });
    }

    fn missing(&mut self, toml: &'static str, what: &str) {
        self.problems.push(Problem { key: toml.to_owned(), origin: None, what: what.to_owned() });
    }
}

fn key(toml: &str) -> &'static Key {
    KEYS.iter().find(|key| key.toml == toml).expect("only keys of the table are read")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn from_toml(text: &str) -> Result<Config, ConfigErrors> {
        let mut raw = Raw::default();
        let mut problems = Vec::new();
        raw.offer_toml(text, Path::new("test.toml"), &mut problems);
        Config::resolve(&raw, problems)
    }

    #[test]
    fn defaults_serve_loopback_in_the_clear() {
        let config = from_toml("").expect("it is right");
        assert_eq!(config.listen.to_string(), "127.0.0.1:7880");
        assert_eq!((config.media_v4, config.media_v6), (Some(Ipv4Addr::UNSPECIFIED), Some(Ipv6Addr::UNSPECIFIED)));
        assert_eq!(config.tls, Tls::Off);
        assert!(config.open_view && !config.open_publish && config.workers >= 1);
    }

    #[test]
    fn media_is_bound_everywhere_unless_told_otherwise() {
        let bound = |text| from_toml(text).map(|config| (config.media_v4, config.media_v6)).expect("it is right");
        assert_eq!(bound("media_ip = ['::1']"), (None, Some(Ipv6Addr::LOCALHOST)));
        assert_eq!(bound("listen = '0.0.0.0:1'"), (Some(Ipv4Addr::UNSPECIFIED), Some(Ipv6Addr::UNSPECIFIED)));
        assert_eq!(bound("listen = '0.0.0.0:1'\nmedia_ip = ['10.0.0.1']"), (Some(Ipv4Addr::new(10, 0, 0, 1)), None));
        assert!(from_toml("media_ip = ['10.0.0.1', '10.0.0.2']").is_err());
    }

    #[test]
    fn media_over_tcp_and_http_cannot_share_a_port() {
        let text = from_toml("listen = '0.0.0.0:443'\nmedia_port = 442\nworkers = 2").unwrap_err().to_string();
        assert!(text.contains("442 and 2 workers take TCP port 443 from `listen`"), "{text}");
        for fine in ["media_tcp = false", "workers = 1"] {
            let workers = if fine.starts_with('w') { "" } else { "workers = 2\n" };
            from_toml(&format!("listen = '0.0.0.0:443'\nmedia_port = 442\n{workers}{fine}")).expect("it is right");
        }
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_key_and_what_would_be_right() {
        let errors = from_toml(
            "listen = 'nowhere'\nmedia_port = 65535\nworkers = 4\nmax_viewers = 0\ntls_cert = 'a.pem'\nice_server = ['http://x', 'turn:t']\n\
             lissten = 'x'\nopen_publish = 'maybe'\nlog_format = 'xml'\npublic_ip = ['0.0.0.0', '8.8.8.8']\nadvertise = ['1.2.3.4', '1.2.3.4:65535']",
        )
        .unwrap_err();
        let text = errors.to_string();
        for expected in [
            "listen (test.toml): `nowhere` is not right; it must be an address and a port",
            "media_port (test.toml): 65535 leaves no room for 4 workers",
            "max_viewers (test.toml): `0`",
            "tls_key: must be set together with `tls_cert`",
            "ice_server (test.toml): `http://x`",
            "turn_secret: must be set",
            "lissten (test.toml): there is no such key; did you mean `listen`?",
            "open_publish (test.toml): must be true or false",
            "log_format (test.toml): `xml` is not right; it must be `text` or `json`",
            "public_ip (test.toml): `0.0.0.0`",
            "advertise (test.toml): `1.2.3.4` is not right; it must be an address and a port that browsers can reach",
        ] {
            assert!(text.contains(expected), "{expected}\nnot in\n{text}");
        }
        assert_eq!(errors.0.len(), 12, "{text}");
    }

    #[test]
    fn the_nearest_place_wins() {
        let listen = &KEYS[0];
        let mut raw = Raw::default();
        raw.offer(listen, vec!["127.0.0.1:1".into()], Origin::Flag("listen"));
        raw.offer(listen, vec!["127.0.0.1:2".into()], Origin::Env("COURTSIDE_LISTEN"));
        raw.offer_toml("listen = '127.0.0.1:3'", Path::new("test.toml"), &mut Vec::new());
        assert_eq!(Config::resolve(&raw, Vec::new()).expect("it is right").listen.port(), 1);
    }

    #[test]
    fn secrets_are_shown_neither_in_problems_nor_in_debug_output() {
        let text = from_toml("turn_secret = 'hunter2'").unwrap_err().to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let config = from_toml("turn_secret = 'correct horse'").expect("it is right");
        assert!(!format!("{config:?}").contains("horse"));
        assert_eq!(config.turn_secret.expect("it is set").expose(), "correct horse");
    }

    #[test]
    fn self_signed_names_need_self_signing() {
        assert!(from_toml("tls_san = ['example.org']").is_err());
        let config = from_toml("tls_self_signed = true\ntls_san = ['Example.org', '10.0.0.1']").expect("it is right");
        assert_eq!(config.tls, Tls::SelfSigned { sans: vec!["example.org".into(), "10.0.0.1".into()] });
        assert!(from_toml("tls_self_signed = true\ntls_cert = 'a'\ntls_key = 'b'").is_err());
    }

    #[test]
    fn databases_and_mail_servers_are_checked_and_their_passwords_hidden() {
        let config =
            from_toml("database_url = 'postgres://u:hunter2@db/x'\nsmtp_url = 'smtps://u:hunter2@mail'\nmail_from = 'A <a@b.org>'")
                .expect("it is right");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.mail.expect("it is set").smtp_url.expose(), "smtps://u:hunter2@mail");
        let text = from_toml("database_url = 'mysql://u:hunter2@db/x'\nsmtp_url = 'mail:hunter2@x'\nmail_from = 'nobody'")
            .unwrap_err()
            .to_string();
        for key in ["database_url", "smtp_url", "mail_from (test.toml): `nobody`"] {
            assert!(text.contains(key), "{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        let text = from_toml("smtp_url = 'smtp://mail?tls=required'").unwrap_err().to_string();
        assert!(text.contains("mail_from: must be set together"), "{text}");
    }

    #[test]
    fn recordings_need_what_they_are_made_of_and_are_bounded() {
        let hls = from_toml("dvr = true\ndvr_window_min = 5\ndvr_bucket = 's3://match/day'").expect("it is right").hls.expect("HLS is on");
        let dvr = hls.dvr.expect("it records");
        assert_eq!((dvr.window.as_secs(), dvr.bytes_max, dvr.retention.as_secs()), (300, 50_000_000_000, 86_400));
        assert_eq!(dvr.bucket.as_deref(), Some("s3://match/day"));
        assert_eq!(from_toml("").expect("it is right").hls.expect("HLS is on").dvr, None);
        let text =
            from_toml("dvr = true\nhls = false\ndvr_window_min = 0\ndvr_max_gb = 0\nreplay_kept_hours = 9999\ndvr_bucket = 'gs://x'")
                .unwrap_err()
                .to_string();
        for key in ["dvr_window_min", "dvr_max_gb", "replay_kept_hours", "dvr_bucket"] {
            assert!(text.contains(&format!("{key} (test.toml)")), "{text}");
        }
        let text = from_toml("dvr = true\nhls = false").unwrap_err().to_string();
        assert!(text.contains("dvr (test.toml): needs `hls`"), "{text}");
    }

    #[test]
    fn every_default_parses() {
        Config::resolve(&Raw::default(), Vec::new()).expect("it is right");
    }
}
