//! What moderators see beside the chat: what was done in it, and what viewers have reported.

use super::Live;
use super::details::line;
use crate::accounts::{Claims, Grant};
use crate::ids::{ActionId, BroadcastId};
use crate::limits::{ACTIONS_PAGE_MAX, CHAT_NOTE_MAX, REPORTS_LISTED_MAX, REPORTS_OPEN_MAX};
use crate::signaling::now::Now;
use crate::signaling::protocol::MessageId;
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::people::{AuditEntry, AuditPage, Named, Report, ReportOutcome, ReportResolution, ReportedMessage};
use crate::store::{ActionRecord, ModeratorAction, NamedUser, ReportRecord};

impl Live {
    pub(crate) async fn audit(&self, who: Option<&Claims>, name: &str, before: Option<ActionId>) -> Result<AuditPage, Refusal> {
        let broadcast = self.moderated(who, name)?;
        let mut actions = self.shared.store.actions_on(broadcast, before, ACTIONS_PAGE_MAX + 1).await?;
        let more = actions.len() > ACTIONS_PAGE_MAX as usize;
        actions.truncate(ACTIONS_PAGE_MAX as usize);
        Ok(AuditPage { actions: actions.into_iter().map(to_entry).collect(), more })
    }

    pub(crate) async fn reports(&self, who: Option<&Claims>, name: &str) -> Result<Vec<ReportedMessage>, Refusal> {
        let broadcast = self.moderated(who, name)?;
        let mut messages: Vec<ReportedMessage> = Vec::new();
        for record in self.shared.store.open_reports(broadcast, REPORTS_OPEN_MAX).await? {
            let (epoch, seq) = record.place;
            let message = MessageId { epoch, seq };
            let ReportRecord { author, text, sent_at_ms, by, reason, note, at_ms, .. } = record;
            let report = Report { by: named(by), reason, note, at_ms };
            let is_full = messages.len() >= REPORTS_LISTED_MAX as usize;
            match messages.last_mut().filter(|last| last.message == message) {
                Some(known) => known.reports.push(report),
                None if is_full => break,
                None => messages.push(ReportedMessage { message, author: named(author), text, sent_at_ms, reports: vec![report] }),
            }
        }
        Ok(messages)
    }

    pub(crate) async fn resolve(
        &self,
        who: Option<&Claims>,
        name: &str,
        message: MessageId,
        resolution: ReportResolution,
    ) -> Result<(), Refusal> {
        let broadcast = self.moderated(who, name)?;
        let by = who.ok_or(Refusal::TokenNeeded)?;
        let ReportResolution { outcome, note } = resolution;
        let rule = "at most 200 characters, one line";
        let note = note.map(|note| line("note", rule, &note, 0, CHAT_NOTE_MAX)).transpose()?.filter(|note| !note.is_empty());
        let now_ms = Now::read().unix_ms as u64;
        let resolved = self.shared.store.resolve_reports(broadcast, (message.epoch, message.seq), now_ms).await?;
        let report = resolved.ok_or(Refusal::NotFound("report"))?;
        let word = match outcome {
            ReportOutcome::Dismissed => "dismissed",
            ReportOutcome::Upheld => "upheld",
        };
        let action = ActionRecord {
            id: ActionId::random(&mut rand::rng()),
            broadcast,
            at_ms: now_ms,
            by: NamedUser { id: by.sub, name: by.name.clone() },
            action: ModeratorAction::Resolve,
            on: Some(report.author),
            message: Some(report.text),
            seconds: None,
            note: Some(note.map_or_else(|| word.to_owned(), |note| format!("{word}: {note}"))),
        };
        Ok(self.shared.store.add_action(&action).await?)
    }

    /// The broadcast, for those who moderate it.
    fn moderated(&self, who: Option<&Claims>, name: &str) -> Result<BroadcastId, Refusal> {
        self.with_state(|state| state.directory.find_for(name, who, Grant::Moderate))
    }
}

fn named(user: NamedUser) -> Named {
    Named { id: user.id, name: user.name }
}

fn to_entry(record: ActionRecord) -> AuditEntry {
    let ActionRecord { id, broadcast: _, at_ms, by, action, on, message, seconds, note } = record;
    AuditEntry { id, at_ms, by: named(by), action, on: on.map(named), message, seconds, note }
}
