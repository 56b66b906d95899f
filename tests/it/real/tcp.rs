//! Media over TCP: ICE-TCP (RFC 6544) with the framing of RFC 4571, written here a second time.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::client::{Publisher, Viewer, led_to, watched};
use super::house::{House, within};
use super::picture::Received;

/// The address of an answer's TCP candidate; none when it has none.
fn tcp_candidate(sdp: &str) -> Option<SocketAddr> {
    let fields = sdp.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut passive =
        fields.filter(|fields| fields[0].starts_with("a=candidate:") && fields[2] == "tcp" && fields.ends_with(&["tcptype", "passive"]));
    passive.next().map(|fields| SocketAddr::new(fields[4].parse().unwrap(), fields[5].parse().unwrap()))
}

enum Order {
    /// Datagrams to the server go by UDP no more: nothing comes through there.
    BlockUdp,
    /// The connection is cut; the next datagram makes another.
    Cut,
}

/// A client's way to the server: UDP while it is open, else one TCP connection. To the client it is one UDP address.
struct Way {
    address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
    /// Datagrams of the server that came by TCP.
    by_tcp: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Way {
    async fn to(server: SocketAddr, udp_is_open: bool) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = front.local_addr().unwrap();
        let (orders, inbox) = mpsc::unbounded_channel();
        let (count, by_tcp) = watch::channel(0);
        let task = tokio::spawn(run(server, front, udp_is_open, inbox, count));
        Self { address, orders, by_tcp, task }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).unwrap();
    }

    async fn carries(&mut self, more: u64) {
        let before = *self.by_tcp.borrow();
        within("datagrams by TCP", self.by_tcp.wait_for(|count| *count >= before + more)).await.unwrap();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    server: SocketAddr,
    front: UdpSocket,
    mut udp_is_open: bool,
    mut orders: mpsc::UnboundedReceiver<Order>,
    count: watch::Sender<u64>,
) {
    let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut connection: Option<(OwnedWriteHalf, JoinHandle<()>)> = None;
    let (heard, mut from_server) = mpsc::channel(1024);
    let mut client = None;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok((len, from)) = front.recv_from(&mut up) => {
                client = Some(from);
                if udp_is_open {
                    let _ = back.send_to(&up[..len], server).await;
                    continue;
                }
                if connection.is_none() {
                    let (read, write) = TcpStream::connect(server).await.unwrap().into_split();
                    connection = Some((write, tokio::spawn(read_frames(read, heard.clone()))));
                }
                let (write, _) = connection.as_mut().unwrap();
                let frame = [&(len as u16).to_be_bytes()[..], &up[..len]].concat();
                // The server may have closed it.
                let _ = write.write_all(&frame).await;
            }
            Ok((len, _)) = back.recv_from(&mut down) => {
                if let Some(client) = client.filter(|_| udp_is_open) {
                    let _ = front.send_to(&down[..len], client).await;
                }
            }
            Some(datagram) = from_server.recv() => {
                let datagram: Vec<u8> = datagram;
                count.send_modify(|count| *count += 1);
                if let Some(client) = client {
                    let _ = front.send_to(&datagram, client).await;
                }
            }
            order = orders.recv() => match order {
                Some(Order::BlockUdp) => udp_is_open = false,
                Some(Order::Cut) => {
                    if let Some((_, reading)) = connection.take() {
                        reading.abort();
                    }
                }
                None => return,
            },
        }
    }
}

async fn read_frames(mut stream: OwnedReadHalf, heard: mpsc::Sender<Vec<u8>>) {
    while let Ok(length) = stream.read_u16().await {
        let mut datagram = vec![0; length.into()];
        if stream.read_exact(&mut datagram).await.is_err() || heard.send(datagram).await.is_err() {
            return;
        }
    }
}

/// Waits for a packet that was sent after this moment; returns how long that took.
async fn picture_after(viewer: &mut Viewer, publisher: &Publisher) -> std::time::Duration {
    let begin = Instant::now();
    let before = publisher.sent_video().len();
    let later = |packets: &Vec<Received>| {
        let sent = publisher.sent_video();
        packets.last().is_some_and(|last| sent[before..].iter().any(|packet| packet.payload == last.payload))
    };
    within("the picture after the change", viewer.video.wait_for(later)).await.unwrap();
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_published_and_watched_over_tcp_alone() {
    let house = House::open().await;
    let mut up = None;
    let by_tcp = async |answer: &str| {
        let way = up.insert(Way::to(tcp_candidate(answer).unwrap(), false).await);
        led_to(answer, way.address)
    };
    let publisher = Publisher::go_live_by(&house, "derby", None, 1, by_tcp).await;
    let mut up = up.unwrap();
    assert_eq!(tcp_candidate(&publisher.resource.answer), Some(publisher.resource.media()), "the number of the UDP port");

    let (mut viewer, offer) = Viewer::new(&house).await;
    let resource = watched(&house, "derby", None, offer).await;
    let mut down = Way::to(tcp_candidate(&resource.answer).unwrap(), false).await;
    viewer.stack.accept(led_to(&resource.answer, down.address)).await;
    viewer.connected().await;
    let (video, audio) = (|| publisher.sent_video(), || publisher.sent_audio());
    Viewer::sees(&mut viewer.video, 150, &[&video]).await;
    Viewer::sees(&mut viewer.audio, 100, &[&audio]).await;
    up.carries(1).await;
    down.carries(50).await;
    house.settles("courtside_sfu_tcp_connections", 2.0).await;
    assert_eq!(resource.delete(&house).await, 200);
    assert_eq!(publisher.resource.delete(&house).await, 200);
    // Nobody is behind them any more, so the server ends the connections.
    house.settles("courtside_sfu_tcp_connections", 0.0).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_goes_on_over_tcp_when_udp_dies_and_over_another_connection_when_that_breaks() {
    let house = House::open().await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    let (mut viewer, offer) = Viewer::new(&house).await;
    let resource = watched(&house, "derby", None, offer).await;
    let mut way = Way::to(tcp_candidate(&resource.answer).unwrap(), true).await;
    viewer.stack.accept(led_to(&resource.answer, way.address)).await;
    viewer.connected().await;
    let video = || publisher.sent_video();
    Viewer::sees(&mut viewer.video, 60, &[&video]).await;
    assert_eq!(*way.by_tcp.borrow(), 0);

    way.order(Order::BlockUdp);
    let gap = picture_after(&mut viewer, &publisher).await;
    eprintln!("the picture was back {} ms after UDP had died", gap.as_millis());
    way.carries(50).await;

    way.order(Order::Cut);
    let gap = picture_after(&mut viewer, &publisher).await;
    eprintln!("the picture was back {} ms after the connection had broken", gap.as_millis());
    way.carries(50).await;
    let seen = Viewer::sees(&mut viewer.video, 60, &[&video]).await;
    assert_eq!(seen.sources, [0]);
    house.peers_settle(2).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_media_over_tcp_neither_offers_nor_listens() {
    let house = House::with(|config| config.media_tcp = false).await;
    let publisher = Publisher::go_live(&house, "derby", None, 1).await;
    assert_eq!(tcp_candidate(&publisher.resource.answer), None, "{}", publisher.resource.answer);
    let refused = TcpStream::connect(publisher.resource.media()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    house.stop().await;
}
