//! The children of one broadcast that put a guest beside its main picture: begun, told and ended as the composer says.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::child::{EncoderCommand, End, Place};
use super::composer::{Order, Why};
use super::programme::{self, Beginning, Made, Running};
use crate::ids::BroadcastId;
use crate::limits::HLS_SOUND_QUEUE;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Crew {
    broadcast: BroadcastId,
    /// What runs, and with what permit; `None`: nothing does.
    command: Option<(EncoderCommand, Arc<Place>)>,
    children: Vec<(u32, Running)>,
    out: mpsc::Sender<(u32, Made)>,
    made: mpsc::Receiver<(u32, Made)>,
    /// That there was no permit has been said.
    is_full_told: bool,
}

impl Crew {
    pub(super) fn new(broadcast: BroadcastId, command: Option<(EncoderCommand, Arc<Place>)>) -> Self {
        let (out, made) = mpsc::channel(HLS_SOUND_QUEUE);
        Self { broadcast, command, children: Vec::new(), out, made, is_full_told: false }
    }

    pub(super) const fn can_compose(&self) -> bool {
        self.command.is_some()
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
            Made::Ended(end) => self.warn(end),
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
                Order::Begin { child, programme, main, guest } => {
                    let Some((command, place)) = self.command.clone() else { continue };
                    let beginning = Beginning { command, place, programme, main, guest };
                    self.children.push((child, Running::begin(child, beginning, self.out.clone())));
                }
                Order::Tell { child, word } => {
                    let is_stuck = self.children.iter().any(|(number, running)| *number == child && !running.tell(word.clone()));
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
            self.children.swap_remove(place).1.stop().await;
            if let Some(end) = failure {
                programme::count(end);
                self.warn(end);
            }
        }
    }

    fn warn(&self, end: &End) {
        let (broadcast, missed) = (self.broadcast, "players see the main picture alone until it is back");
        tracing::warn!(%broadcast, of = programme::LABEL, reason = %end, missed, "the encoder ended");
    }

    /// Ends all of them.
    pub(super) async fn stop(self) {
        // Those that wait to be heard are heard no more.
        drop(self.made);
        for (_, running) in self.children {
            running.stop().await;
        }
    }
}
