//! What the crowd can be told.

/// What the crowd does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Load {
    /// Some speak, everybody listens: what a frame and a socket cost.
    Fanout,
    /// Everybody speaks, far more than anybody reads: whether what is never left out arrives, and when.
    Flood,
    /// Everybody taps reactions: whether the sums are right, and what they cost.
    Reactions,
    /// Some speak, one reads slowly, now and then: what the others feel of it.
    Slow,
}

/// Opens thousands of WebSockets to a chat and measures what the server pays for them, and what they hear.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "courtside-crowd", version)]
pub struct CrowdOptions {
    /// What the crowd does.
    #[arg(long, value_enum, default_value_t = Load::Fanout)]
    pub load: Load,
    /// The WebSocket's address.
    #[arg(long, default_value = "ws://127.0.0.1:7880/v1/ws")]
    pub url: String,
    /// The broadcast whose chat is entered. A flood makes it, with an account for its broadcaster and seven more.
    #[arg(long, default_value = "load")]
    pub broadcast: String,
    /// Open sockets.
    #[arg(long, default_value_t = 3000)]
    pub sockets: usize,
    /// Only listens after the handshake: for servers that are not Courtside.
    #[arg(long, conflicts_with = "load")]
    pub bare: bool,
    /// Where `--bare` posts its messages, as nchan takes them.
    #[arg(long, requires = "bare")]
    pub post: Option<String>,
    /// Messages a second that are sent; 0: nothing is said, memory alone is measured. In a flood by all sockets, each as often as the others:
    /// what is more than one each 1.5 s from a person, the chat refuses.
    #[arg(long, default_value_t = 10.0)]
    pub messages_per_s: f64,
    /// Characters of a message, so that a frame has the size wished for.
    #[arg(long, default_value_t = 120)]
    pub characters: usize,
    /// Taps a second of all sockets together.
    #[arg(long, default_value_t = 100_000.0)]
    pub taps_per_s: f64,
    /// How often each socket sends what it has merged; as often as the web client.
    #[arg(long, default_value_t = 4.0)]
    pub reacts_per_s: f64,
    /// Bytes a second that the slow reader reads.
    #[arg(long, default_value_t = 1024)]
    pub slow_bytes_per_s: usize,
    /// Pairs of turns, without and with the slow reader.
    #[arg(long, default_value_t = 3)]
    pub turns: usize,
    /// Measured, in seconds; of a slow reader each turn.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// The server's process.
    #[arg(long)]
    pub server_pid: u32,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}
