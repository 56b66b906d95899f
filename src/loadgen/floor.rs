//! The floor under any fan-out on this machine: per packet one seal with AES-128-GCM under the viewer's own key, and UDP to the
//! viewer's own socket, in runs of R equal packets with segmentation offload as the server sends them. Nothing else.
//!
//! Two floors: a tight loop, with everything in the caches and nobody waiting at the sockets; and one at the pace of a broadcast, a run
//! to each viewer 30 times a second while tasks wait at the sockets, so that each send pays for cold caches and for waking its receiver
//! as a server's does on loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, ensure};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::clock;
use crate::limits::LOADGEN_PAYLOAD_BYTES;

const HEADER: usize = 24;
const TAG: usize = 16;
/// Rounds between two drains of the receiving sockets: what they hold stays below their buffers.
const DRAIN_EVERY: usize = 4;
const ROUNDS_PER_SECOND: u32 = 30;

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    pub(super) viewers: usize,
    /// Packets of one send.
    pub(super) run: usize,
    /// CPU time of the sending thread per packet.
    pub(super) ns_per_packet: f64,
    pub(super) packets: u64,
}

struct Viewer {
    key: LessSafeKey,
    receiver: UdpSocket,
    address: SocketAddr,
}

/// How the runs follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// One after the other, until this much CPU time is spent.
    Tight(Duration),
    /// 30 rounds a second, for this long.
    Broadcast(Duration),
}

/// Measures on a thread of its own, which is tied to `cpu`; the receivers stay where the caller runs. Blocking.
///
/// # Errors
/// Sockets cannot be opened, the kernel cannot segment, there is no such CPU.
pub(super) fn measure(viewers: usize, run: usize, pace: Pace, cpu: Option<usize>) -> anyhow::Result<Floor> {
    let viewers: Vec<Viewer> = (0..viewers).map(|_| viewer()).collect::<anyhow::Result<_>>()?;
    let waiting = match pace {
        Pace::Tight(_) => None,
        Pace::Broadcast(_) => Some(waiting_receivers(&viewers)?),
    };
    let floor = std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            if let Some(cpu) = cpu {
                let mut set = CpuSet::new();
                set.set(cpu);
                sched_setaffinity(None, &set).with_context(|| format!("cannot run on CPU {cpu}"))?;
            }
            send(&viewers, run, pace)
        });
        sending.join().map_err(|_| anyhow::anyhow!("measuring the floor panicked"))?
    });
    if let Some(runtime) = waiting {
        runtime.shutdown_background();
    }
    floor
}

/// Seals and sends until the time is over.
fn send(viewers: &[Viewer], run: usize, pace: Pace) -> anyhow::Result<Floor> {
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let offload = UdpSocketState::new(UdpSockRef::from(&sender))?;
    ensure!(run <= offload.max_gso_segments(), "this kernel segments at most {} packets", offload.max_gso_segments());
    let started = clock::now();
    let packet = vec![0x5a; HEADER + LOADGEN_PAYLOAD_BYTES];
    let segment = packet.len() + TAG;
    let mut burst: Vec<u8> = Vec::with_capacity(run * segment);
    let (mut sequence, mut spent, mut packets) = (0_u64, Duration::ZERO, 0_u64);
    for round in 0.. {
        if matches!(pace, Pace::Broadcast(_)) {
            let due = started + Duration::from_secs(1) * round as u32 / ROUNDS_PER_SECOND;
            pause(due.saturating_duration_since(clock::now()));
        }
        let before = clock::thread_cpu();
        for viewer in viewers {
            burst.clear();
            for offset in 0..run as u64 {
                seal(&viewer.key, &packet, sequence + offset, &mut burst);
            }
            let transmit = Transmit {
                destination: viewer.address,
                ecn: None,
                contents: &burst,
                segment_size: (run > 1).then_some(segment),
                src_ip: None,
            };
            match offload.try_send(UdpSockRef::from(&sender), &transmit) {
                Ok(()) => packets += run as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("sending to loopback"),
            }
        }
        spent += clock::thread_cpu() - before;
        sequence += run as u64;
        let over = match pace {
            Pace::Tight(cpu) => {
                if round % DRAIN_EVERY == DRAIN_EVERY - 1 {
                    viewers.iter().for_each(drain);
                }
                spent >= cpu
            }
            Pace::Broadcast(duration) => started.elapsed() >= duration,
        };
        if over {
            break;
        }
    }
    Ok(Floor { viewers: viewers.len(), run, ns_per_packet: spent.as_nanos() as f64 / packets.max(1) as f64, packets })
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own that keeps a pace")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Tasks that empty the sockets as soon as something arrives, on a thread of their own.
fn waiting_receivers(viewers: &[Viewer]) -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    for viewer in viewers {
        let socket = tokio::net::UdpSocket::from_std(viewer.receiver.try_clone()?)?;
        // Ends with its runtime.
        drop(runtime.spawn(async move {
            let mut buffer = vec![0; 65_536];
            while socket.recv(&mut buffer).await.is_ok() {}
        }));
    }
    Ok(runtime)
}

fn viewer() -> anyhow::Result<Viewer> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a socket (is the open-files limit high enough?)")?;
    receiver.set_nonblocking(true)?;
    // As a viewer of the load generator receives: whole runs, not split by the kernel.
    UdpSocketState::new(UdpSockRef::from(&receiver))?;
    let secret: [u8; 16] = rand::random();
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &secret).map_err(|_| anyhow::anyhow!("AES-128 takes 16 bytes"))?);
    let address = receiver.local_addr()?;
    Ok(Viewer { key, receiver, address })
}

fn seal(key: &LessSafeKey, packet: &[u8], sequence: u64, burst: &mut Vec<u8>) {
    let start = burst.len();
    burst.extend_from_slice(packet);
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&sequence.to_be_bytes());
    let (header, payload) = burst[start..].split_at_mut(HEADER);
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&*header), payload)
        .expect("a packet is shorter than what GCM seals");
    burst.extend_from_slice(tag.as_ref());
}

fn drain(viewer: &Viewer) {
    let mut buffer = [0; 65_536];
    while viewer.receiver.recv(&mut buffer).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_packets_have_one_length_and_differ_by_viewer() {
        let (one, other) = (viewer().expect("a socket"), viewer().expect("a socket"));
        let packet = vec![1; HEADER + 100];
        let (mut first, mut second) = (Vec::new(), Vec::new());
        seal(&one.key, &packet, 1, &mut first);
        seal(&other.key, &packet, 1, &mut second);
        assert_eq!((first.len(), second.len()), (HEADER + 100 + TAG, HEADER + 100 + TAG));
        assert!(first != second && first[..HEADER] == packet[..HEADER]);
    }
}
