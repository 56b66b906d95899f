//! What a test lets people do: publish, watch, choose, move, leave; and what it looks at.

use super::*;

impl Sim {
    /// A publisher on worker 0, which is then the broadcast's home.
    pub(crate) fn publish(&mut self, broadcast: BroadcastId, show: Show) -> Who {
        self.try_publish(broadcast, show).expect("accepted")
    }

    pub(crate) fn try_publish(&mut self, broadcast: BroadcastId, show: Show) -> Result<Who, SfuError> {
        let worker = *self.homes.entry(broadcast).or_insert(0);
        let mut client = self.client(format!("publisher {}", self.seats.len()), worker);
        let filler = StdRng::seed_from_u64(self.rng.random());
        let encoder = Encoder::new(self.now, self.unix_ms(), show, filler, worker, &mut self.ledger);
        let offer = encoder.offer(&client.transport());
        client.encoder = Some(encoder);
        let request =
            AddPeer { broadcast, permissions: Permissions { publish: true, view: false }, offer, choice: LayerChoice::Auto, source: None };
        self.seat(client, broadcast, worker, request, (Path::default(), Path::default()))
    }

    pub(crate) fn view(&mut self, broadcast: BroadcastId, viewer: &Viewer) -> Who {
        self.try_view(broadcast, viewer).expect("accepted")
    }

    pub(crate) fn try_view(&mut self, broadcast: BroadcastId, viewer: &Viewer) -> Result<Who, SfuError> {
        self.view_as(broadcast, viewer, Permissions { publish: false, view: true })
    }

    /// A viewer whose token would also let it publish.
    pub(crate) fn view_with_right_to_publish(&mut self, broadcast: BroadcastId) -> Who {
        self.view_as(broadcast, &Viewer::default(), Permissions { publish: true, view: true }).expect("accepted")
    }

    fn view_as(&mut self, broadcast: BroadcastId, viewer: &Viewer, permissions: Permissions) -> Result<Who, SfuError> {
        let mut client = self.client(format!("viewer {}", self.seats.len()), viewer.worker);
        client.waits = viewer.waits;
        let offer = offer::view(&client.transport(), &viewer.codecs, viewer.rtx, viewer.fec);
        let request = AddPeer { broadcast, permissions, offer, choice: viewer.choice, source: None };
        let who = self.seat(client, broadcast, viewer.worker, request, (viewer.up, viewer.down))?;
        self.receiver_mut(who).reports = viewer.reports;
        self.receiver_mut(who).deaf_for = viewer.deaf_for;
        Ok(who)
    }

    /// The next datagrams of this client, taken from it instead of sent.
    pub(crate) fn take_from(&mut self, who: Who) -> Vec<Vec<u8>> {
        self.now = self.seats[who].client.wake_at().expect("connected").max(self.now);
        self.seats[who].client.handle_timeout(self.now, &mut self.ledger);
        std::iter::from_fn(|| self.seats[who].client.poll_transmit()).collect()
    }

    pub(crate) fn receiver(&self, who: Who) -> &Receiver {
        self.seats[who].client.receiver.as_ref().expect("a viewer")
    }

    pub(crate) fn receiver_mut(&mut self, who: Who) -> &mut Receiver {
        self.seats[who].client.receiver.as_mut().expect("a viewer")
    }

    pub(crate) fn encoder(&self, who: Who) -> &Encoder {
        self.seats[who].client.encoder.as_ref().expect("a publisher")
    }

    pub(crate) fn encoder_mut(&mut self, who: Who) -> &mut Encoder {
        self.seats[who].client.encoder.as_mut().expect("a publisher")
    }

    /// See [`Encoder::restart_layer`].
    pub(crate) fn restart_layer(&mut self, who: Who, layer: usize) -> u32 {
        self.seats[who].client.encoder.as_mut().expect("a publisher").restart_layer(layer, &mut self.ledger)
    }

    pub(crate) fn choose(&mut self, who: Who, choice: LayerChoice) {
        let (worker, peer) = (self.seats[who].worker, self.seats[who].peer);
        self.tell(worker, Command::ChooseLayer { peer, choice });
    }

    /// The client says how many lines of the picture it draws.
    pub(crate) fn draw(&mut self, who: Who, height: u16) {
        let (worker, peer) = (self.seats[who].worker, self.seats[who].peer);
        let mid = Mid::new(b"0").expect("the picture comes first in our offers");
        self.tell(worker, Command::DrawnAt { peer, mid, height });
    }

    pub(crate) fn stats(&mut self, who: Who) -> Result<PeerStats, SfuError> {
        let (worker, peer) = (self.seats[who].worker, self.seats[who].peer);
        self.command(worker, |reply| Command::Stats { peer, reply })
    }

    /// A further offer of an existing peer.
    pub(crate) fn renegotiate(&mut self, who: Who, offer: String) -> Result<PeerAnswer, SfuError> {
        self.renegotiate_as(who, offer, None)
    }

    pub(super) fn renegotiate_as(&mut self, who: Who, offer: String, source: Option<SourceId>) -> Result<PeerAnswer, SfuError> {
        let (worker, peer) = (self.seats[who].worker, self.seats[who].peer);
        self.command(worker, |reply| Command::Renegotiate { peer, offer, source, reply })
    }

    pub(crate) fn restart_ice(&mut self, who: Who) {
        let (worker, peer) = (self.seats[who].worker, self.seats[who].peer);
        let (remote_ufrag, remote_pwd) = self.seats[who].client.renew_credentials();
        let restarted: IceRestarted =
            self.command(worker, |reply| Command::RestartIce { peer, remote_ufrag, remote_pwd, reply }).expect("restarted");
        self.seats[who].client.handle_restart(self.now, restarted.ufrag, restarted.pwd);
    }

    pub(crate) fn move_client(&mut self, who: Who) {
        let address = self.fresh_address();
        self.addresses.insert(address, who);
        self.seats[who].client.move_to(self.now, address);
    }

    /// A TCP connection from the same address and port that the client's UDP socket has; the client goes on there.
    pub(crate) fn connect_tcp(&mut self, who: Who) -> Remote {
        self.connections += 1;
        let connection = ConnectionId { slot: 0, serial: self.connections };
        let remote = Remote::Tcp { address: self.seats[who].client.address.address(), connection };
        self.addresses.insert(remote, who);
        self.seats[who].client.move_to(self.now, remote);
        remote
    }

    /// The connection is closed: what is on its way is lost, in both directions.
    pub(crate) fn close_tcp(&mut self, who: Who, remote: Remote) {
        self.closed.insert(remote);
        let worker = usize::from(self.seats[who].worker);
        self.engines[worker].handle_closed(self.now, remote);
        self.drain(worker);
    }

    /// The control plane removes the peer.
    pub(crate) fn remove(&mut self, who: Who) {
        let (worker, peer) = (self.seats[who].worker, self.seats[who].peer);
        self.tell(worker, Command::RemovePeer { peer });
    }

    /// The client is gone without a word.
    pub(crate) fn vanish(&mut self, who: Who) {
        self.seats[who].client.phase = Phase::Closed;
    }

    /// The client says goodbye.
    pub(crate) fn hang_up(&mut self, who: Who) {
        let now = self.now;
        self.seats[who].client.close(now);
        self.transmit(who);
    }

    /// An RTCP compound of this client, on its way like everything it sends.
    pub(crate) fn say(&mut self, who: Who, compound: &[u8]) {
        self.seats[who].client.send_rtcp(compound);
        self.transmit(who);
    }

    /// A datagram from anywhere, at once.
    pub(crate) fn inject(&mut self, worker: usize, source: Remote, datagram: &[u8]) {
        self.engines[worker].handle_datagram(self.now, source, Some(SERVER), datagram, &mut self.outboxes[worker]);
        self.engines[worker].handle_batch_end(self.now, &mut self.outboxes[worker]);
        self.drain(worker);
    }
}
