//! Every configuration key: its spelling in the three places, its default, its meaning.

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// In the TOML file; also how problems name it.
    pub toml: &'static str,
    /// Without the leading `--`.
    pub flag: &'static str,
    pub env: &'static str,
    /// What stands for the value in help.
    pub value: &'static str,
    pub kind: Kind,
    /// As text; `None` where absence has a meaning of its own.
    pub default: Option<&'static str>,
    pub help: &'static str,
}

impl Key {
    /// Whether values are shown to nobody.
    pub fn is_secret(&self) -> bool {
        matches!(self.toml, "turn_secret" | "database_url" | "smtp_url" | "redis")
    }
}

/// How many values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    One,
    /// The flag may be repeated, the variable is separated by commas, the TOML value is a list.
    Many,
    /// `true` or `false`; the bare flag means `true`.
    Switch,
}

macro_rules! keys {
    ($($toml:ident $flag:literal $env:literal $value:literal $kind:ident $default:expr, $help:literal;)*) => {
        /// Every key, in the order of `docs/configuration.md`.
        pub const KEYS: &[Key] = &[$(Key {
            toml: stringify!($toml), flag: $flag, env: $env, value: $value, kind: Kind::$kind, default: $default, help: $help,
        }),*];
    };
}

keys! {
    listen "listen" "COURTSIDE_LISTEN" "ADDR:PORT" One Some("127.0.0.1:7880"),
        "Where HTTP and WebSocket are served. Port 0 takes any free port.";
    media_port "media-port" "COURTSIDE_MEDIA_PORT" "PORT" One Some("7900"),
        "First port for media; worker i uses this plus i. 0 takes any free ports.";
    media_tcp "media-tcp" "COURTSIDE_MEDIA_TCP" "BOOL" Switch Some("true"),
        "Media over TCP too, on the same port numbers, for clients whose network lets no UDP through.";
    media_ip "media-ip" "COURTSIDE_MEDIA_IP" "IP" Many None,
        "Addresses the media sockets bind to, at most one of each family. Default: every address, also when `listen` is loopback, because Firefox does not connect to loopback candidates.";
    public_ip "public-ip" "COURTSIDE_PUBLIC_IP" "IP" Many None,
        "Addresses announced to browsers instead of those bound, for hosts behind 1:1 NAT.";
    advertise "advertise" "COURTSIDE_ADVERTISE" "ADDR:PORT" Many None,
        "Addresses and first ports announced to browsers instead, where a router or a relay forwards other port numbers; worker i is announced at this port plus i.";
    public_url "public-url" "COURTSIDE_PUBLIC_URL" "URL" One None,
        "Address under which people reach this server, for links in answers. Default: what `listen` says.";
    workers "workers" "COURTSIDE_WORKERS" "N" One None,
        "Media threads, each with its own port. Default: one per core.";
    max_viewers "max-viewers" "COURTSIDE_MAX_VIEWERS" "N" One Some("5000"),
        "Media peers of this node; further ones are told that it is full.";
    max_egress_mbps "max-egress-mbps" "COURTSIDE_MAX_EGRESS_MBPS" "N" One None,
        "Megabits per second that viewers' media may take. From 85 % of it on, the newest viewers watch by HLS. Default: no bound but the cores'.";
    connections_per_address "connections-per-address" "COURTSIDE_CONNECTIONS_PER_ADDRESS" "N" One None,
        "HTTP connections from one address (IPv6: one /64). Default: 512, and no limit for loopback addresses.";
    data_dir "data-dir" "COURTSIDE_DATA_DIR" "DIR" One Some(".data"),
        "Database, signing key and certificates live here.";
    database_url "database-url" "COURTSIDE_DATABASE_URL" "URL" One None,
        "Where accounts and broadcasts are kept: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Default: SQLite in the data directory.";
    open_sign_up "open-sign-up" "COURTSIDE_OPEN_SIGN_UP" "BOOL" Switch Some("true"),
        "Anybody may make an account.";
    smtp_url "smtp-url" "COURTSIDE_SMTP_URL" "URL" One None,
        "Mail server for letters to account holders: `smtps://USER:PASSWORD@HOST:PORT`, or `smtp://…?tls=required` for STARTTLS. Default: letters are written to the log.";
    mail_from "mail-from" "COURTSIDE_MAIL_FROM" "ADDRESS" One None,
        "Sender of those letters, such as `Courtside <no-reply@sport.example.org>`. Needed with `smtp_url`.";
    open_publish "open-publish" "COURTSIDE_OPEN_PUBLISH" "BOOL" Switch Some("false"),
        "Anybody may go live without a token.";
    open_view "open-view" "COURTSIDE_OPEN_VIEW" "BOOL" Switch Some("true"),
        "Anybody may watch without a token. `--closed-view` is short for `--open-view=false`.";
    tls_cert "tls-cert" "COURTSIDE_TLS_CERT" "FILE" One None,
        "Certificate chain (PEM). With `tls_key`, HTTPS instead of HTTP.";
    tls_key "tls-key" "COURTSIDE_TLS_KEY" "FILE" One None,
        "Private key (PEM) of `tls_cert`.";
    tls_self_signed "tls-self-signed" "COURTSIDE_TLS_SELF_SIGNED" "BOOL" Switch Some("false"),
        "HTTPS with a certificate made here and kept in the data directory.";
    tls_san "tls-san" "COURTSIDE_TLS_SAN" "NAME" Many None,
        "Host names and addresses in the self-signed certificate, besides localhost, 127.0.0.1 and ::1.";
    ice_server "ice-server" "COURTSIDE_ICE_SERVER" "URL" Many None,
        "STUN and TURN servers named to browsers: stun:, stuns:, turn: or turns: URLs.";
    turn_secret "turn-secret" "COURTSIDE_TURN_SECRET" "SECRET" One None,
        "Secret shared with the TURN servers, from which short-lived credentials are made.";
    redis "redis" "COURTSIDE_REDIS" "URL" Many None,
        "Redis 7 or newer, over which several nodes share chats, reactions and viewer counts. One URL: one server; several: nodes of one cluster. Default: none, this node is alone.";
    chat_kept_days "chat-kept-days" "COURTSIDE_CHAT_KEPT_DAYS" "DAYS" One Some("30"),
        "How long chats, reports and what moderators did are kept in the database, 1 to 3650 days.";
    hls "hls" "COURTSIDE_HLS" "BOOL" Switch Some("true"),
        "HLS and DASH at `/hls/{broadcast}/`, for viewers whom WebRTC cannot reach. Costs nothing while nobody asks for it.";
    hls_part_ms "hls-part-ms" "COURTSIDE_HLS_PART_MS" "MS" One Some("334"),
        "Length of a part, 100 to 1000 ms. Shorter: less latency, more requests; longer: for sources of fewer than 10 pictures a second.";
    hls_encoder "hls-encoder" "COURTSIDE_HLS_ENCODER" "PROGRAM" One Some("ffmpeg"),
        "Program that turns Opus into AAC for players without Opus (Apple's among them), makes ladders, and puts a guest on air beside the main picture and sound; empty: none.";
    hls_ladder "hls-ladder" "COURTSIDE_HLS_LADDER" "BOOL" Switch Some("true"),
        "Makes smaller sizes of a picture that has one layer, and H.264 of VP8, which players do not take. Each takes most of a core, so half as many as there are cores at once; needs `hls_encoder`. Guests on air are composed also where this is off.";
    dvr "dvr" "COURTSIDE_DVR" "BOOL" Switch Some("false"),
        "Records every broadcast: viewers can rewind it while it is live, and watch the replay when it has ended. Needs `hls`; packages broadcasts also while nobody asks for it.";
    dvr_dir "dvr-dir" "COURTSIDE_DVR_DIR" "DIR" One None,
        "Where recordings are kept. Default: `recordings` in the data directory.";
    dvr_bucket "dvr-bucket" "COURTSIDE_DVR_BUCKET" "URL" One None,
        "Keeps the media of recordings in a bucket, `s3://BUCKET` or `s3://BUCKET/PREFIX`, and only their index in `dvr_dir`. Credentials, region and endpoint are those of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT` and the like.";
    dvr_window_min "dvr-window-min" "COURTSIDE_DVR_WINDOW_MIN" "MINUTES" One Some("120"),
        "How far a live broadcast can be rewound, and so how much of it a replay has, 1 to 720 minutes.";
    dvr_max_gb "dvr-max-gb" "COURTSIDE_DVR_MAX_GB" "GB" One Some("50"),
        "What all recordings may have together, 1 to 100000 gigabytes (10^9 bytes). More: the oldest replays go, then the oldest part of the largest recording.";
    replay_kept_hours "replay-kept-hours" "COURTSIDE_REPLAY_KEPT_HOURS" "HOURS" One Some("24"),
        "How long a replay is kept, 0 to 8760 hours. 0: there are no replays.";
    log "log" "COURTSIDE_LOG" "FILTER" One Some("info"),
        "What is logged: a level, or a tracing filter such as `info,courtside::sfu=debug`.";
    log_format "log-format" "COURTSIDE_LOG_FORMAT" "FORMAT" One Some("text"),
        "`text` for people, `json` for machines.";
}
