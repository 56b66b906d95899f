//! A NAT between a client and one media port: it forwards datagrams both ways from a source port of its own, takes another one when told
//! to, remembers what the client sent, and lets a test send more from the same address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Datagrams of the client that are remembered.
const REMEMBERED_MAX: usize = 4096;

enum Order {
    /// Another source port; the old one is closed.
    Rebind,
    Send(Vec<u8>),
}

/// Runs until it is dropped.
pub(super) struct Relay {
    address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// To the server's media address.
    pub(super) async fn to(server: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = front.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (orders, inbox) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(server, front, back, inbox, Arc::clone(&heard)));
        Self { address, orders, heard, task }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the server sees another source address, and what it sends to the old one is lost.
    pub(super) fn rebind(&self) {
        self.orders.send(Order::Rebind).unwrap();
    }

    /// Sends to the server as if the client had.
    pub(super) fn inject(&self, datagram: Vec<u8>) {
        self.orders.send(Order::Send(datagram)).unwrap();
    }

    /// SRTP and SRTCP that the client has sent.
    pub(super) fn heard_media(&self) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|datagram| matches!(datagram.first(), Some(128..=191))).cloned().collect()
    }

    /// DTLS that the client has sent.
    pub(super) fn heard_dtls(&self) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|datagram| matches!(datagram.first(), Some(20..=63))).cloned().collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    server: SocketAddr,
    front: UdpSocket,
    mut back: UdpSocket,
    mut orders: mpsc::UnboundedReceiver<Order>,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let mut client = None;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok((len, from)) = front.recv_from(&mut up) => {
                client = Some(from);
                remember(&heard, &up[..len]);
                let _ = back.send_to(&up[..len], server).await;
            }
            Ok((len, _)) = back.recv_from(&mut down) => {
                if let Some(client) = client {
                    let _ = front.send_to(&down[..len], client).await;
                }
            }
            order = orders.recv() => match order {
                Some(Order::Rebind) => back = UdpSocket::bind("127.0.0.1:0").await.unwrap(),
                Some(Order::Send(datagram)) => drop(back.send_to(&datagram, server).await),
                None => return,
            },
        }
    }
}

fn remember(heard: &Mutex<Vec<Vec<u8>>>, datagram: &[u8]) {
    let mut heard = heard.lock().unwrap();
    if heard.len() < REMEMBERED_MAX {
        heard.push(datagram.to_vec());
    }
}
