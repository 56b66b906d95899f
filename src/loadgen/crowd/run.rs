//! Opens the sockets, one load on them, the figures.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::Url;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::clock;
use super::super::report::{Figure, Row, print};
use super::options::{CrowdOptions, Load};
use super::wire::{Member, Wire};
use super::{fanout, flood, reactions, slow};
use crate::limits::{CROWD_CONNECTING_MAX, CROWD_MAX};

/// Where the crowd goes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) server: SocketAddr,
    pub(super) url: Url,
    pub(super) broadcast: String,
}

/// A figure that has an aim, the largest value that counts as met, and whether it must be.
pub(super) type Aimed = (Row, Option<(f64, bool)>);

/// One that only informs.
pub(super) const fn plain(name: &'static str, value: f64, unit: &'static str) -> Aimed {
    ((name, value, unit), None)
}

/// One that must be met.
pub(super) const fn gated(name: &'static str, value: f64, unit: &'static str, aim: f64) -> Aimed {
    ((name, value, unit), Some((aim, true)))
}

/// Runs what the options ask for and prints the figures.
///
/// # Errors
/// An address that is not this machine's, a server that refuses, no frame where there should be some.
pub fn run(options: &CrowdOptions) -> anyhow::Result<()> {
    ensure!((1..=CROWD_MAX).contains(&options.sockets), "1 to {CROWD_MAX} sockets");
    let limit = getrlimit(Resource::Nofile);
    // When it is refused, opening the sockets says so.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(crowd(options))
}

async fn crowd(options: &CrowdOptions) -> anyhow::Result<()> {
    let url = Url::parse(&options.url).with_context(|| format!("{} is not an address", options.url))?;
    let (host, port) = (url.host_str().context("no host")?, url.port_or_known_default().context("no port")?);
    let server = (host, port).to_socket_addrs()?.next().context("no address")?;
    ensure!(server.ip().is_loopback(), "{} is not this machine", server.ip());
    let place = Place { server, url, broadcast: options.broadcast.clone() };
    let (rows, conditions) = match options.load {
        Load::Fanout => fanout::measure(&place, options).await?,
        Load::Flood => flood::measure(&place, options).await?,
        Load::Reactions => reactions::measure(&place, options).await?,
        Load::Slow => slow::measure(&place, options).await?,
    };
    let figure = |((name, value, unit), aim): Aimed| {
        let (aim, gate) = aim.unzip();
        Figure { name, value, unit, aim, gate: gate.unwrap_or(false), conditions: conditions.clone() }
    };
    print(&rows.into_iter().map(figure).collect::<Vec<_>>(), options.json);
    Ok(())
}

/// So many sockets, open and, unless `bare`, in the chat; the first ones with these tokens, the others as guests.
pub(super) async fn open_all(place: &Place, sockets: usize, bare: bool, tokens: Vec<String>) -> anyhow::Result<Vec<Member>> {
    let connecting = Arc::new(Semaphore::new(CROWD_CONNECTING_MAX));
    let mut opening = JoinSet::new();
    let mut tokens = tokens.into_iter();
    for index in 0..sockets {
        let (place, connecting, token) = (place.clone(), Arc::clone(&connecting), tokens.next());
        opening.spawn(async move {
            let _permit = connecting.acquire_owned().await?;
            let member = if bare {
                Member { wire: Wire::open(place.server, index, &place.url, None).await?, user: String::new() }
            } else {
                Member::enter(&place, index, token.as_deref(), None).await?.0
            };
            anyhow::Ok((index, member))
        });
    }
    let mut members = Vec::with_capacity(sockets);
    while let Some(opened) = opening.join_next().await {
        members.push(opened?.context("a socket did not open")?);
    }
    members.sort_unstable_by_key(|(index, _)| *index);
    Ok(members.into_iter().map(|(_, member)| member).collect())
}

/// CPU of the server and of this process since a moment.
pub(super) struct Spent {
    server_pid: u32,
    at: Instant,
    server: Duration,
    own: Duration,
}

impl Spent {
    pub(super) fn from_now(server_pid: u32) -> Self {
        Self { server_pid, at: clock::now(), server: clock::process_cpu(server_pid), own: clock::own_cpu() }
    }

    pub(super) fn seconds(&self) -> f64 {
        clock::now().duration_since(self.at).as_secs_f64()
    }

    /// In cores: the server's, and ours.
    pub(super) fn cores(&self) -> (f64, f64) {
        let server = clock::process_cpu(self.server_pid).saturating_sub(self.server);
        let own = clock::own_cpu().saturating_sub(self.own);
        (server.as_secs_f64() / self.seconds(), own.as_secs_f64() / self.seconds())
    }
}
