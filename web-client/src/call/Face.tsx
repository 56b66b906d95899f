// One member: their picture or their face, their name, and in words how it is with them. What can be done about them is in a menu.
import { useRef } from 'preact/hooks';
import { theFriends } from '../friends/of_me';
import type { CallMember } from '../protocol';
import { ART } from '../reactions/kinds';
import { Avatar } from '../ui/Avatar';
import { IconButton } from '../ui/Button';
import { useScope } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { dotsThree, linkBreak, microphoneSlashFill, pushPin, screencast } from '../ui/icons';
import { useMenu } from '../ui/use_menu';
import { followDrawn } from '../watch/drawn';
import { words } from '../words';
import { callWords } from '../call_words';
import { FaceMenu } from './FaceMenu';
import type { Party } from './party';
import { useStream } from './use_stream';

export type FaceProps = {
  party: Party;
  member: CallMember;
  /** Lines to ask for, where the page itself cannot tell how large it is drawn; `null`: as it is drawn. */
  lines?: number | null;
};

export function Face({ party, member, lines = null }: FaceProps) {
  const say = callWords.face;
  const { call, air } = party;
  const video = useRef<HTMLVideoElement>(null);
  const menu = useMenu();
  const isMe = call.me.value?.id === member.id;
  const sharing = isMe ? call.devices.isSharing.value : member.screen;
  const stream = isMe ? call.devices.preview.value : (member.camera || member.screen) && member.here ? (call.media.pictures.value.get(member.id) ?? null) : null;
  useStream(video, stream);
  useScope((until) => {
    if (isMe || !video.current) return;
    if (lines !== null) call.media.drawn(member.id, lines, until);
    else followDrawn(video.current, 'cover', (drawn) => call.media.drawn(member.id, drawn, until), until);
    until.addEventListener('abort', () => call.media.undrawn(member.id, until), { once: true });
  }, [call, member.id, isMe, lines]);

  const muted = isMe ? !call.devices.isHeard.value : !member.microphone || member.silenced;
  const speaking = call.isSpeaking(member.id) && !muted;
  const link = say.link[member.link];
  const bubble = call.bubbles.value.find(({ to }) => to === member.id);
  const name = isMe ? callWords.you : member.name;
  const isOnAir = isMe ? air.isOn.value : party.session.broadcast.value?.guest?.user === member.user;
  const facts = [
    muted && say.muted, speaking && say.speaking, !member.here && say.reconnecting, link, isOnAir && say.onAir, !member.in_step && say.ownWay,
  ].filter((fact) => typeof fact === 'string' && fact !== '');
  const face = { id: member.user, name: member.name, picture_version: theFriends().value?.person(member.user)?.picture_version ?? 0 };
  return (
    <div
      class={`face-tile ${speaking ? 'speaking' : ''} ${member.here ? '' : 'away'} ${muted ? 'muted' : ''}`}
      role="group" aria-label={[say.of(name), ...facts].join(', ')} data-member={member.id}
    >
      <video
        ref={video} class={isMe && !sharing ? 'mirrored' : sharing ? 'screen' : ''} muted playsInline autoplay hidden={stream === null}
        aria-label={sharing ? say.screen(name) : say.picture(name)}
      />
      {stream === null && <Avatar person={face} size={44} />}
      {!member.here && <p class="away-words">{say.reconnecting}</p>}
      {member.here && link && <span class="link-word"><Icon svg={linkBreak} size="s" /><span class="clip">{link}</span></span>}
      {isOnAir && <span class="air-word">{say.onAir}</span>}
      <span class="face-name">
        {muted && <Icon svg={microphoneSlashFill} size="s" />}
        {sharing && <Icon svg={screencast} size="s" />}
        {call.pinned.value === member.id && <Icon svg={pushPin} size="s" />}
        <bdi class="clip">{name}</bdi>
      </span>
      {call.captions.isOn.value && <p class="face-caption" aria-live="polite" dir="auto">{call.captions.lines.value.get(member.id)?.text}</p>}
      {bubble && (
        <span class="face-bubble" key={bubble.key} role="img" aria-label={say.reacted(call.nameOf(bubble.by) ?? callWords.news.somebody, words.chat.react[bubble.kind])}>
          <img src={ART[bubble.kind]} alt="" width={32} height={32} />
        </span>
      )}
      <IconButton class="face-more" icon={dotsThree} label={say.more(name)} popup="menu" expanded={menu.open} tip="end" below buttonRef={menu.button} onClick={menu.toggle} />
      {menu.open && <FaceMenu party={party} member={member} isMe={isMe} onClose={menu.close} />}
    </div>
  );
}
