//! What people do in calls and as guests on air: publish a source of their own, see each other, leave.

use super::*;

/// How somebody takes part in a call on top of a broadcast.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub viewer: Viewer,
    /// M-lines to receive, in pairs: the broadcast's, its guest's and friends'.
    pub pairs: usize,
    /// What its camera sends from the beginning.
    pub camera: Option<Show>,
}

impl Default for Member {
    fn default() -> Self {
        let camera = Some(Show { layers: vec![(1, 320, 180, Some("l")), (2, 640, 360, Some("m"))], ..Show::simulcast(Codec::Vp8) });
        Self { viewer: Viewer::default(), pairs: 5, camera }
    }
}

impl Member {
    pub(crate) fn on(worker: u8) -> Self {
        Self { viewer: Viewer { worker, ..Viewer::default() }, ..Self::default() }
    }

    /// Watches, and could take part.
    pub(crate) fn watching(worker: u8) -> Self {
        Self { camera: None, ..Self::on(worker) }
    }
}

/// The first friend's pair: before it come the broadcast's and its guest's.
pub(crate) const GUEST: usize = 1;
pub(crate) const FIRST_FACE: usize = 2;

impl Sim {
    /// Somebody joins the broadcast, and publishes `source` if there is a camera.
    pub(crate) fn join_call(&mut self, broadcast: BroadcastId, source: SourceId, member: &Member) -> Who {
        let Member { viewer, pairs, camera } = member;
        let mut client = self.client(format!("member {}", self.seats.len()), viewer.worker);
        client.waits = viewer.waits;
        client.encoder = camera.clone().map(|show| self.camera(show, *pairs, viewer.worker));
        let camera = client.encoder.as_ref().map(Encoder::camera);
        let offer = offer::call(&client.transport(), &viewer.codecs, *pairs, camera.as_ref());
        let source = camera.map(|_| source);
        let permissions = Permissions { publish: false, view: true };
        let request = AddPeer { broadcast, permissions, offer, choice: viewer.choice, source };
        self.source_at(source, viewer.worker);
        let who = self.seat(client, broadcast, viewer.worker, request, (viewer.up, viewer.down)).expect("accepted");
        self.receiver_mut(who).reports = viewer.reports;
        who
    }

    /// Somebody who watches turns the camera on, or on again.
    pub(crate) fn turn_camera_on(&mut self, who: Who, source: SourceId, show: Show) {
        let pairs = 1 + self.seats[who].others.len();
        let worker = self.seats[who].worker;
        let mut encoder = self.camera(show, pairs, worker);
        encoder.start(self.now);
        let codecs = Viewer::default().codecs;
        let offer = offer::call(&self.seats[who].client.transport(), &codecs, pairs, Some(&encoder.camera()));
        self.source_at(Some(source), worker);
        self.renegotiate_as(who, offer, Some(source)).expect("accepted");
        let former = self.seats[who].client.encoder.replace(encoder);
        if let Some(former) = former {
            self.ledger.handle_published_again(former.streams());
        }
    }

    /// The camera that was withdrawn is a source again: the client goes on under the same SSRCs, and has long ceased to name its layers.
    pub(crate) fn publish_again(&mut self, who: Who, source: SourceId) {
        let pairs = 1 + self.seats[who].others.len();
        let client = &self.seats[who].client;
        let camera = client.encoder.as_ref().map(Encoder::camera);
        let offer = offer::call(&client.transport(), &Viewer::default().codecs, pairs, camera.as_ref());
        self.source_at(Some(source), self.seats[who].worker);
        self.renegotiate_as(who, offer, Some(source)).expect("accepted");
    }

    fn camera(&mut self, show: Show, pairs: usize, worker: u8) -> Encoder {
        let filler = StdRng::seed_from_u64(self.rng.random());
        let mut encoder = Encoder::new(self.now, self.unix_ms(), show, filler, worker, &mut self.ledger);
        encoder.mid = (2 * pairs).to_string();
        encoder
    }

    /// As the handle does: whoever follows the source hears where it is.
    fn source_at(&mut self, source: Option<SourceId>, home: u8) {
        let Some(source) = source else { return };
        self.homes.insert(source, home);
        // Whoever follows it starts over, be it with what its former home has handed over before.
        self.seats.iter_mut().flat_map(|seat| &mut seat.others).for_each(Judge::handle_filled);
        for worker in 0..self.engines.len() {
            self.tell(worker as u8, Command::SourceAt { source, home });
        }
    }

    /// The client goes on sending; nobody is to see it.
    pub(crate) fn withdraw(&mut self, who: Who) {
        let (worker, peer) = (self.seats[who].worker, self.seats[who].peer);
        self.tell(worker, Command::Withdraw { peer, source: None });
        if let Some(encoder) = &self.seats[who].client.encoder {
            self.ledger.handle_withdrawn(encoder.streams());
        }
    }

    /// Fills the picture and the sound of these pairs.
    pub(crate) fn fill(&mut self, who: Who, fills: &[(usize, Option<SourceId>)]) {
        self.filled.extend(fills.iter().filter_map(|(_, source)| *source));
        let seat = &mut self.seats[who];
        let judged: Vec<usize> = fills.iter().filter_map(|(pair, _)| pair.checked_sub(1)).collect();
        judged.into_iter().for_each(|pair| seat.others[pair].handle_filled());
        let (worker, peer) = (seat.worker, seat.peer);
        let mid = |line: usize| Mid::new(line.to_string().as_bytes()).expect("short");
        let both = fills.iter().flat_map(|(pair, source)| [2 * pair, 2 * pair + 1].map(|line| Fill { mid: mid(line), source: *source }));
        let home = |fill: &Fill| fill.source.and_then(|source| self.homes.get(&source)).copied().unwrap_or(worker);
        let fills = both.map(|fill| (fill, home(&fill))).collect();
        self.tell(worker, Command::Fill { peer, fills });
    }

    pub(crate) fn show_guest(&mut self, broadcast: BroadcastId, guest: Option<SourceId>) {
        let guest = guest.map(|source| (source, self.homes[&source]));
        let seats = self.seats.iter_mut().filter(|seat| seat.broadcast == broadcast);
        seats.filter_map(|seat| seat.others.get_mut(GUEST - 1)).for_each(Judge::handle_filled);
        for worker in 0..self.engines.len() {
            self.tell(worker as u8, Command::ShowGuest { broadcast, guest });
        }
    }

    pub(crate) fn silence(&mut self, source: SourceId, silenced: bool) {
        self.tell(self.homes[&source], Command::Silence { source, silenced });
    }

    pub(crate) fn close(&mut self, broadcast: BroadcastId) {
        for worker in 0..self.engines.len() {
            self.tell(worker as u8, Command::CloseBroadcast { broadcast });
        }
    }

    /// It was published once.
    pub(crate) fn knows_home(&self, source: SourceId) -> bool {
        self.homes.contains_key(&source)
    }

    /// What somebody gets on a pair.
    pub(crate) fn pair(&self, who: Who, pair: usize) -> &Receiver {
        match pair.checked_sub(1) {
            Some(other) => &self.seats[who].client.others[other],
            None => self.receiver(who),
        }
    }

    /// Frames and packets of sound on a pair so far.
    pub(crate) fn seen_and_heard(&self, who: Who, pair: usize) -> (usize, u64) {
        let receiver = self.pair(who, pair);
        (receiver.decoder.frames.len(), receiver.audio_packets)
    }
}
