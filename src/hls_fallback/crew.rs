//! Children of one broadcast that make one thing of main and guest: begun, told and ended as the composer says of pictures, the mixer of sounds.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::child::{EncoderCommand, End, Place};
use super::duet::{self, Beginning, Made, Order, Running, Why};
use crate::ids::BroadcastId;
use crate::limits::HLS_SOUND_QUEUE;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Crew {
    broadcast: BroadcastId,
    /// What runs; `None`: nothing does.
    command: Option<EncoderCommand>,
    /// A permit that they share; `None`: they need none.
    place: Option<Arc<Place>>,
    children: Vec<(u32, Named)>,
    out: mpsc::Sender<(u32, Made)>,
    made: mpsc::Receiver<(u32, Made)>,
    /// That there was no permit has been said.
    is_full_told: bool,
}

/// A child, and the words for it in metrics and logs.
#[derive(Debug)]
struct Named {
    running: Running,
    label: &'static str,
    missed: &'static str,
}

impl Crew {
    pub(super) fn new(broadcast: BroadcastId, command: Option<EncoderCommand>, place: Option<Arc<Place>>) -> Self {
        let (out, made) = mpsc::channel(HLS_SOUND_QUEUE);
        Self { broadcast, command, place, children: Vec::new(), out, made, is_full_told: false }
    }

    /// The next thing that a child made, with its number.
    pub(super) async fn next(&mut self) -> (u32, Made) {
        let (child, made) = match self.made.recv().await {
            Some(made) => made,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        };
        match &made {
            Made::Frame { .. } => self.is_full_told = false,
            Made::Ended(End::Full) if std::mem::replace(&mut self.is_full_told, true) => {}
            Made::Ended(end) => self.warn(child, end),
        }
        if matches!(made, Made::Ended(_)) {
            self.children.retain(|(number, _)| *number != child);
        }
        (child, made)
    }

    /// Returns the children that have ended by that: those that do not take what they are told.
    pub(super) async fn carry_out(&mut self, orders: Vec<Order>) -> Vec<u32> {
        let mut ended = Vec::new();
        for order in orders {
            match order {
                Order::Begin { child, work, main, guest } => {
                    let Some(command) = self.command.clone() else { continue };
                    let (label, missed) = (work.label(), work.missed());
                    let beginning = Beginning { command, place: self.place.clone(), work, main, guest };
                    let running = Running::begin(child, beginning, self.out.clone());
                    self.children.push((child, Named { running, label, missed }));
                }
                Order::Tell { child, word } => {
                    let is_stuck = self.children.iter().any(|(number, named)| *number == child && !named.running.tell(word.clone()));
                    if is_stuck {
                        self.end(child, Some(&End::Lags)).await;
                        ended.push(child);
                    }
                }
                Order::End { child, why: Why::Done } => self.end(child, None).await,
                Order::End { child, why: Why::Lags } => self.end(child, Some(&End::Lags)).await,
            }
        }
        ended
    }

    /// Ends a child; `failure`: what it is to blame for.
    async fn end(&mut self, child: u32, failure: Option<&End>) {
        if let Some(place) = self.children.iter().position(|(number, _)| *number == child) {
            if let Some(end) = failure {
                duet::count(self.children[place].1.label, end);
                self.warn(child, end);
            }
            self.children.swap_remove(place).1.running.stop().await;
        }
    }

    fn warn(&self, child: u32, end: &End) {
        let Some((_, Named { label, missed, .. })) = self.children.iter().find(|(number, _)| *number == child) else { return };
        tracing::warn!(broadcast = %self.broadcast, of = label, reason = %end, missed, "the encoder ended");
    }

    /// Ends all of them.
    pub(super) async fn stop(self) {
        // Those that wait to be heard are heard no more.
        drop(self.made);
        for (_, named) in self.children {
            named.running.stop().await;
        }
    }
}
